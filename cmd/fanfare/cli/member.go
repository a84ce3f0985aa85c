package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
)

type memberCmd struct {
	List          memberListCmd   `cmd:"" help:"List the members."`
	Invite        memberInviteCmd `cmd:"" help:"Make a link with which somebody becomes a member."`
	Role          memberRoleCmd   `cmd:"" help:"Change a member's role."`
	Remove        memberRemoveCmd `cmd:"" help:"Remove a member, or leave."`
	ResetPassword memberResetCmd  `cmd:"" help:"Make a link with which a person sets a new password, as the operator."`
}

type memberListCmd struct{ account }

// Run lists all members, page by page.
func (c *memberListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	members, err := allMembers(ctx, api)
	if err != nil {
		return err
	}
	if c.JSON {
		raw, err := json.Marshal(members)
		return t.answer(raw, err)
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "MEMBER\tROLE\tSINCE\tID")
	for _, m := range members {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.Email, m.Role, m.CreatedAt.Format("2006-01-02"), m.ID)
	}
	return table.Flush()
}

func allMembers(ctx context.Context, api *client.Client) ([]spec.Member, error) {
	members := []spec.Member{}
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := api.Members(ctx, cursor)
		if err != nil {
			return nil, err
		}
		members = append(members, page.Items...)
		cursor = ""
		if page.NextCursor != nil {
			cursor = *page.NextCursor
		}
	}
	return members, nil
}

// who names a member.
type who struct {
	Member string `arg:"" help:"E-mail address of the member, or id."`
}

func (w who) find(ctx context.Context, api *client.Client) (spec.Member, error) {
	members, err := allMembers(ctx, api)
	if err != nil {
		return spec.Member{}, err
	}
	for _, m := range members {
		if m.ID == w.Member || strings.EqualFold(m.Email, w.Member) {
			return m, nil
		}
	}
	return spec.Member{}, fmt.Errorf("the organization has no member %s", w.Member)
}

type memberInviteCmd struct {
	account
	Email string `arg:"" help:"E-mail address of the person."`
	Role  string `default:"viewer" enum:"owner,admin,viewer" help:"What the person may do: owner, admin or viewer."`
}

// Run prints the link, once.
func (c *memberInviteCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer client.Answer[spec.CreatedInvitation]
	err = t.confirmed(ctx, api, func() (err error) {
		answer, err = api.Invite(ctx, spec.NewInvitation{Email: c.Email, Role: spec.Role(c.Role)})
		return err
	})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	invitation := answer.Value
	t.say("%s may become %s until %s, with this link, which is shown this once:", invitation.Email, invitation.Role,
		invitation.ExpiresAt.Format("2006-01-02 15:04 MST"))
	t.say("  %s", invitation.Link)
	return nil
}

type memberRoleCmd struct {
	account
	who
	Role string `arg:"" enum:"owner,admin,viewer" help:"What the member may do: owner, admin or viewer."`
}

// Run changes the role.
func (c *memberRoleCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	member, err := c.find(ctx, api)
	if err != nil {
		return err
	}
	var answer client.Answer[spec.Member]
	err = t.confirmed(ctx, api, func() (err error) {
		answer, err = api.SetRole(ctx, member.ID, spec.Role(c.Role))
		return err
	})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("%s is %s now.", answer.Value.Email, answer.Value.Role)
	return nil
}

type memberRemoveCmd struct {
	account
	who
}

// Run removes the member.
func (c *memberRemoveCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	member, err := c.find(ctx, api)
	if err != nil {
		return err
	}
	if err := t.confirmed(ctx, api, func() error { return api.RemoveMember(ctx, member.ID) }); err != nil {
		return err
	}
	t.say("%s is no member any more.", member.Email)
	return nil
}

type memberResetCmd struct {
	operator
	Email string `arg:"" help:"E-mail address of the person."`
}

// Run prints the link, once.
func (c *memberResetCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.CreatePasswordReset(ctx, c.Email)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("%s may set a new password until %s, with this link, which is shown this once:", answer.Value.Email,
		answer.Value.ExpiresAt.Format("2006-01-02 15:04 MST"))
	t.say("  %s", answer.Value.Link)
	return nil
}
