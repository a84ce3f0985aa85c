package cli

import (
	"context"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

type signupCmd struct {
	config.Endpoint
	secret
	Organization string `arg:"" help:"Slug of the organization: the first level of all its topics."`
	Email        string `arg:"" help:"E-mail address of its first member."`
}

// Run signs up.
func (c *signupCmd) Run(ctx context.Context, t *terminal) error {
	if err := config.Validate(c.Endpoint); err != nil {
		return err
	}
	password, err := c.ask(t, "Password for "+c.Email+": ")
	if err != nil {
		return err
	}
	answer, err := client.New(c.URL, "").SignUp(ctx, spec.SignUp{
		Organization: c.Organization, Email: c.Email, Password: password,
	})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	account := answer.Value
	t.say("Organization %s is ready, and %s is its %s.", account.Organization, account.Member.Email, account.Member.Role)
	t.say("\nNext:")
	t.signedIn(c.URL, account.Token)
	t.say("  %s app create chat", t.program)
	return nil
}
