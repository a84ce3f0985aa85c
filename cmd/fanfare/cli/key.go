package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

type keyCmd struct {
	List   keyListCmd   `cmd:"" help:"List an app's API keys and when they were last used."`
	Create keyCreateCmd `cmd:"" help:"Create an API key and show its secret, once."`
	Rotate keyRotateCmd `cmd:"" help:"Replace an API key by a new one; both work for a while."`
	Delete keyDeleteCmd `cmd:"" help:"Delete an API key; requests with it fail at once."`
}

// appAccount is what the commands for one app need of a member.
type appAccount struct {
	account
	config.AppName
}

func (a appAccount) client() (*client.Client, error) {
	if err := config.Validate(a.AppName); err != nil {
		return nil, err
	}
	if a.App == "" {
		return nil, usageError{errors.New("which app? Give --app or set FANFARE_APP")}
	}
	return a.account.client()
}

type keyListCmd struct {
	appAccount
}

// Run lists all keys, page by page.
func (c *keyListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	keys := []spec.APIKey{}
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := api.APIKeys(ctx, c.App, cursor)
		if err != nil {
			return err
		}
		keys = append(keys, page.Items...)
		cursor = ""
		if page.NextCursor != nil {
			cursor = *page.NextCursor
		}
	}
	if c.JSON {
		raw, err := json.Marshal(keys)
		return t.answer(raw, err)
	}
	return t.keys(keys)
}

func (t *terminal) keys(keys []spec.APIKey) error {
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "KEY\tNAME\tSCOPES\tFROM\tENDS\tLAST USED\tREPLACED BY")
	for i := range keys {
		k := &keys[i]
		used := moment(k.LastUsedAt)
		if k.LastUsedFrom != nil {
			used += " from " + *k.LastUsedFrom
		}
		replaced := "-"
		if k.ReplacedBy != nil {
			replaced = *k.ReplacedBy
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, cmp.Or(k.Name, "-"), scopesText(k.Scopes),
			cmp.Or(strings.Join(k.Addresses, ","), "anywhere"), moment(k.ExpiresAt), used, replaced)
	}
	return table.Flush()
}

func scopesText(scopes []spec.Scope) string {
	words := make([]string, len(scopes))
	for i, scope := range scopes {
		words[i] = string(scope)
	}
	return strings.Join(words, ",")
}

// moment is a time for people, to the second.
func moment(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format("2006-01-02 15:04:05Z")
}

type keyCreateCmd struct {
	appAccount
	Name    string        `arg:"" optional:"" help:"Name for people."`
	Scopes  []string      `name:"scope" default:"push" enum:"push,read,manage" help:"What it may do: push, read, manage; may be repeated."`
	From    []string      `name:"from" placeholder:"NETWORK" help:"Address or network that it may be used from; may be repeated. Anywhere without it."`
	Expires time.Duration `name:"expires" placeholder:"DURATION" help:"After how long it ends, for instance 2160h; never without it."`
}

// Run creates the key.
func (c *keyCreateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	request := spec.APIKeyRequest{Name: client.Optional(c.Name)}
	for _, scope := range c.Scopes {
		request.Scopes = append(request.Scopes, spec.Scope(scope))
	}
	if len(c.From) > 0 {
		request.Addresses = &c.From
	}
	if request.ExpiresAt, err = endAfter(c.Expires); err != nil {
		return err
	}
	var answer client.Answer[spec.CreatedAPIKey]
	err = t.confirmed(ctx, api, func() (err error) {
		answer, err = api.CreateAPIKey(ctx, c.App, request)
		return err
	})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	key := answer.Value
	t.say("API key %s is ready. Its secret is shown this once:", key.ID)
	t.say("  %s", key.Secret)
	return nil
}

// endAfter is when something ends that begins now, as the API takes it; nothing
// for 0.
func endAfter(lifetime time.Duration) (json.RawMessage, error) {
	switch {
	case lifetime == 0:
		return nil, nil
	case lifetime < 0:
		return nil, usageError{errors.New("--expires has to be positive, such as 2160h")}
	}
	return json.Marshal(time.Now().Add(lifetime).UTC().Truncate(time.Second))
}

type keyRotateCmd struct {
	appAccount
	ID      string         `arg:"" help:"The key's id (key_…)."`
	Overlap *time.Duration `name:"overlap" placeholder:"DURATION" help:"How long the old key goes on working, for instance 1h; the server's default without it."`
	Expires time.Duration  `name:"expires" placeholder:"DURATION" help:"After how long the new key ends; with the old one's end without it."`
}

// Run rotates the key.
func (c *keyRotateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var request spec.APIKeyRotation
	if c.Overlap != nil {
		overlap := int32(min(max(c.Overlap.Seconds(), -1), maxOverlap)) // the API says what is wrong with it
		request.OverlapSeconds = &overlap
	}
	if request.ExpiresAt, err = endAfter(c.Expires); err != nil {
		return err
	}
	var answer client.Answer[spec.RotatedAPIKey]
	err = t.confirmed(ctx, api, func() (err error) {
		answer, err = api.RotateAPIKey(ctx, c.App, c.ID, request)
		return err
	})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	key, last := answer.Value.APIKey, answer.Value.Replaced
	t.say("API key %s replaces %s, which works until %s.", key.ID, last.ID, moment(last.ExpiresAt))
	t.say("The new secret is shown this once:")
	t.say("  %s", key.Secret)
	return nil
}

// maxOverlap is more than the API takes and less than does not fit.
const maxOverlap = 1 << 30

type keyDeleteCmd struct {
	appAccount
	ID string `arg:"" help:"The key's id (key_…)."`
}

// Run deletes the key.
func (c *keyDeleteCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := t.confirmed(ctx, api, func() error { return api.DeleteAPIKey(ctx, c.App, c.ID) }); err != nil {
		return err
	}
	if !c.JSON {
		t.say("API key %s is gone.", c.ID)
	}
	return nil
}
