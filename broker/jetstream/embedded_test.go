package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func openAlone(t testing.TB, cfg jetstream.Config) *jetstream.Bus {
	t.Helper()
	cfg.Node = "alone"
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	return open(t, cfg)
}

func TestAlone(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	if !b.Alone() || b.Shards() != 1 {
		t.Errorf("alone %v, %d shards", b.Alone(), b.Shards())
	}
	got := attach(b)
	ready := false
	b.AddInterest("acme/#", func(err error) { ready = err == nil })
	if !ready {
		t.Error("interest is not ready at once")
	}
	if p := publish(t, b, message(0, "acme/chat/a", "zero")); p.Seq != 0 {
		t.Errorf("QoS 0 has position %v", p)
	}
	m := message(1, "acme/chat/a", "one")
	p := publish(t, b, m)
	if p.Seq == 0 || m.Node != "alone" || m.ID.IsZero() {
		t.Errorf("position %v, node %q, id %v", p, m.Node, m.ID)
	}
	eventually(t, "both delivered", func() bool { return got.payloads() == "zero one" })
	if d := got.messages()[1]; d.Position != p {
		t.Errorf("delivered at %v, acknowledged at %v", d.Position, p)
	}
	logged := stored(t, b, 0)[p.Seq]
	if want := jetstream.LogSubject(0, m.ID, m.Topic); logged.Subject != want {
		t.Errorf("logged as %s, want %s", logged.Subject, want)
	}
	var back broker.Message
	if err := jetstream.ParseEnvelope(logged.Data, &back); err != nil || string(back.Payload) != "one" || back.ID != m.ID {
		t.Errorf("logged %+v, %v", back, err)
	}
}

func TestOrderOfAcknowledgementsAndDelivery(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	got, acks := attach(b), newAnswers()
	const publishers, each = 8, 2000
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				m := message(1, fmt.Sprintf("acme/p/%d", p), fmt.Sprint(i))
				if err := b.Publish(m, acks, uint64(p*each+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all delivered", func() bool { return len(got.messages()) == publishers*each })
	next := make(map[string]int)
	last := uint64(0)
	for i, m := range got.messages() {
		if m.Position.Seq <= last {
			t.Fatalf("%d delivered after %d", m.Position.Seq, last)
		}
		last = m.Position.Seq
		if string(m.Payload) != fmt.Sprint(next[m.Topic]) {
			t.Fatalf("message %d: %s of %s, want %d", i, m.Payload, m.Topic, next[m.Topic])
		}
		next[m.Topic]++
	}
	for i, tag := range acks.tags {
		if i > 0 && acks.seqs[acks.tags[i-1]] >= acks.seqs[tag] {
			t.Fatalf("acknowledgement %d is out of order", i)
		}
	}
	if s := b.Stats(); s.Appended != publishers*each || s.Pending != 0 || s.PendingBytes != 0 || s.Retries != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestDuplicateGetsTheFirstPosition(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	first := message(1, "acme/a", "x")
	p := publish(t, b, first)
	publish(t, b, message(1, "acme/a", "y"))
	again := message(1, "acme/a", "x")
	again.ID = first.ID
	if q := publish(t, b, again); q != p {
		t.Errorf("the retry is at %v, the first at %v", q, p)
	}
	if n := len(stored(t, b, 0)); n != 2 || b.Stats().Duplicates != 1 {
		t.Errorf("%d messages in the log, %+v", n, b.Stats())
	}
}

func TestRefusals(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	acks := newAnswers()
	shard := message(1, "acme/a", "")
	shard.Position.Shard = 1
	for want, m := range map[string]*broker.Message{
		"invalid":           message(1, "acme/+", ""),
		"payload_too_large": message(0, "acme/a", strings.Repeat("x", 2<<20)),
		"internal":          shard,
	} {
		if err := b.Publish(m, acks, 1); code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := b.Publish(message(3, "acme/a", ""), acks, 1); code(err) != "invalid" {
		t.Error(err)
	}
	if acks.len() != 0 || b.Stats().Pending != 0 {
		t.Error("a refused message was answered or waits")
	}
}

func TestLargestMessage(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	m := message(1, "acme/"+strings.Repeat("x", jetstream.MaxLevels-5), strings.Repeat("p", broker.MaxMessageBytes))
	m.Publisher, m.ContentType, m.Expires = strings.Repeat("u", 400), strings.Repeat("c", 200), time.Now().Add(time.Hour).UnixMilli()
	publish(t, b, m)
}

func TestExpiry(t *testing.T) {
	b := openAlone(t, jetstream.Config{Retention: time.Hour})
	got := attach(b)
	late := message(1, "acme/a", "late")
	late.Expires = time.Now().Add(-time.Second).UnixMilli()
	if p := publish(t, b, late); p.Seq != 0 || got.payloads() != "" {
		t.Errorf("an expired message is at %v, delivered %q", p, got.payloads())
	}
	for _, c := range []struct {
		left time.Duration
		ttl  string
	}{{100 * time.Millisecond, "1"}, {1500 * time.Millisecond, "2"}, {2 * time.Hour, ""}, {1 << 62, ""}} {
		m := message(1, "acme/a", "x")
		m.Expires = time.Now().Add(c.left).UnixMilli()
		if c.left == 1<<62 {
			m.Expires = 1<<63 - 1
		}
		p := publish(t, b, m)
		logged, err := stream(t, b, 0).GetMsg(t.Context(), p.Seq)
		if err != nil || logged.Header.Get("Nats-TTL") != c.ttl {
			t.Errorf("%v: %v, %v; want a TTL of %q", c.left, logged, err, c.ttl)
		}
	}
	eventually(t, "the log forgets", func() bool { return len(stored(t, b, 0)) == 2 })
}

func TestStreamFields(t *testing.T) {
	b := openAlone(t, jetstream.Config{Retention: time.Hour, MaxBytes: 1 << 20})
	c := stream(t, b, 0).CachedInfo().Config
	got := fmt.Sprint(c.Name, c.Subjects, c.Storage, c.Retention, c.Discard, c.MaxMsgsPerSubject, c.MaxAge, c.MaxBytes,
		c.AllowDirect, c.AllowMsgTTL, c.AllowAtomicPublish, c.Duplicates, c.SubjectDeleteMarkerTTL, c.RePublish)
	want := "LOG_0[log.0.>] File Limits DiscardNew 1 1h0m0s 1048576 true true true 2m0s 0s <nil>"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m, err := stream(t, b, 0).GetLastMsgForSubject(t.Context(), "log.0.sentinel")
	if err != nil || m.Header.Get("Nats-TTL") != "never" {
		t.Errorf("sentinel %+v, %v", m, err)
	}
}

func TestRestartKeepsTheLog(t *testing.T) {
	dir := t.TempDir()
	b := openAlone(t, jetstream.Config{Dir: dir})
	m := message(1, "acme/\uFFFD/x", "kept")
	p := publish(t, b, m)
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(message(1, "acme/a", ""), nil, 0); code(err) != "unavailable" {
		t.Errorf("after Close: %v", err)
	}
	if b.Ready(t.Context()) == nil {
		t.Error("ready after Close")
	}
	b = openAlone(t, jetstream.Config{Dir: dir, Retention: time.Hour})
	if age := stream(t, b, 0).CachedInfo().Config.MaxAge; age != time.Hour {
		t.Errorf("the stream was not updated: %v", age)
	}
	again := message(1, m.Topic, "kept")
	again.ID = m.ID
	if q := publish(t, b, again); q != p {
		t.Errorf("retried at %v, was at %v", q, p)
	}
}

func TestStoreInUse(t *testing.T) {
	dir := t.TempDir()
	openAlone(t, jetstream.Config{Dir: dir})
	if _, err := tryOpen(t, jetstream.Config{Node: "other", Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func TestSyncAlways(t *testing.T) {
	b := openAlone(t, jetstream.Config{SyncAlways: true})
	publish(t, b, message(1, "acme/a", "x"))
}

func TestPublishWaitEndsWithItsContext(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.PublishWait(ctx, message(1, "acme/a", "x")); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, cfg := range map[string]jetstream.Config{
		"no node":    {Dir: "x"},
		"odd node":   {Node: "a/b", Dir: "x"},
		"dots":       {Node: "a..b", Dir: "x"},
		"no store":   {Node: "a"},
		"replicas":   {Node: "a", Dir: "x", Replicas: 6},
		"shards":     {Node: "a", Dir: "x", Shards: -1},
		"retention":  {Node: "a", Dir: "x", Retention: time.Millisecond},
		"bad server": {Node: "a", URL: "nats://127.0.0.1:bad"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if b, err := jetstream.Open(ctx, cfg); err == nil {
			t.Errorf("%s: opened", name)
			_ = b.Close()
		}
		cancel()
	}
}

func TestIDsRise(t *testing.T) {
	g := jetstream.NewIDs()
	now := time.Now()
	last := ulid.ULID{}
	for i := range 10_000 {
		id := jetstream.NextID(g, now.Add(-time.Duration(i)*time.Millisecond))
		if id.Compare(last) <= 0 {
			t.Fatalf("%v after %v", id, last)
		}
		last = id
	}
}

func TestAnnounceAlone(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	var got string
	if err := b.OnAnnounce("app.changed", func(data []byte) { got += string(data) }); err != nil {
		t.Fatal(err)
	}
	if err := b.Announce("app.changed", []byte("acme/chat")); err != nil || got != "acme/chat" {
		t.Errorf("got %q, %v", got, err)
	}
	if b.Announce("a.*", nil) == nil || b.OnAnnounce("a.>", nil) == nil {
		t.Error("a wildcard was taken")
	}
}
