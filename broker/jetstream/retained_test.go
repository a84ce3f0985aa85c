package jetstream_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func retained(qos byte, topic, payload string) *broker.Message {
	m := message(qos, topic, payload)
	m.Retain = true
	return m
}

// keptNow reads all retained messages that match, n at a time.
func keptNow(t testing.TB, b *jetstream.Bus, filter string, n int) []*broker.Message {
	t.Helper()
	type step struct {
		messages []*broker.Message
		done     bool
		err      error
	}
	c := b.Retained(filter)
	defer c.Close()
	steps := make(chan step, 1)
	var all []*broker.Message
	for {
		c.Next(n, func(messages []*broker.Message, done bool, err error) { steps <- step{messages, done, err} })
		select {
		case s := <-steps:
			if s.err != nil || len(s.messages) > n || len(s.messages) == 0 && !s.done {
				t.Fatalf("%s: %d messages, done %v, %v", filter, len(s.messages), s.done, s.err)
			}
			if all = append(all, s.messages...); s.done {
				return all
			}
		case <-time.After(patience):
			t.Fatal("no retained messages")
		}
	}
}

// sorted are the texts, sorted.
func sorted(messages []*broker.Message) string {
	all := strings.Fields(texts(messages))
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestRetained(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		got := attach(b)
		publish(t, b, message(1, "acme/a", "not"))
		if all := keptNow(t, b, "acme/#", 10); len(all) != 0 {
			t.Errorf("kept %s", texts(all))
		}
		first := retained(1, "acme/a", "old")
		publish(t, b, first)
		m := retained(2, "acme/a", "new")
		m.ContentType, m.User, m.Expires = "text/plain", []byte("\x00\x01k\x00\x01v"), time.Now().Add(time.Hour).UnixMilli()
		p := publish(t, b, m)
		publish(t, b, retained(0, "acme/a/b", "zero"))
		publish(t, b, retained(1, "acme/c/d", "d"))
		publish(t, b, message(1, "acme/a", "still not"))
		for filter, want := range map[string]string{
			"acme/a": "new", "acme/+": "new", "acme/a/#": "new zero", "acme/#": "d new zero", "acme/+/+": "d zero", "globex/#": "", "acme/x": "",
		} {
			for _, n := range []int{1, 100} {
				if all := keptNow(t, b, filter, n); sorted(all) != want {
					t.Errorf("%s by %d: %q, want %q", filter, n, sorted(all), want)
				}
			}
		}
		back := keptNow(t, b, "acme/a", 1)[0]
		m.Previous, m.Overtakes = 0, 0 // of the live message alone
		if back.Position != p || fmt.Sprintf("%+v", *back) != fmt.Sprintf("%+v", *m) {
			t.Errorf("got %+v, want %+v", back, m)
		}
		if zero := keptNow(t, b, "acme/a/b", 1)[0]; zero.Position.Seq != 0 || !zero.Retain || zero.QoS != 0 {
			t.Errorf("got %+v", zero)
		}
		eventually(t, "delivered", func() bool { return len(got.messages()) == 6 })
		for _, m := range got.messages() {
			if m.Retain == strings.Contains(string(m.Payload), "not") {
				t.Errorf("%s: retain %v", m.Payload, m.Retain)
			}
		}
		for _, m := range []*broker.Message{retained(1, "acme/a", ""), retained(0, "acme/a/b", ""), retained(0, "acme/none", "")} {
			publish(t, b, m)
		}
		if all := keptNow(t, b, "acme/#", 10); texts(all) != "d" {
			t.Errorf("after clearing: %s", texts(all))
		}
		eventually(t, "the cleared are delivered too", func() bool { return len(got.messages()) == 9 })
		publish(t, b, retained(1, "acme/a", "again"))
		if all := keptNow(t, b, "acme/a", 10); texts(all) != "again" {
			t.Errorf("after clearing: %s", texts(all))
		}
	})
}

// TestRetainedNeverGoesBack publishes an old message once more: what came after
// it stays. See rule 8.
func TestRetainedNeverGoesBack(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		again := func(m *broker.Message) {
			c := retained(1, m.Topic, string(m.Payload))
			c.ID = m.ID
			publish(t, b, c)
		}
		old := retained(1, "acme/a", "old")
		publish(t, b, old)
		publish(t, b, retained(1, "acme/a", "new"))
		again(old)
		if got := texts(keptNow(t, b, "acme/a", 1)); got != "new" {
			t.Errorf("kept %s", got)
		}
		publish(t, b, retained(0, "acme/a", "zero"))
		again(old)
		if got := texts(keptNow(t, b, "acme/a", 1)); got != "zero" {
			t.Errorf("after QoS 0: kept %s", got)
		}
		publish(t, b, retained(1, "acme/a", ""))
		again(old)
		if got := texts(keptNow(t, b, "acme/a", 1)); got != "" {
			t.Errorf("after clearing: kept %s", got)
		}
	})
}

// TestRetainedOrder pipelines updates of a few topics between other messages:
// the last one is kept, and each topic's live order holds.
func TestRetainedOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		got, acks := attach(b), newAnswers()
		const n = 1500
		for i := range n {
			m := message(byte(i/3%2), fmt.Sprintf("acme/%d/%d", i%3, i/3%2), fmt.Sprint(i))
			m.Retain = i%5 == 0 || i >= n-6
			publishAgain(t, b, m, acks, uint64(i))
		}
		eventually(t, "all", func() bool { return acks.len() == n && len(got.messages()) == n })
		for tag, err := range acks.errs {
			if err != nil {
				t.Fatalf("%d: %v", tag, err)
			}
		}
		last := make(map[string]int)
		for _, m := range got.messages() {
			i := 0
			_, _ = fmt.Sscan(string(m.Payload), &i)
			if before, ok := last[m.Topic]; ok && i < before {
				t.Fatalf("%s: %d after %d", m.Topic, i, before)
			}
			last[m.Topic] = i
		}
		if all := keptNow(t, b, "acme/#", 10); sorted(all) != "1494 1495 1496 1497 1498 1499" {
			t.Errorf("kept %s", sorted(all))
		}
	})
}

func publishAgain(t testing.TB, b *jetstream.Bus, m *broker.Message, ack broker.Acknowledger, tag uint64) {
	t.Helper()
	err := b.Publish(m, ack, tag)
	for ; errors.Is(err, broker.ErrOverloaded); err = b.Publish(m, ack, tag) {
		<-time.After(time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRetainedFromTwoNodes has two nodes write one topic: the highest position
// is kept on both.
func TestRetainedFromTwoNodes(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	acks := []*answers{newAnswers(), newAnswers()}
	var wg sync.WaitGroup
	for i, bus := range []*jetstream.Bus{a, b} {
		wg.Go(func() {
			for tag := range 300 {
				publishAgain(t, bus, retained(1, "acme/a", fmt.Sprintf("%d-%d", i, tag)), acks[i], uint64(tag))
			}
		})
	}
	wg.Wait()
	eventually(t, "all", func() bool { return acks[0].len()+acks[1].len() == 600 })
	last := max(acks[0].seqs[299], acks[1].seqs[299])
	for _, bus := range []*jetstream.Bus{a, b} {
		if m := keptNow(t, bus, "acme/a", 1)[0]; m.Position.Seq != last {
			t.Errorf("kept %s at %d, the last is at %d", m.Payload, m.Position.Seq, last)
		}
	}
}

func TestRetainedExpiry(t *testing.T) {
	b := openAlone(t, jetstream.Config{Retained: func(org, app string) (int, time.Duration) {
		if org != "acme" {
			t.Errorf("asked for %s/%s", org, app)
		}
		if app == "short" {
			return 0, time.Second
		}
		return 0, time.Hour
	}})
	own := retained(1, "acme/long/own", "own")
	own.Expires = time.Now().Add(300 * time.Millisecond).UnixMilli()
	for _, m := range []*broker.Message{own, retained(1, "acme/long/x", "long"), retained(0, "acme/short/x", "short"), retained(1, "acme/short", "short")} {
		publish(t, b, m)
	}
	if got := texts(keptNow(t, b, "acme/#", 10)); got != "own long short short" {
		t.Errorf("kept %s", got)
	}
	eventually(t, "expired", func() bool { return own.Expired(time.Now()) })
	if got := keptNow(t, b, "acme/long/own", 1); len(got) != 0 {
		t.Errorf("kept an expired message")
	}
	eventually(t, "gone", func() bool { return texts(keptNow(t, b, "acme/#", 10)) == "long" })
	eventually(t, "not counted", func() bool { return b.Stats().Retained == 1 })
}

// TestRetainedMany reads more than one answer holds.
func TestRetainedMany(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		acks := newAnswers()
		const n = 2500
		for i := range n {
			publishAgain(t, b, retained(byte(i%2), fmt.Sprintf("acme/a/%d", i), fmt.Sprint(i)), acks, uint64(i))
		}
		eventually(t, "published", func() bool { return acks.len() == n })
		for _, step := range []int{100, 5000} {
			seen := make(map[string]bool)
			for _, m := range keptNow(t, b, "acme/a/#", step) {
				seen[string(m.Payload)] = true
			}
			if len(seen) != n {
				t.Errorf("by %d: %d of %d", step, len(seen), n)
			}
		}
		eventually(t, "counted", func() bool { return b.Stats().Retained == n })
	})
}

func TestCursorEnds(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	for i := range 3 {
		publish(t, b, retained(1, fmt.Sprintf("acme/%d", i), "x"))
	}
	done := make(chan error, 1)
	bad := b.Retained("+/a")
	bad.Next(1, func(_ []*broker.Message, _ bool, err error) { done <- err })
	if err := <-done; code(err) != "invalid" {
		t.Errorf("got %v", err)
	}
	c := b.Retained("acme/#")
	c.Next(1, func(_ []*broker.Message, _ bool, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c.Close()
	c.Close()
	c.Next(1, func(m []*broker.Message, end bool, err error) {
		if len(m) != 0 || !end || err != nil {
			t.Errorf("after Close: %d messages, end %v, %v", len(m), end, err)
		}
	})
	_ = b.Close()
	b.Retained("acme/#").Next(1, func(_ []*broker.Message, _ bool, err error) { done <- err })
	if err := <-done; code(err) != "unavailable" {
		t.Errorf("on a closed bus: %v", err)
	}
}

func TestRetainedQuota(t *testing.T) {
	dir := t.TempDir()
	cfg := jetstream.Config{Dir: dir, Retained: func(_, app string) (int, time.Duration) {
		if app == "free" {
			return 0, 0
		}
		return 3, 0
	}}
	b := openAlone(t, cfg)
	refused := func(m *broker.Message) {
		t.Helper()
		before := head(t, b)
		if _, err := b.PublishWait(t.Context(), m); !errors.Is(err, broker.ErrRetainedQuota) || head(t, b) != before {
			t.Errorf("%s: %v, the log went from %d to %d", m.Topic, err, before, head(t, b))
		}
	}
	for i := range 5 {
		publish(t, b, retained(1, fmt.Sprintf("acme/free/%d", i), "x"))
	}
	publish(t, b, retained(1, "acme/app", "1"))
	publish(t, b, retained(0, "acme/app/2", "2"))
	publish(t, b, retained(2, "acme/app/3", "3"))
	refused(retained(1, "acme/app/4", "4"))
	refused(retained(0, "acme/app/4", "4"))
	publish(t, b, message(1, "acme/app/4", "not retained"))
	publish(t, b, retained(1, "acme/other/1", "another app"))
	publish(t, b, retained(1, "acme/app/3", "replaced"))
	publish(t, b, retained(1, "acme/app/none", "")) // clears nothing
	refused(retained(1, "acme/app/4", "4"))
	publish(t, b, retained(1, "acme/app/2", ""))
	publish(t, b, retained(1, "acme/app/4", "4"))
	refused(retained(1, "acme/app/2", "2"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAlone(t, cfg)
	refused(retained(1, "acme/app/5", "5")) // counted from the stream, with the tombstone
	publish(t, b, retained(1, "acme/app/4", "still"))
}

// TestRetainedQuotaOfOtherNodes fills an app on one node; the other hears of it.
func TestRetainedQuotaOfOtherNodes(t *testing.T) {
	n := startNATS(t)
	limit := func(string, string) (int, time.Duration) { return 2, 0 }
	a := open(t, jetstream.Config{Node: "node-a", URL: n.url(), Retained: limit})
	b := open(t, jetstream.Config{Node: "node-b", URL: n.url(), Retained: limit})
	publish(t, a, retained(1, "acme/app/1", "1"))
	publish(t, a, retained(1, "acme/app/2", "2"))
	if _, err := b.PublishWait(t.Context(), retained(1, "acme/app/3", "3")); !errors.Is(err, broker.ErrRetainedQuota) {
		t.Errorf("got %v", err)
	}
	s := retainedStream(t, a)
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "counted again", func() bool {
		_, err := b.PublishWait(t.Context(), retained(1, "acme/app/3", "3"))
		return err == nil
	})
}

func TestRetainedFull(t *testing.T) {
	b := openAlone(t, jetstream.Config{RetainedBytes: 1 << 20})
	got := attach(b)
	var err error
	n := 0
	for ; err == nil; n++ {
		_, err = b.PublishWait(t.Context(), retained(1, fmt.Sprintf("acme/%d", n), strings.Repeat("x", 100_000)))
	}
	if !errors.Is(err, broker.ErrLogFull) || n < 8 {
		t.Errorf("message %d: %v", n, err)
	}
	eventually(t, "the logged one is delivered", func() bool { return len(got.messages()) == n })
}

// TestHeadWaitsForRetained holds a retained write up: what is not handed over
// is not below the head, others pass by, and the topic's order holds.
func TestHeadWaitsForRetained(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	got := attach(b)
	before := publish(t, b, message(1, "acme/b", "first")).Seq
	goOn := jetstream.HoldRetained(b)
	publishNow(t, b, retained(1, "acme/a", "kept"))
	publishNow(t, b, message(1, "acme/a", "follows"))
	passing, err := b.PublishWait(t.Context(), message(1, "acme/b", "passes by"))
	if err != nil {
		t.Fatal(err)
	}
	last := passing.Seq
	eventually(t, "passed by", func() bool { return got.payloads() == "first passes by" })
	if seq := head(t, b); seq != before {
		t.Errorf("the head is %d, want %d", seq, before)
	}
	if m := got.messages(); m[0].Overtakes != 0 || m[1].Overtakes != before+1 {
		t.Errorf("they overtake %d and %d, want 0 and %d", m[0].Overtakes, m[1].Overtakes, before+1)
	}
	goOn()
	eventually(t, "in order", func() bool { return got.payloads() == "first passes by kept follows" })
	eventually(t, "head", func() bool { return head(t, b) == last })
}

func TestCloseWithRetainedUnderWay(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	n.stop()
	acks := newAnswers()
	publishAgain(t, b, retained(0, "acme/a", "x"), acks, 1)
	publishAgain(t, b, retained(1, "acme/a", "x"), acks, 2)
	publishAgain(t, b, message(0, "acme/a", "x"), acks, 3)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if acks.len() != 3 || code(acks.errs[1]) != "unavailable" || code(acks.errs[2]) != "unavailable" || acks.errs[3] != nil {
		t.Errorf("answered %v", acks.errs)
	}
	n.start()
}

func TestRetainedPassesOverDamage(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	if _, err := b.Trunk().Request("retained.acme.x", []byte("nonsense"), patience); err != nil {
		t.Fatal(err)
	}
	publish(t, b, retained(1, "acme/y", "good"))
	if got := texts(keptNow(t, b, "acme/#", 10)); got != "good" || b.Stats().Damaged != 1 {
		t.Errorf("kept %s, %+v", got, b.Stats())
	}
}
