package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
)

type subCmd struct {
	config.Device
	Username string   `short:"u" help:"MQTT user name: org/app."`
	ClientID string   `short:"i" name:"client-id" help:"MQTT client id; the token's device, or a random one."`
	Topics   []string `short:"t" name:"topic" sep:"none" help:"Topic filter; may be repeated. By default the user's own topics and the broadcast."`
	QoS      byte     `short:"q" name:"qos" default:"1" enum:"0,1" help:"MQTT quality of service."`
	JSON     bool     `name:"json" help:"Print JSON instead of words."`
}

// Run prints what arrives until ctx ends. It fails when the server refuses or
// closes the connection.
func (c *subCmd) Run(ctx context.Context, t *terminal) error {
	if err := c.complete(); err != nil {
		return err
	}
	lost := make(chan error, 1)
	d, err := device.Connect(ctx, device.Options{
		URL: c.URL, ClientID: c.ClientID, Username: c.Username, Token: c.Token,
		Received: func(m device.Message) { t.message(m, c.JSON) },
		Lost:     func(err error) { lost <- err },
	})
	if err != nil {
		return err
	}
	defer d.Close()
	for _, filter := range c.Topics {
		if err := d.Subscribe(ctx, filter, c.QoS); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(t.stderr, "Connected to %s as %s; listening to %s\n", c.URL, c.ClientID, strings.Join(c.Topics, " "))
	select {
	case err := <-lost:
		return fmt.Errorf("the connection is lost: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// complete checks the command and fills in what the token tells.
func (c *subCmd) complete() error {
	if err := config.Validate(c.Device); err != nil {
		return err
	}
	if c.Token == "" {
		return usageError{errors.New("no device token; give -P or set FANFARE_DEVICE_TOKEN (fanfare token prints it)")}
	}
	claims := claimsOf(c.Token)
	if c.ClientID == "" {
		c.ClientID = claims.Device
	}
	if c.ClientID == "" {
		c.ClientID = "fanfare-sub-" + ulid.Make().String()
	}
	if len(c.Topics) > 0 {
		return nil
	}
	if c.Username == "" || claims.Subject == "" {
		return usageError{errors.New("listen to what? Give -t, or -u org/app and a token with a user")}
	}
	c.Topics = []string{c.Username + "/users/" + claims.Subject + "/#", c.Username + "/broadcast"}
	return nil
}

// claims are what a device token says of its bearer.
type claims struct {
	Subject string `json:"sub"`
	Device  string `json:"device"`
}

// claimsOf reads a JWT without verifying it: the server does that.
func claimsOf(token string) (c claims) {
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(payload, &c) // a token of another form has no claims
		}
	}
	return c
}

// message prints one line.
func (t *terminal) message(m device.Message, asJSON bool) {
	if !asJSON {
		text := m.Topic + " " + string(m.Payload)
		if t.interactive {
			text = strings.Map(printable, text)
		}
		t.say("%s", text)
		return
	}
	line, err := json.Marshal(map[string]any{"topic": m.Topic, "qos": m.QoS, "payload": string(m.Payload)})
	if err == nil {
		t.say("%s", line)
	}
}

// printable keeps a message from driving the terminal that it is shown on.
func printable(r rune) rune {
	if unicode.IsControl(r) && r != '\t' && r != '\n' {
		return unicode.ReplacementChar
	}
	return r
}
