package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
)

type planCmd struct {
	List   planListCmd   `cmd:"" help:"List the plans."`
	Set    planSetCmd    `cmd:"" help:"Set limits of a plan, a new one if there is none of that name."`
	Give   planGiveCmd   `cmd:"" help:"Give an organization a plan, or limits of its own."`
	Delete planDeleteCmd `cmd:"" help:"Delete a plan that no organization has."`
}

type planListCmd struct{ operator }

// Run lists plans with their limits.
func (c *planListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	plans := []spec.Plan{}
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := api.Plans(ctx, cursor)
		if err != nil {
			return err
		}
		plans = append(plans, page.Items...)
		cursor = ""
		if page.NextCursor != nil {
			cursor = *page.NextCursor
		}
	}
	if c.JSON {
		raw, err := json.Marshal(plans)
		return t.answer(raw, err)
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "PLAN\tORGANIZATIONS\tLIMITS")
	for _, plan := range plans {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\n", plan.Name, plan.Organizations, limitsText(plan.Limits))
	}
	return table.Flush()
}

// limits is an argument of many limits.
type limits struct {
	Limits []string `arg:"" optional:"" help:"Limits as name=value, as in connections=50000; 0 takes one away. Their names are in docs/tenancy.md."`
}

func (l limits) parse() (client.Limits, error) {
	parsed := client.Limits{}
	for _, word := range l.Limits {
		name, text, ok := strings.Cut(word, "=")
		value, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil {
			return nil, usageError{fmt.Errorf("%q is no limit; they are given as in connections=50000", word)}
		}
		parsed[name] = value
	}
	return parsed, nil
}

type planSetCmd struct {
	operator
	Name string `arg:"" name:"plan" help:"Name of the plan."`
	limits
}

// Run changes a plan, or creates it.
func (c *planSetCmd) Run(ctx context.Context, t *terminal) error {
	limits, err := c.parse()
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.UpdatePlan(ctx, c.Name, limits)
	if missing, ok := errors.AsType[*client.Error](err); ok && missing.Status == http.StatusNotFound {
		answer, err = api.CreatePlan(ctx, c.Name, limits)
	}
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("The plan %s has: %s.", answer.Value.Name, limitsText(answer.Value.Limits))
	return nil
}

type planGiveCmd struct {
	operator
	Slug string `arg:"" name:"organization" help:"Slug of the organization."`
	limits
	Plan string `help:"The plan to give; the organization keeps its own if this is left out." placeholder:"NAME"`
}

// Run gives an organization what it may use.
func (c *planGiveCmd) Run(ctx context.Context, t *terminal) error {
	limits, err := c.parse()
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.AllowOrganization(ctx, c.Slug, c.Plan, limits)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("%s has the plan %s, and in its place: %s.", answer.Value.ID, answer.Value.Plan, limitsText(answer.Value.Limits))
	return nil
}

type planDeleteCmd struct {
	operator
	Name string `arg:"" name:"plan" help:"Name of the plan."`
}

// Run takes a plan away.
func (c *planDeleteCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := api.DeletePlan(ctx, c.Name); err != nil {
		return err
	}
	t.say("The plan %s is gone.", c.Name)
	return nil
}

// limitsText shows the limits that there are, as they are given.
func limitsText(l spec.Limits) string {
	raw, err := json.Marshal(l)
	if err != nil {
		return ""
	}
	values := client.Limits{}
	if err := json.Unmarshal(raw, &values); err != nil {
		return ""
	}
	words := []string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] > 0 {
			words = append(words, name+"="+strconv.FormatInt(values[name], 10))
		}
	}
	if len(words) == 0 {
		return "no limits"
	}
	return strings.Join(words, " ")
}
