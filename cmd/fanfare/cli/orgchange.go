package cli

import (
	"context"
	"errors"

	"github.com/fanfare-mq/fanfare/api/spec"
)

type orgCreateCmd struct {
	organization
	Email string `arg:"" help:"E-mail address of its owner."`
}

// Run creates an organization.
func (c *orgCreateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.CreateOrganization(ctx, spec.NewOrganization{Organization: c.Slug, Email: c.Email})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	owner := answer.Value.Owner
	t.say("Organization %s is there. This link makes %s its owner; it is shown this once and works until %s:",
		answer.Value.Organization.ID, owner.Email, owner.ExpiresAt.Format("2006-01-02"))
	t.say("  %s", owner.Link)
	return nil
}

type orgSuspendCmd struct {
	organization
	Reason string `required:"" help:"Why, for its members and for other operators."`
}

// Run suspends an organization.
func (c *orgSuspendCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.SuspendOrganization(ctx, c.Slug, c.Reason)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.organization(answer.Value)
	return nil
}

type orgResumeCmd struct{ organization }

// Run ends a suspension.
func (c *orgResumeCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.ResumeOrganization(ctx, c.Slug)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.organization(answer.Value)
	return nil
}

type orgDeleteCmd struct {
	organization
	Yes bool `help:"Do not ask."`
}

// Run deletes an organization once its slug was typed again.
func (c *orgDeleteCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.Organization(ctx, c.Slug)
	if err != nil {
		return err
	}
	if org := answer.Value; !c.Yes {
		typed, err := t.ask("This erases %s with its %d apps and %d members, and nothing brings it back.\nType %s to go on: ",
			org.ID, org.Apps, org.Members, org.ID)
		if err != nil {
			return err
		}
		if typed != org.ID {
			return usageError{errors.New("that is not its slug; nothing was deleted")}
		}
	}
	if err := api.DeleteOrganization(ctx, c.Slug); err != nil {
		return err
	}
	if c.JSON {
		return t.answer([]byte(`{}`), nil)
	}
	t.say("%s is gone, and what it had is being erased.", c.Slug)
	return nil
}
