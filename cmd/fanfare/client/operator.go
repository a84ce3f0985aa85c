package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/fanfare-mq/fanfare/api/spec"
)

const organizations = "/v1/operator/organizations"

// Organizations returns one page of the installation's organizations, of those
// whose slug has the query in it; an empty cursor is the first page's.
func (c *Client) Organizations(ctx context.Context, query, cursor string) (out spec.OrganizationPage, err error) {
	params := url.Values{}
	for name, value := range map[string]string{"query": query, "cursor": cursor} {
		if value != "" {
			params.Set(name, value)
		}
	}
	return out, c.Get(ctx, organizations+"?"+params.Encode(), &out)
}

// Organization returns one organization.
func (c *Client) Organization(ctx context.Context, slug string) (out Answer[spec.Organization], err error) {
	return out, c.Get(ctx, organizations+"/"+url.PathEscape(slug), &out)
}

// CreateOrganization creates an organization and invites its owner.
func (c *Client) CreateOrganization(ctx context.Context, in spec.NewOrganization) (out Answer[spec.CreatedOrganization], err error) {
	return out, c.Post(ctx, organizations, in, &out)
}

// SuspendOrganization suspends an organization.
func (c *Client) SuspendOrganization(ctx context.Context, slug, reason string) (out Answer[spec.Organization], err error) {
	return out, c.Post(ctx, organizations+"/"+url.PathEscape(slug)+"/suspend", spec.Suspension{Reason: reason}, &out)
}

// ResumeOrganization ends a suspension.
func (c *Client) ResumeOrganization(ctx context.Context, slug string) (out Answer[spec.Organization], err error) {
	return out, c.Post(ctx, organizations+"/"+url.PathEscape(slug)+"/resume", nil, &out)
}

// DeleteOrganization deletes an organization with all that it has.
func (c *Client) DeleteOrganization(ctx context.Context, slug string) error {
	return c.Delete(ctx, organizations+"/"+url.PathEscape(slug))
}

// Noisiest lists the organizations that do the most by a measure.
func (c *Client) Noisiest(ctx context.Context, by string, limit int) (out Answer[spec.Noisiest], err error) {
	params := url.Values{"by": {by}, "limit": {strconv.Itoa(limit)}}
	return out, c.Get(ctx, "/v1/operator/noisiest?"+params.Encode(), &out)
}
