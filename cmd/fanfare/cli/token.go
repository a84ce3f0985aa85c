package cli

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// backend is what the commands for an app's backend need.
type backend struct {
	config.Endpoint
	config.Backend
}

func (b backend) client() (*client.Client, error) {
	if err := config.Validate(b.Endpoint, b.AppName, b.Backend); err != nil {
		return nil, err
	}
	switch {
	case b.App == "":
		return nil, usageError{errors.New("which app? Give --app or set FANFARE_APP")}
	case b.APIKey == "":
		return nil, usageError{errors.New("no API key; set FANFARE_API_KEY (fanfare app create prints it)")}
	}
	return client.New(b.URL, b.APIKey), nil
}

type tokenCmd struct {
	backend
	User   string        `arg:"" help:"The app's own id of the user."`
	Device string        `help:"Bind the token to this MQTT client id."`
	TTL    time.Duration `name:"ttl" help:"Lifetime, for instance 24h; the server's default without it."`
	Tags   []string      `name:"tag" help:"Tag of the user; may be repeated."`
}

// Run prints the token alone, fit for TOKEN=$(fanfare token ana).
func (c *tokenCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	request := spec.TokenRequest{
		User: c.User, Device: client.Optional(c.Device), TTLSeconds: seconds(c.TTL),
	}
	if len(c.Tags) > 0 {
		request.Tags = &c.Tags
	}
	answer, err := api.IssueToken(ctx, c.App, request)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("%s", answer.Value.Token)
	return nil
}

// seconds is a duration as the API takes it; 0 leaves it to the server.
func seconds(d time.Duration) *int32 {
	n := max(0, min(int64(math.Ceil(d.Seconds())), math.MaxInt32))
	return client.Optional(int32(n))
}
