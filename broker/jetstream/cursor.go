package jetstream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// readAhead and readAheadBytes are what a cursor asks for at once, so that
	// small steps do not cost a question each.
	readAhead      = 256
	readAheadBytes = 1 << 20
	// scanAhead is the same of a scan, which costs more to begin.
	scanAhead = 1024
)

var errBehind = errors.New("the replica that answered is behind")

// Retained reads the retained messages that match a filter, whose first level
// must be literal. They come by the time at which they were retained; one that
// is replaced meanwhile may come again. What was acknowledged before the first
// Next is there: an answer from a replica behind the leader does not count.
//
// Next gets broker.ErrOverloaded and broker.ErrUnavailable like Read, and may
// be called again then.
func (b *Bus) Retained(filter string) broker.Cursor {
	c := &cursor{bus: b, org: organizationOf(filter)}
	c.subjects, c.err = filterSubjects(retainedPrefix, filter)
	return c
}

// cursor is at one place in the stream; every message there is its subject's
// last, so that a place is all there is to remember.
type cursor struct {
	bus      *Bus
	subjects []string
	org      string
	err      error // of the filter

	mu     sync.Mutex // guards the fields below
	ahead  []*broker.Message
	after  uint64
	ended  bool // nothing follows after what is in ahead
	closed bool
	asked  bool   // head is known
	head   uint64 // of the leader when the reading began
	scan   bool   // more matched than one answer holds
}

var _ broker.Cursor = (*cursor)(nil)

// Next implements broker.Cursor.
func (c *cursor) Next(n int, fn func([]*broker.Message, bool, error)) {
	n = max(n, 1)
	c.mu.Lock()
	ready := c.closed || c.ended || len(c.ahead) > 0
	asked := c.asked || !c.bus.replicated
	c.mu.Unlock()
	switch {
	case c.err != nil:
		fn(nil, true, c.err)
	case ready:
		messages, done := c.take(n)
		fn(messages, done, nil)
	case asked:
		c.queue(n, fn)
	default:
		c.bus.askHead(&c.bus.retainedHead, retainedName, func(seq uint64, err error) {
			if err != nil {
				fn(nil, false, err)
				return
			}
			c.mu.Lock()
			c.asked, c.head = true, seq
			c.mu.Unlock()
			c.queue(n, fn)
		})
	}
}

// take hands out what was read ahead.
func (c *cursor) take(n int) (messages []*broker.Message, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, true
	}
	n = min(n, len(c.ahead))
	messages, c.ahead = c.ahead[:n:n], c.ahead[n:]
	return messages, c.ended && len(c.ahead) == 0
}

// Close implements broker.Cursor.
func (c *cursor) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.ahead = true, nil
}

// queue has the next batch read.
func (c *cursor) queue(n int, fn func([]*broker.Message, bool, error)) {
	c.mu.Lock()
	p := c.bus.readers
	if c.scan {
		p = c.bus.scanners
	}
	c.mu.Unlock()
	if !p.offer(c.org, func(ctx context.Context, a *asker) { c.work(ctx, a, n, fn) }) {
		fn(nil, false, c.bus.refusal())
	}
}

// work reads a batch on a goroutine that may wait.
func (c *cursor) work(ctx context.Context, a *asker, n int, fn func([]*broker.Message, bool, error)) {
	if a == nil {
		fn(nil, false, errClosed)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for {
		err := c.step(ctx, a)
		messages, done := c.take(n)
		switch {
		case len(messages) > 0 || done:
			fn(messages, done, nil)
			return
		case errors.Is(err, errMatches):
			c.mu.Lock()
			c.scan = true
			c.mu.Unlock()
			c.queue(n, fn)
			return
		case err != nil && !wait(ctx, askAgain):
			fn(nil, false, unavailable(err))
			return
		}
	}
}

// batch is what one step reads.
type batch struct {
	bus      *Bus
	now      time.Time
	messages []*broker.Message
	last     uint64
}

func (s *batch) add(subject string, seq uint64, data []byte) {
	s.last = seq
	m, err := readRetained(subject, data)
	switch {
	case err != nil:
		s.bus.damaged(subject, seq, err)
	case m == nil || m.Expired(s.now):
	default:
		s.messages = append(s.messages, m)
	}
}

// step reads on from the cursor's place, if it can.
func (c *cursor) step(ctx context.Context, a *asker) error {
	c.mu.Lock()
	after, head, scan := c.after, c.head, c.scan
	c.mu.Unlock()
	s := &batch{bus: c.bus, now: time.Now(), last: after}
	var ended bool
	var err error
	if scan {
		ended, err = c.scanOn(ctx, s, head)
	} else {
		ended, err = c.probeOn(ctx, a, s, head)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.ahead = append(c.ahead, s.messages...)
	}
	c.after, c.ended = s.last, ended
	return nil
}

func (c *cursor) probeOn(ctx context.Context, a *asker, s *batch, head uint64) (ended bool, err error) {
	ans, err := a.multiLast(ctx, retainedName, question{
		MultiLast: append(slices.Clip(c.subjects), retainedSentinel),
		Seq:       s.last + 1, Batch: readAhead, MaxBytes: readAheadBytes,
	}, func(seq uint64, m *nats.Msg) { s.add(subjectOf(m), seq, m.Data) })
	switch {
	case err != nil:
		return false, err
	case !ans.whole:
		return false, errAnswer
	case ans.upTo < head:
		return false, errBehind
	}
	return ans.pending == 0, nil
}

// scanOn reads on through a consumer that begins at the cursor's place.
func (c *cursor) scanOn(ctx context.Context, s *batch, head uint64) (ended bool, err error) {
	c.bus.counters.scans.Add(1)
	consumer, err := openScan(ctx, c.bus.js, retainedName, jetstream.ConsumerConfig{
		FilterSubjects: c.subjects,
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    s.last + 1,
	})
	if err != nil {
		return false, err
	}
	defer consumer.close()
	ended, err = consumer.fetch(ctx, scanAhead, func(seq uint64, m *nats.Msg) { s.add(m.Subject, seq, m.Data) })
	if err != nil || !ended || !c.bus.replicated {
		return ended, err
	}
	reached, err := consumer.reached(ctx)
	if err == nil && reached < head {
		err = errBehind
	}
	return ended, err
}
