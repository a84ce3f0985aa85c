package cli

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
)

type pushCmd struct {
	backend
	Title    string          `arg:"" help:"Title of the notification."`
	Body     string          `arg:"" optional:"" help:"Text of the notification."`
	User     string          `xor:"to" help:"To all devices of a user."`
	Device   string          `xor:"to" help:"To one device."`
	Topic    string          `xor:"to" help:"To everyone who follows a topic of the app."`
	Everyone bool            `xor:"to" help:"To every device of the app."`
	Data     json.RawMessage `placeholder:"JSON" help:"JSON object for the app's own code."`
	TTL      time.Duration   `name:"ttl" help:"How long the push is worth delivering, for instance 10m."`
	Collapse string          `placeholder:"KEY" help:"Only the newest push with this key waits for devices that are away."`
	QoS      int32           `name:"qos" default:"1" enum:"0,1" help:"MQTT quality of service."`
}

// Run pushes; it ends when the push is safe in the log.
func (c *pushCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	to := spec.Target{
		User: client.Optional(c.User), Device: client.Optional(c.Device), Topic: client.Optional(c.Topic),
		Everyone: client.Optional(spec.TargetEveryone(c.Everyone)),
	}
	if to == (spec.Target{}) {
		return usageError{errors.New("push to whom? Give --user, --device, --topic or --everyone")}
	}
	notification, err := c.notification()
	if err != nil {
		return err
	}
	answer, err := api.Push(ctx, c.App, spec.PushRequest{
		To: to, Notification: notification, TTLSeconds: seconds(c.TTL), QoS: &c.QoS,
		CollapseKey: client.Optional(c.Collapse),
	})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("%s is on its way to %s", answer.Value.ID, answer.Value.Topic)
	return nil
}

func (c *pushCmd) notification() (spec.Notification, error) {
	n := map[string]any{"title": c.Title, "body": c.Body}
	if len(c.Data) > 0 {
		var data map[string]any
		if err := json.Unmarshal(c.Data, &data); err != nil {
			return nil, usageError{errors.New(`--data is no JSON object, such as '{"chat":"42"}'`)}
		}
		n["data"] = data
	}
	return json.Marshal(n)
}
