package push_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/push"
	"github.com/fanfare-mq/fanfare/tenant"
)

var (
	app = tenant.App{Organization: "acme", ID: "chat", Shard: 3, Retention: time.Hour}
	id  = ulid.MustParse("01JD8ZC4E0Q6W5C0E6Z4R4S1T2")
	now = time.UnixMilli(1_700_000_000_000)
)

func TestTargets(t *testing.T) {
	for want, to := range map[string]push.Target{
		"acme/chat/users/ana":           {User: "ana"},
		"acme/chat/users/ana silva é":   {User: "ana silva é"},
		"acme/chat/devices/phone-1":     {Device: "phone-1"},
		"acme/chat/topics/news":         {Topic: "news"},
		"acme/chat/topics/news/sport/$": {Topic: "news/sport/$"},
		"acme/chat/broadcast":           {Everyone: true},
	} {
		if got, err := to.Resolve(app); err != nil || got != want {
			t.Errorf("%+v: %q, %v; want %q", to, got, err, want)
		}
	}
}

func TestTargetsRefused(t *testing.T) {
	for _, c := range []struct {
		to    push.Target
		field string
	}{
		{push.Target{}, "/to"},
		{push.Target{User: "a", Device: "b"}, "/to"},
		{push.Target{Topic: "a", Everyone: true}, "/to"},
		{push.Target{User: "a/b"}, "/to/user"},
		{push.Target{User: "+"}, "/to/user"},
		{push.Target{User: "a#"}, "/to/user"},
		{push.Target{User: "a\x00"}, "/to/user"},
		{push.Target{User: "a\n"}, "/to/user"},
		{push.Target{User: "\xff"}, "/to/user"},
		{push.Target{Device: "a/b"}, "/to/device"},
		{push.Target{Device: "#"}, "/to/device"},
		{push.Target{Topic: "#"}, "/to/topic"},
		{push.Target{Topic: "a/+/b"}, "/to/topic"},
		{push.Target{Topic: "/a"}, "/to/topic"},
		{push.Target{Topic: "a/"}, "/to/topic"},
		{push.Target{Topic: "a//b"}, "/to/topic"},
		{push.Target{Topic: strings.Repeat("a", push.MaxTopic)}, "/to/topic"},
		{push.Target{Topic: strings.Repeat("a/", 200) + "a"}, "/to/topic"},
	} {
		name, err := c.to.Resolve(app)
		invalid(t, err, c.field)
		if name != "" {
			t.Errorf("%+v: still resolved to %q", c.to, name)
		}
	}
}

// invalid wants a fault.Invalid at a field.
func invalid(t *testing.T, err error, field string) {
	t.Helper()
	wanted(t, err, fault.Invalid, field)
}

func wanted(t *testing.T, err error, code fault.Code, field string) {
	t.Helper()
	f, ok := err.(*fault.Error) //nolint:errorlint // exactly this
	if !ok || f.Code != code || f.Field != field {
		t.Errorf("got %v at %q, want %s at %q", err, f.Field, code, field)
	}
}

func TestCompose(t *testing.T) {
	m, err := push.Compose(app, push.Target{User: "ana"},
		json.RawMessage(` { "title": "Hi", "n": 12345678901234567890, "data": {"a": [1, 2.50]} } `),
		push.Options{ID: id, QoS: 1, TTL: time.Minute, CollapseKey: "k"}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"01JD8ZC4E0Q6W5C0E6Z4R4S1T2","title":"Hi","n":12345678901234567890,"data":{"a":[1,2.50]}}`
	if string(m.Payload) != want {
		t.Errorf("payload %s, want %s", m.Payload, want)
	}
	if m.ID != id || m.Topic != "acme/chat/users/ana" || m.QoS != 1 || m.Retain || !m.UTF8 || m.ContentType != "application/json" ||
		m.Expires != now.Add(time.Minute).UnixMilli() || m.Position != (broker.Position{Shard: 3}) || m.Publisher != "" ||
		m.CollapseKey != "k" {
		t.Errorf("message %+v", m)
	}
}

func TestComposeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		notification string
		ttl          time.Duration
		code         fault.Code
		field        string
	}{
		"own id":       {`{"title":"x","id":"mine"}`, 0, fault.Invalid, "/notification/id"},
		"array":        {`[1]`, 0, fault.Invalid, "/notification"},
		"null":         {`null`, 0, fault.Invalid, "/notification"},
		"nothing":      {``, 0, fault.Invalid, "/notification"},
		"no JSON":      {`{"a":}`, 0, fault.Invalid, "/notification"},
		"two":          {`{} {}`, 0, fault.Invalid, "/notification"},
		"too large":    {`{"b":"` + strings.Repeat("x", broker.MaxMessageBytes) + `"}`, 0, fault.PayloadTooLarge, "/notification"},
		"too long TTL": {`{}`, app.Retention + time.Second, fault.Invalid, "/ttl_seconds"},
		"negative TTL": {`{}`, -time.Second, fault.Invalid, "/ttl_seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := push.Compose(app, push.Target{Everyone: true}, json.RawMessage(c.notification), push.Options{ID: id, TTL: c.ttl}, now)
			wanted(t, err, c.code, c.field)
		})
	}
}

func TestCollapseKeyRefused(t *testing.T) {
	_, err := push.Compose(app, push.Target{Everyone: true}, json.RawMessage(`{}`), push.Options{ID: id, CollapseKey: strings.Repeat("é", 33)}, now)
	wanted(t, err, fault.Invalid, "/collapse_key")
}

func TestDeadline(t *testing.T) {
	if at, err := push.Deadline(app, 0, now); at != 0 || err != nil {
		t.Errorf("no TTL: %d, %v", at, err)
	}
	if at, err := push.Deadline(app, app.Retention, now); at != now.Add(time.Hour).UnixMilli() || err != nil {
		t.Errorf("whole retention: %d, %v", at, err)
	}
	if _, err := push.Deadline(tenant.App{}, 1000*time.Hour, now); err != nil {
		t.Errorf("unlimited retention: %v", err)
	}
}

func FuzzCompose(f *testing.F) {
	for _, s := range []string{`{}`, `{"title":"x"}`, ` {"a":1 , "b":[]}`, `{"id":1}`, `null`, `"x"`, `{"a":"\u0000"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, notification string) {
		m, err := push.Compose(app, push.Target{Everyone: true}, json.RawMessage(notification), push.Options{ID: id}, now)
		if err != nil {
			return
		}
		var got, want map[string]json.RawMessage
		if err := json.Unmarshal(m.Payload, &got); err != nil {
			t.Fatalf("%q became %q: %v", notification, m.Payload, err)
		}
		if err := json.Unmarshal([]byte(notification), &want); err != nil {
			t.Fatal(err)
		}
		if string(got["id"]) != `"`+id.String()+`"` || len(got) != len(want)+1 {
			t.Errorf("%q became %q", notification, m.Payload)
		}
	})
}
