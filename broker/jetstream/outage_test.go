package jetstream_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestRestartsOfNATS publishes from both nodes while NATS stops and starts
// again: what was acknowledged is in the log where the acknowledgement said,
// and every publisher's order holds.
func TestRestartsOfNATS(t *testing.T) {
	n := startNATS(t)
	a, b := pair(t, n.url())
	var stop atomic.Bool
	var wg sync.WaitGroup
	acks := make([]*answers, 0, 2)
	published := make([]map[uint64]*broker.Message, 2)
	for i, bus := range []*jetstream.Bus{a, b} {
		ack := newAnswers()
		acks = append(acks, ack)
		published[i] = make(map[uint64]*broker.Message)
		wg.Go(func() {
			for tag := uint64(0); !stop.Load(); tag++ {
				m := message(1, fmt.Sprintf("acme/p/%d", i), fmt.Sprint(tag))
				published[i][tag] = m
				for errors.Is(bus.Publish(m, ack, tag), broker.ErrOverloaded) {
					<-time.After(time.Millisecond)
				}
				if tag%20 == 0 {
					<-time.After(time.Millisecond)
				}
			}
		})
	}
	for range 3 {
		at := acks[0].len() + 500
		eventually(t, "progress", func() bool { return acks[0].len() > at && acks[1].len() > 0 })
		n.stop()
		<-time.After(100 * time.Millisecond)
		n.start()
	}
	at := acks[0].len() + acks[1].len() + 1000
	eventually(t, "recovery", func() bool { return acks[0].len()+acks[1].len() > at })
	stop.Store(true)
	wg.Wait()
	for i, bus := range []*jetstream.Bus{a, b} {
		eventually(t, "all answered", func() bool { return acks[i].len() == len(published[i]) && bus.Stats().Pending == 0 })
	}
	log := stored(t, a, 0)
	if len(log) != len(published[0])+len(published[1]) {
		t.Errorf("%d published, %d in the log", len(published[0])+len(published[1]), len(log))
	}
	for i := range published {
		checkAcknowledged(t, acks[i], published[i], func(seq uint64) string {
			if m := log[seq]; m != nil {
				return m.Subject
			}
			return "nothing"
		})
	}
}

// checkAcknowledged expects that every message is where its acknowledgement
// says, and later than the one before.
func checkAcknowledged(t *testing.T, acks *answers, published map[uint64]*broker.Message, subjectAt func(uint64) string) {
	t.Helper()
	for tag := range uint64(len(published)) {
		if acks.errs[tag] != nil || acks.tags[tag] != tag {
			t.Fatalf("message %d: %v, answered as number %d", tag, acks.errs[tag], acks.tags[tag])
		}
		m := published[tag]
		if want := jetstream.LogSubject(0, m.ID, m.Topic); subjectAt(acks.seqs[tag]) != want {
			t.Fatalf("message %d: %s at %d, want %s", tag, subjectAt(acks.seqs[tag]), acks.seqs[tag], want)
		}
		if tag > 0 && acks.seqs[tag] <= acks.seqs[tag-1] {
			t.Fatalf("message %d is at %d, the one before at %d", tag, acks.seqs[tag], acks.seqs[tag-1])
		}
	}
}

func TestStoppedNATSBoundsWhatWaits(t *testing.T) {
	const bound = 5000
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-b", URL: n.url(), MaxPending: bound})
	got, acks := attach(b), newAnswers()
	publish(t, b, message(1, "acme/a", "first"))
	n.stop()
	eventually(t, "not ready", func() bool { return b.Ready(t.Context()) != nil })
	accepted, refused := uint64(0), 0
	before := heap()
	for range 20 * bound {
		m := message(1, "acme/a", fmt.Sprint(accepted))
		switch err := b.Publish(m, acks, accepted); {
		case err == nil:
			accepted++
		case errors.Is(err, broker.ErrOverloaded):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if accepted != bound || refused != 19*bound || acks.len() != 0 {
		t.Errorf("%d accepted, %d refused, %d answered", accepted, refused, acks.len())
	}
	if grown := int64(heap()) - int64(before); grown > bound*2048 {
		t.Errorf("%d waiting messages took %d bytes", bound, grown)
	}
	n.start()
	eventually(t, "recovery", func() bool { return acks.len() == bound && b.Ready(t.Context()) == nil })
	for i, tag := range acks.tags {
		if uint64(i) != tag || acks.errs[tag] != nil {
			t.Fatalf("answer %d is for %d, %v", i, tag, acks.errs[tag])
		}
	}
	publish(t, b, message(1, "acme/a", "last"))
	if n := len(stored(t, b, 0)); n != bound+2 {
		t.Errorf("%d messages in the log", n)
	}
	eventually(t, "delivered", func() bool { return len(got.messages()) == bound+2 })
}

func TestBoundInBytes(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-b", URL: n.url(), MaxPendingBytes: 1 << 20})
	n.stop()
	accepted := 0
	payload := string(make([]byte, 100_000))
	for b.Publish(message(1, "acme/a", payload), nil, 0) == nil {
		accepted++
	}
	if accepted != 10 {
		t.Errorf("%d messages of 100 kB within 1 MiB", accepted)
	}
	n.start()
	eventually(t, "recovery", func() bool { return b.Stats().Pending == 0 })
}

func TestCloseWithoutNATS(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-b", URL: n.url()})
	n.stop()
	acks := newAnswers()
	if err := b.Publish(message(1, "acme/a", "x"), acks, 7); err != nil {
		t.Fatal(err)
	}
	ready := make(chan error, 1)
	b.AddInterest("acme/#", func(err error) { ready <- err })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if acks.len() != 1 || !errors.Is(acks.errs[7], broker.ErrUnavailable) {
		t.Errorf("answered %v", acks.errs)
	}
	if err := <-ready; code(err) != "unavailable" {
		t.Errorf("interest: %v", err)
	}
	b.AddInterest("acme/#", func(err error) { ready <- err })
	if err := <-ready; code(err) != "unavailable" {
		t.Errorf("interest after Close: %v", err)
	}
	n.start()
}

func TestInterestOutlivesNATS(t *testing.T) {
	n := startNATS(t)
	a, b := pair(t, n.url())
	got := attach(b)
	interested(t, b, "acme/old")
	n.stop()
	ready := make(chan error, 1)
	b.AddInterest("acme/new", func(err error) { ready <- err })
	n.start()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	eventually(t, "both nodes back", func() bool { return a.Ready(t.Context()) == nil && b.Ready(t.Context()) == nil })
	publish(t, a, message(1, "acme/old", "1"))
	publish(t, a, message(1, "acme/new", "2"))
	eventually(t, "received", func() bool { return got.payloads() == "1 2" })
	if b.Stats().Reconnects == 0 {
		t.Error("no reconnect was counted")
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
