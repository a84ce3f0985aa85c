package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/fault"
)

// secret is a password of the command line, or one that is asked for.
type secret struct {
	Password string `help:"Password; without it, it is asked for, or read from standard input."`
}

// ask returns the password.
func (s secret) ask(t *terminal, prompt string) (string, error) {
	if s.Password != "" {
		return s.Password, nil
	}
	return t.password(prompt)
}

type loginCmd struct {
	config.Endpoint
	secret
	Email        string `arg:"" help:"E-mail address of the member."`
	Organization string `help:"The organization, if it is not the one joined first."`
}

// Run signs in.
func (c *loginCmd) Run(ctx context.Context, t *terminal) error {
	if err := config.Validate(c.Endpoint); err != nil {
		return err
	}
	password, err := c.ask(t, "Password for "+c.Email+": ")
	if err != nil {
		return err
	}
	answer, err := client.New(c.URL, "").LogIn(ctx, spec.LogIn{
		Email: c.Email, Password: password, Organization: client.Optional(c.Organization),
	})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.signedIn(c.URL, answer.Value.Token)
	return nil
}

// signedIn prints what makes the next commands find the session.
func (t *terminal) signedIn(url, token string) {
	t.export(apiURL, url)
	t.say("  export FANFARE_TOKEN=%s", token)
}

type logoutCmd struct{ account }

// Run ends the session.
func (c *logoutCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := api.LogOut(ctx); err != nil {
		return err
	}
	t.say("The session has ended.")
	return nil
}

type passwordCmd struct {
	account
	Link string `help:"Set it with a link of the server's operator, without the one so far."`
}

// Run changes the password.
func (c *passwordCmd) Run(ctx context.Context, t *terminal) error {
	if c.Link != "" {
		return c.redeem(ctx, t)
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	current, err := t.password("Password so far: ")
	if err != nil {
		return err
	}
	fresh, err := t.password("New password: ")
	if err != nil {
		return err
	}
	if err := api.ChangePassword(ctx, spec.PasswordChange{CurrentPassword: current, NewPassword: fresh}); err != nil {
		return err
	}
	t.say("The password is changed, and all your other sessions have ended.")
	return nil
}

func (c *passwordCmd) redeem(ctx context.Context, t *terminal) error {
	if err := config.Validate(c.Endpoint); err != nil {
		return err
	}
	fresh, err := t.password("New password: ")
	if err != nil {
		return err
	}
	err = client.New(c.URL, "").RedeemPasswordReset(ctx, spec.PasswordRedemption{Token: secretOf(c.Link), NewPassword: fresh})
	if err != nil {
		return err
	}
	t.say("The password is changed, and all your sessions have ended. Next:\n  %s login EMAIL", t.program)
	return nil
}

// secretOf returns a link's secret, which stands in its fragment; the secret
// alone will do.
func secretOf(link string) string {
	if _, secret, ok := strings.Cut(link, "#"); ok {
		return secret
	}
	return link
}

// confirmed makes a call, and again once the password was given if the API asks
// for it. Where nobody can be asked, the API's own word stands.
func (t *terminal) confirmed(ctx context.Context, api *client.Client, call func() error) error {
	err := call()
	problem, ok := errors.AsType[*client.Error](err)
	if !ok || problem.Code != string(fault.StepUpRequired) {
		return err
	}
	password, asked := t.password("Your password, once more: ")
	if asked != nil {
		return err
	}
	if err := api.Confirm(ctx, password); err != nil {
		return err
	}
	return call()
}

type joinCmd struct {
	config.Endpoint
	secret
	Link string `arg:"" help:"Link of the invitation, or its secret."`
}

// Run accepts an invitation: with a new password, or with that of the account.
func (c *joinCmd) Run(ctx context.Context, t *terminal) error {
	if err := config.Validate(c.Endpoint); err != nil {
		return err
	}
	api, token := client.New(c.URL, ""), secretOf(c.Link)
	offer, err := api.Invitation(ctx, token)
	if err != nil {
		return err
	}
	prompt := "New password for " + offer.Email + ": "
	if offer.Registered {
		prompt = "Password of " + offer.Email + ": "
	}
	password, err := c.ask(t, prompt)
	if err != nil {
		return err
	}
	answer, err := api.Join(ctx, spec.InvitationAcceptance{Token: token, Password: password})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("%s is %s of %s.\n\nNext:", answer.Value.Member.Email, answer.Value.Member.Role, answer.Value.Organization)
	t.signedIn(c.URL, answer.Value.Token)
	return nil
}
