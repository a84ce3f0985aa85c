package client

import (
	"context"
	"net/url"

	"github.com/fanfare-mq/fanfare/api/spec"
)

const plans = "/v1/operator/plans"

// Limits are limits to change, by their names in the API; the server knows
// which there are.
type Limits map[string]int64

// Plans returns one page of the installation's plans; an empty cursor is the
// first page's.
func (c *Client) Plans(ctx context.Context, cursor string) (out spec.PlanPage, err error) {
	path := plans
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	return out, c.Get(ctx, path, &out)
}

// CreatePlan creates a plan.
func (c *Client) CreatePlan(ctx context.Context, name string, limits Limits) (out Answer[spec.Plan], err error) {
	return out, c.Post(ctx, plans, map[string]any{"name": name, "limits": limits}, &out)
}

// UpdatePlan changes limits of a plan.
func (c *Client) UpdatePlan(ctx context.Context, name string, limits Limits) (out Answer[spec.Plan], err error) {
	return out, c.Patch(ctx, plans+"/"+url.PathEscape(name), map[string]any{"limits": limits}, &out)
}

// DeletePlan takes a plan away.
func (c *Client) DeletePlan(ctx context.Context, name string) error {
	return c.Delete(ctx, plans+"/"+url.PathEscape(name))
}

// AllowOrganization gives an organization a plan, unless that is empty, and
// limits of its own.
func (c *Client) AllowOrganization(ctx context.Context, slug, plan string, limits Limits) (out Answer[spec.Organization], err error) {
	body := map[string]any{"limits": limits}
	if plan != "" {
		body["plan"] = plan
	}
	return out, c.Patch(ctx, organizations+"/"+url.PathEscape(slug), body, &out)
}
