package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/push"
	"github.com/fanfare-mq/fanfare/tenant"
)

// defaultQoS is what a push is worth unless it says otherwise.
const defaultQoS = 1

// appendTimeout is how long a request waits for the log. An election of the
// log's leader takes five seconds and is worth the wait; HTTP clients and
// proxies commonly give up after ten or more. openapi.yaml tells it.
const appendTimeout = 8 * time.Second

// Push sends a notification to a target.
func (a *API) Push(ctx context.Context, request spec.PushRequestObject) (spec.PushResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	body := request.Body
	target, err := targetOf(body.To)
	if err != nil {
		return nil, err
	}
	options := push.Options{
		ID: a.newMessageID(), QoS: qosOf(body.QoS), TTL: ttlOf(body.TTLSeconds), CollapseKey: textOf(body.CollapseKey),
	}
	entry := app.Entry()
	m, err := push.Compose(keptFor(entry), target, body.Notification, options, a.now())
	if err != nil {
		return nil, err
	}
	if err := a.admitMessage(entry, m, "/to", "/notification"); err != nil {
		return nil, err
	}
	if err := a.appendMessage(ctx, m); err != nil {
		return nil, err
	}
	return spec.Push202JSONResponse{ID: m.ID.String(), Topic: m.Topic}, nil
}

func targetOf(to spec.Target) (push.Target, error) {
	var target push.Target
	switch {
	case to.User != nil:
		target.User = *to.User
		return target, at(auth.ValidUser(target.User), "/to/user")
	case to.Device != nil:
		target.Device = *to.Device
		return target, at(auth.ValidDevice(target.Device), "/to/device")
	case to.Topic != nil:
		target.Topic = *to.Topic
	default:
		target.Everyone = to.Everyone != nil
	}
	return target, nil
}

// Publish sends a raw message to any topic of the organization, or of any
// organization with an API key above the wall.
func (a *API) Publish(ctx context.Context, request spec.PublishRequestObject) (spec.PublishResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	body := request.Body
	if err := push.ValidName(body.Topic); err != nil {
		return nil, at(err, "/topic")
	}
	entry := app.Entry()
	shard, err := a.shardFor(ctx, body.Topic, entry.App.Shard)
	if err != nil {
		return nil, err
	}
	payload, text, err := payloadOf(body)
	if err != nil {
		return nil, err
	}
	if err := push.ValidCollapseKey(textOf(body.CollapseKey)); err != nil {
		return nil, err
	}
	expires, err := push.Deadline(keptFor(entry), ttlOf(body.TTLSeconds), a.now())
	if err != nil {
		return nil, err
	}
	m := &broker.Message{
		ID: a.newMessageID(), Topic: body.Topic, Payload: payload, QoS: qosOf(body.QoS), UTF8: text,
		Retain:      body.Retain != nil && *body.Retain,
		CollapseKey: textOf(body.CollapseKey), ContentType: textOf(body.ContentType),
		Expires: expires, Position: broker.Position{Shard: shard},
	}
	if err := a.admitMessage(entry, m, "/topic", "/payload"); err != nil {
		return nil, err
	}
	if err := a.appendMessage(ctx, m); err != nil {
		return nil, err
	}
	return spec.Publish202JSONResponse{ID: m.ID.String()}, nil
}

// keptFor is the app with the retention that its messages have.
func keptFor(entry *tenant.Entry) tenant.App {
	app := entry.App
	app.Retention = entry.Retention()
	return app
}

// appendMessage publishes a message and waits, within the log's patience, until it is
// safe.
func (a *API) appendMessage(ctx context.Context, m *broker.Message) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	_, err := a.deps.Publisher.PublishWait(ctx, m)
	return err
}

// payloadOf decodes a payload and says whether it is text.
func payloadOf(body *spec.PublishRequest) (payload []byte, text bool, err error) {
	payload, text = []byte(body.Payload), true
	if body.Encoding != nil && *body.Encoding == spec.Base64 {
		payload, err = base64.StdEncoding.DecodeString(body.Payload)
		if err != nil {
			return nil, false, fault.Wrap(fault.Invalid, "is not base64 with padding", err).At("/payload")
		}
		text = false
	}
	if len(payload) > broker.MaxMessageBytes {
		return nil, false, fault.Newf(fault.PayloadTooLarge, "must have at most %d bytes", broker.MaxMessageBytes).At("/payload")
	}
	return payload, text, nil
}

func (a *API) newMessageID() ulid.ULID {
	return ulid.MustNew(ulid.Timestamp(a.now()), rand.Reader) // crypto/rand never fails
}

func qosOf(qos *spec.QoS) byte {
	if qos == nil {
		return defaultQoS
	}
	return byte(*qos) //nolint:gosec // 0 to 2, by the description
}

func textOf[T ~string](field *T) string {
	if field == nil {
		return ""
	}
	return string(*field)
}

func ttlOf(seconds *spec.TTL) time.Duration {
	if seconds == nil {
		return 0
	}
	return time.Duration(*seconds) * time.Second
}
