// Package push turns a notification and whom it is for into a message. Every
// target is a topic, and a push is a publish.
package push

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// ContentType is the MIME type of every push's payload.
const ContentType = "application/json"

// MaxTopic is the longest topic of a push or a publish over HTTP in bytes:
// percent-encoded three times as long, it would be near the limit of what the
// log takes as a subject.
const MaxTopic = 1024

// Options are how a push is sent.
type Options struct {
	// ID is the message's; its time names the log's hour.
	ID ulid.ULID
	// QoS is 0 to 2.
	QoS byte
	// TTL is after what time nobody wants the message, or 0 for as long as
	// the app's retention.
	TTL time.Duration
	// CollapseKey makes only the newest push to the target with this key wait
	// for devices that are away; empty: each waits.
	CollapseKey string
}

// Compose returns the message that brings a notification, a JSON object, to a
// target. The payload is the notification with the message's id in front:
// what an app reads on the device is what its backend has written.
func Compose(app tenant.App, to Target, notification json.RawMessage, opts Options, now time.Time) (*broker.Message, error) {
	name, err := to.Resolve(app)
	if err != nil {
		return nil, err
	}
	payload, err := payload(opts.ID, notification)
	if err != nil {
		return nil, err
	}
	if len(payload) > broker.MaxMessageBytes {
		return nil, fault.Newf(fault.PayloadTooLarge, "must have at most %d bytes", broker.MaxMessageBytes).At("/notification")
	}
	expires, err := Deadline(app, opts.TTL, now)
	if err != nil {
		return nil, err
	}
	if err := ValidCollapseKey(opts.CollapseKey); err != nil {
		return nil, err
	}
	return &broker.Message{
		ID: opts.ID, Topic: name, Payload: payload, QoS: opts.QoS, UTF8: true, ContentType: ContentType,
		CollapseKey: opts.CollapseKey, Expires: expires, Position: broker.Position{Shard: app.Shard},
	}, nil
}

// Deadline returns when a message with a time to live expires, in Unix
// milliseconds; 0 stands for the app's retention.
func Deadline(app tenant.App, ttl time.Duration, now time.Time) (int64, error) {
	if ttl == 0 {
		return 0, nil
	}
	if ttl < 0 || app.Retention > 0 && ttl > app.Retention {
		return 0, fault.Newf(fault.Invalid, "must be at most the app's retention of %d seconds",
			int64(app.Retention/time.Second)).At("/ttl_seconds")
	}
	return now.Add(ttl).UnixMilli(), nil
}

// ValidCollapseKey checks a collapse key, which may be empty.
func ValidCollapseKey(key string) error {
	if len(key) > broker.MaxCollapseKey {
		return fault.Newf(fault.Invalid, "must have at most %d bytes", broker.MaxCollapseKey).At("/collapse_key")
	}
	return nil
}

// payload puts the id in front of the notification's own fields, which stay
// as they are written: numbers keep their digits.
func payload(id ulid.ULID, notification json.RawMessage) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(notification, &fields); err != nil || fields == nil {
		return nil, fault.New(fault.Invalid, "must be a JSON object").At("/notification")
	}
	if _, ok := fields["id"]; ok {
		return nil, fault.New(fault.Invalid, "is given by the server").At("/notification/id")
	}
	var b bytes.Buffer
	b.Grow(len(notification) + len(id) + 16)
	b.WriteString(`{"id":"` + id.String() + `"`)
	if len(fields) > 0 {
		b.WriteByte(',')
	}
	start := b.Len()
	if err := json.Compact(&b, notification); err != nil {
		return nil, fault.New(fault.Invalid, "must be a JSON object").At("/notification")
	}
	text := b.Bytes()
	return append(text[:start], text[start+1:]...), nil // without the notification's own brace
}

// ValidName checks the topic of a publish: a name without wildcards that the
// log can take.
func ValidName(name string) error {
	if err := topic.ValidName(name); err != nil {
		return fault.New(fault.Invalid, strings.TrimPrefix(err.Error(), "topic "))
	}
	if len(name) > MaxTopic {
		return fault.Newf(fault.Invalid, "is longer than %d bytes", MaxTopic)
	}
	if strings.ContainsFunc(name, isControl) {
		return fault.New(fault.Invalid, "contains a control character") // [MQTT-1.5.3] SHOULD NOT
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }
