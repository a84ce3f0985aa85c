package jetstream_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// perApp are the limits of one app, "small"; others have none.
func perApp(retention time.Duration, bytes int64) func(org, app string) (time.Duration, int64) {
	return func(_, app string) (time.Duration, int64) {
		if app == "small" {
			return retention, bytes
		}
		return 0, 0
	}
}

func thousand(qos byte, topic string) *broker.Message {
	return message(qos, topic, strings.Repeat("x", 1000))
}

// fillApp publishes until the app is full.
func fillApp(t *testing.T, b *jetstream.Bus, topic string) (n int) {
	t.Helper()
	for ; ; n++ {
		_, err := b.PublishWait(t.Context(), thousand(1, topic))
		if errors.Is(err, broker.ErrAppFull) {
			return n
		}
		if err != nil || n > 1000 {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

func TestRetentionOfAnApp(t *testing.T) {
	b := openAlone(t, jetstream.Config{Retention: 90 * 24 * time.Hour, Log: perApp(7*24*time.Hour, 0)})
	soon := message(1, "acme/small/a", "soon")
	soon.Expires = time.Now().Add(time.Minute).UnixMilli()
	late := message(1, "acme/small/a", "late")
	late.Expires = time.Now().Add(30 * 24 * time.Hour).UnixMilli()
	for _, c := range []struct {
		m    *broker.Message
		want string
	}{
		{message(1, "acme/small/a", "x"), "604800"},
		{soon, "60"},
		{late, "604800"},
		{message(1, "acme/other/a", "x"), ""},
		{collapsed("k", "acme/small/a", "x"), "604800"},
	} {
		expires := c.m.Expires
		p := publish(t, b, c.m)
		if got := stored(t, b, 0)[p.Seq].Header.Get("Nats-TTL"); got != c.want {
			t.Errorf("%s of %s: time to live %q, want %q", c.m.Payload, c.m.Topic, got, c.want)
		}
		if c.m.Expires != expires {
			t.Errorf("%s: the message's own deadline became %d", c.m.Payload, c.m.Expires)
		}
	}
}

// TestFullApp fills one app: others and QoS 0 go on, what was refused by the log
// or was there before does not count, and a higher limit helps.
func TestFullApp(t *testing.T) {
	var bytes atomic.Int64
	bytes.Store(20_000)
	b := openAlone(t, jetstream.Config{Log: func(_, app string) (time.Duration, int64) {
		return perApp(time.Hour, bytes.Load())("", app)
	}})
	first := thousand(1, "acme/small/a")
	publish(t, b, first)
	for range 100 {
		again := *first
		publish(t, b, &again) // where it was
	}
	if n := 1 + fillApp(t, b, "acme/small/a"); n < 14 || n > 17 {
		t.Errorf("%d messages of 1,000 bytes within 20,000", n)
	}
	for range 50 {
		publish(t, b, thousand(1, "acme/other/a"))
		publish(t, b, thousand(1, "globex/other/a"))
	}
	publish(t, b, thousand(0, "acme/small/a"))
	bytes.Store(30_000)
	eventually(t, "the new limit", func() bool {
		_, err := b.PublishWait(t.Context(), thousand(1, "acme/small/a"))
		return err == nil
	})
}

// TestBytesOfAnAppAreCommon fills an app from two nodes, each of which hears of
// the other's; a third that starts later knows of both.
func TestBytesOfAnAppAreCommon(t *testing.T) {
	n := startNATS(t)
	cfg := jetstream.Config{URL: n.url(), Log: perApp(time.Hour, 30_000)}
	var buses []*jetstream.Bus
	for _, cfg.Node = range []string{"node-a", "node-b"} {
		buses = append(buses, open(t, cfg))
	}
	for range 10 {
		for _, b := range buses {
			publish(t, b, thousand(1, "acme/small/a"))
		}
	}
	for i, b := range buses {
		eventually(t, fmt.Sprintf("node %d hears of the other", i), func() bool {
			return jetstream.BytesOf(b, "acme/small/a") > 20*1200
		})
	}
	if n := fillApp(t, buses[0], "acme/small/a"); n > 4 {
		t.Errorf("room for %d messages more", n)
	}
	if err := buses[0].Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Node = "node-c"
	c := open(t, cfg)
	_, _ = c.PublishWait(t.Context(), thousand(1, "acme/small/a"))
	eventually(t, "a new node knows", func() bool { return jetstream.BytesOf(c, "acme/small/a") > 23*1200 })
	if n := fillApp(t, c, "acme/small/a"); n > 1 {
		t.Errorf("room for %d messages after a restart", n)
	}
}

// TestBytesOfAnAppExpire lets time pass: a message counts until the end of the
// hour in which it goes, one that is kept for long until the end of the day.
func TestBytesOfAnAppExpire(t *testing.T) {
	charge := jetstream.Account(time.Hour, 3000)
	start := time.UnixMilli(500_000 * 3_600_000) // a full hour, and not a full day
	steps := []struct {
		after   time.Duration
		expires time.Duration // of the message; 0: the app's retention
		full    bool
	}{
		{0, 0, false},
		{0, time.Minute, false},
		{0, 0, true},
		{59 * time.Minute, 0, true},
		{time.Hour, 0, false}, // that of the minute counted for the hour
		{2 * time.Hour, 0, false},
		{2 * time.Hour, 0, false},
		{2 * time.Hour, 0, true},
		{3*time.Hour - 1, 0, true},
		{3 * time.Hour, 0, false},
	}
	for i, s := range steps {
		m := thousand(1, "acme/small/a")
		if s.expires > 0 {
			m.Expires = start.Add(s.after + s.expires).UnixMilli()
		}
		if err := charge(m, start.Add(s.after)); (err != nil) != s.full {
			t.Errorf("step %d: %v", i, err)
		}
	}
}
