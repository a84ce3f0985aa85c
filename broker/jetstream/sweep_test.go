package jetstream_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// publishAll publishes n messages and waits for them.
func publishAll(t testing.TB, b *jetstream.Bus, n int, next func(i int) *broker.Message) {
	t.Helper()
	acks := newAnswers()
	for i := range n {
		publishAgain(t, b, next(i), acks, uint64(i))
	}
	eventually(t, "published", func() bool { return acks.len() == n })
}

// drain reads all that filters match, page by page, and checks that the
// payloads count up from 0.
func drain(t testing.TB, b *jetstream.Bus, limit, want int, filters ...string) {
	q, got := broker.Query{Filters: filters, Limit: limit}, 0
	for {
		p, err := tryRead(t, b, q)
		if err != nil {
			t.Errorf("%v: %v", filters, err)
			return
		}
		for _, m := range p.Messages {
			if string(m.Payload) != fmt.Sprint(got) || m.Position.Seq <= q.After {
				t.Errorf("%v: %s at %d, want %d behind %d", filters, m.Payload, m.Position.Seq, got, q.After)
				return
			}
			got++
			q.After = m.Position.Seq
		}
		if q.After = max(q.After, p.UpTo); !p.More {
			break
		}
	}
	if got != want {
		t.Errorf("%v: %d messages, want %d", filters, got, want)
	}
}

// TestSweepOfOneSession drains 100,000 messages by small pages: with one pass,
// and without holding more than a page and what was found ahead.
func TestSweepOfOneSession(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	const n = 100_000
	publishAll(t, b, n, func(i int) *broker.Message { return message(1, "acme/chat/users/ana/x", fmt.Sprint(i)) })
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	begin, q, got, most := time.Now(), broker.Query{Filters: []string{"acme/chat/users/ana/#"}, Limit: 64}, 0, uint64(0)
	for more := true; more; {
		p := read(t, b, q)
		got, q.After, more = got+len(p.Messages), p.UpTo, p.More
		if got%(n/10) < 64 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
		}
	}
	s := b.Stats()
	t.Logf("%d messages in %v, %d passes, heap grew by %d KiB", got, time.Since(begin), s.Passes, (int64(most)-int64(before.HeapInuse))>>10)
	if got != n || s.Passes > 3 || s.Probes > 5 {
		t.Errorf("%d messages, %d passes, %d probes", got, s.Passes, s.Probes)
	}
	if int64(most)-int64(before.HeapInuse) > 20<<20 {
		t.Errorf("the heap grew from %d to %d", before.HeapInuse, most)
	}
}

// TestSweepOfManySessions has many sessions read at once, each with filters of
// its own: the messages that all want are more than a probe can answer.
func TestSweepOfManySessions(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	const sessions, common = 300, 1500
	publishAll(t, b, common, func(i int) *broker.Message { return message(1, "acme/chat/news/x", fmt.Sprint(i)) })
	publishAll(t, b, sessions, func(i int) *broker.Message {
		return message(1, fmt.Sprintf("acme/chat/users/%d", i), fmt.Sprint(common))
	})
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() { drain(t, b, 256, common+1, "acme/chat/news/#", fmt.Sprintf("acme/chat/users/%d", i)) })
	}
	wg.Wait()
	s, took := b.Stats(), time.Since(begin)
	t.Logf("%d messages in %v, %.0f a second, %d passes, %d reads", sessions*common, took, sessions*common/took.Seconds(), s.Passes, s.Reads)
	if s.Passes > sessions/5 { // they share them
		t.Errorf("%d passes", s.Passes)
	}
}

// TestSweepOfDistinctSessions has sessions read that have no message in common.
func TestSweepOfDistinctSessions(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	const sessions, each = 50, 1100
	publishAll(t, b, sessions*each, func(i int) *broker.Message {
		return message(1, fmt.Sprintf("acme/chat/users/%d/%d", i%sessions, i%7), fmt.Sprint(i/sessions))
	})
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() { drain(t, b, 256, each, fmt.Sprintf("acme/chat/users/%d/#", i)) })
	}
	wg.Wait()
	s, took := b.Stats(), time.Since(begin)
	t.Logf("%d messages in %v, %.0f a second, %d passes, %d reads", sessions*each, took, sessions*each/took.Seconds(), s.Passes, s.Reads)
	if s.Passes > sessions/2 {
		t.Errorf("%d passes", s.Passes)
	}
}

// TestSweepOfANarrowFilter reads the few messages of a session among very many
// of others.
func TestSweepOfANarrowFilter(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	foreign, own := 99_000, 1500
	publishAll(t, b, foreign, func(i int) *broker.Message {
		if i%(foreign/own) == 0 {
			return message(1, "acme/chat/users/ana", fmt.Sprint(i/(foreign/own)))
		}
		return message(1, fmt.Sprintf("acme/chat/users/%d/x", i%1000), "x")
	})
	begin := time.Now()
	drain(t, b, 64, own, "acme/chat/users/ana/#")
	t.Logf("%d of %d messages in %v, %d passes", own, foreign, time.Since(begin), b.Stats().Passes)
	if b.Stats().Passes > 5 {
		t.Errorf("%d passes", b.Stats().Passes)
	}
}

// TestBroadFilterIsLearnt has sessions read that have one filter in common, which
// matches more than a probe can answer: a few find out for all of them.
func TestBroadFilterIsLearnt(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	const sessions, common = 400, 20_000
	publishAll(t, b, common, func(i int) *broker.Message { return message(1, "acme/chat/news/x", "x") })
	after := head(t, b)
	publishAll(t, b, sessions, func(i int) *broker.Message { return message(1, fmt.Sprintf("acme/chat/users/%d", i), "own") })
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			if got := catchUpBy(t, b, 64, after, "acme/chat/news/#", fmt.Sprintf("acme/chat/users/%d", i)); got != 1 {
				t.Errorf("%d messages", got)
			}
		})
	}
	wg.Wait()
	if n := b.Stats().Probes; n > sessions/4 {
		t.Errorf("%d probes", n)
	}
	before := b.Stats().Probes
	narrow := catchUpBy(t, b, 64, after, "acme/chat/users/1", "acme/chat/users/2")
	if n := b.Stats().Probes - before; narrow != 2 || n != 1 {
		t.Errorf("without that filter: %d messages, %d probes", narrow, n)
	}
}

// TestSweepFindsAGap has one message of a pass go missing on its way: it is not
// passed over.
func TestSweepFindsAGap(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		const n = 5000
		publishAll(t, b, n, func(i int) *broker.Message { return message(1, "acme/chat/users/ana/x", fmt.Sprint(i)) })
		const filter = "acme/chat/users/ana/#"
		first := read(t, b, broker.Query{Filters: []string{filter}, Limit: 64})
		if len(first.Messages) == 0 || !first.More {
			t.Fatalf("%d messages, more %v", len(first.Messages), first.More)
		}
		stolen := 0
		for name := range stream(t, b, 0).ConsumerNames(t.Context()).Name() {
			m, err := b.Side().Request("$JS.API.CONSUMER.MSG.NEXT."+jetstream.StreamName(0)+"."+name, []byte(`{"batch":1,"no_wait":true}`), patience)
			if err != nil || m.Header.Get("Status") != "" {
				t.Fatalf("nothing to steal from %s: %v", name, err)
			}
			stolen++
		}
		if stolen == 0 {
			t.Fatal("no consumer")
		}
		q, got := broker.Query{Filters: []string{filter}, Limit: 64, After: first.UpTo}, len(first.Messages)
		for more := true; more; {
			p := read(t, b, q)
			for _, m := range p.Messages {
				if string(m.Payload) != fmt.Sprint(got) {
					t.Fatalf("%s, want %d", m.Payload, got)
				}
				got++
			}
			q.After, more = p.UpTo, p.More
		}
		if got != n {
			t.Errorf("%d messages, want %d", got, n)
		}
	})
}
