package jetstream_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func TestHead(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		first := head(t, b)
		for i := range 3 {
			p := publish(t, b, message(1, "acme/a", fmt.Sprint(i)))
			eventually(t, "head", func() bool { return head(t, b) == p.Seq })
		}
		publish(t, b, message(0, "acme/a", "not logged"))
		if n := head(t, b); n != first+3 {
			t.Errorf("head %d, was %d before three messages", n, first)
		}
		failed := errors.New("")
		b.Head(99, func(_ uint64, err error) { failed = err })
		if code(failed) != "internal" {
			t.Errorf("a shard that does not exist: %v", failed)
		}
	})
}

// watcher checks that everything up to the head was delivered.
type watcher struct {
	t    *testing.T
	mu   sync.Mutex
	last uint64
}

func (w *watcher) Deliver(m *broker.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = max(w.last, m.Position.Seq)
}

func (w *watcher) DeliverShared(_, _ string, _ *broker.Message, _ broker.Loan) {}

func TestHeadAloneWasDelivered(t *testing.T) {
	dir := t.TempDir()
	b := openAlone(t, jetstream.Config{Dir: dir})
	w := &watcher{t: t, last: head(t, b)}
	b.Attach(w)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 5000 {
			_ = b.Publish(message(1, "acme/a", fmt.Sprint(i)), nil, 0)
		}
	}()
	for range 5000 {
		seq := head(t, b)
		w.mu.Lock()
		if w.last < seq {
			t.Errorf("the head is %d, delivered was %d", seq, w.last)
		}
		w.mu.Unlock()
	}
	<-done
	eventually(t, "all", func() bool { return b.Stats().Pending == 0 })
	last := head(t, b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if again := head(t, openAlone(t, jetstream.Config{Dir: dir})); again != last {
		t.Errorf("after a restart the head is %d, was %d", again, last)
	}
}

func TestHeadIsShared(t *testing.T) {
	b := open(t, jetstream.Config{Node: "node-a", URL: startNATS(t).url()})
	const callers = 10_000
	var wg sync.WaitGroup
	wg.Add(callers)
	for range callers {
		b.Head(0, func(_ uint64, err error) {
			if err != nil {
				t.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
	if n := b.Stats().Heads; n > callers/10 {
		t.Errorf("%d questions for %d callers", n, callers)
	}
}
