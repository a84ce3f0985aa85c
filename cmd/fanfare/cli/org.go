package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/fanfare-mq/fanfare/api/spec"
)

type orgCmd struct {
	List    orgListCmd    `cmd:"" help:"List the installation's organizations."`
	Show    orgShowCmd    `cmd:"" help:"Show an organization."`
	Create  orgCreateCmd  `cmd:"" help:"Create an organization, and a link for its owner."`
	Suspend orgSuspendCmd `cmd:"" help:"Disconnect an organization's devices and close its API, until it is resumed."`
	Resume  orgResumeCmd  `cmd:"" help:"End a suspension."`
	Noise   orgNoiseCmd   `cmd:"" help:"List the organizations that do the most."`
	Delete  orgDeleteCmd  `cmd:"" help:"Delete an organization and erase all that it has."`
}

type orgListCmd struct {
	operator
	Query string `arg:"" optional:"" help:"List those alone whose slug has this in it."`
}

// Run lists organizations, page by page.
func (c *orgListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	organizations := []spec.Organization{}
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := api.Organizations(ctx, c.Query, cursor)
		if err != nil {
			return err
		}
		organizations = append(organizations, page.Items...)
		cursor = ""
		if page.NextCursor != nil {
			cursor = *page.NextCursor
		}
	}
	if c.JSON {
		raw, err := json.Marshal(organizations)
		return t.answer(raw, err)
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ORGANIZATION\tSTATE\tPLAN\tAPPS\tMEMBERS\tSINCE")
	for _, org := range organizations {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\n",
			org.ID, org.State, org.Plan, org.Apps, org.Members, org.CreatedAt.Format("2006-01-02"))
	}
	return table.Flush()
}

// organization is the argument of most commands.
type organization struct {
	operator
	Slug string `arg:"" name:"organization" help:"Slug of the organization."`
}

type orgShowCmd struct{ organization }

// Run shows one organization.
func (c *orgShowCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.Organization(ctx, c.Slug)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.organization(answer.Value)
	return nil
}

func (t *terminal) organization(org spec.Organization) {
	t.say("%s is %s.", org.ID, org.State)
	if org.SuspendedFor != nil {
		t.say("  suspended  %s: %s", org.SuspendedAt.Format("2006-01-02 15:04 MST"), *org.SuspendedFor)
	}
	t.say("  plan       %s", org.Plan)
	t.say("  apps       %d", org.Apps)
	t.say("  members    %d", org.Members)
	t.say("  since      %s", org.CreatedAt.Format("2006-01-02"))
}
