package jetstream

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// deskWindow is how many questions one node has under way. A server drops
	// everything when 10,000 that were routed to it wait, of all nodes.
	deskWindow = 512
	// deskErrands bounds those that have begun and not ended: as many sessions
	// as a node may have to put away at once.
	deskErrands = 1 << 18
)

// errand is something to be learnt or changed in a bucket by one question or
// several, one after the other. Its methods are called by one goroutine at a
// time; they must not block, and the last call is to answer or fail.
type errand interface {
	// question fills in what is to be asked now.
	question(m *nats.Msg)
	// answer takes the answer; nil means that none came, so that nobody knows
	// whether the question arrived.
	answer(m *nats.Msg) verdictOf
	// fail ends the errand without an answer.
	fail(err error)
}

// verdictOf is how an errand goes on.
type verdictOf int

const (
	ended    verdictOf = iota
	askNow             // another question
	askLater           // another, when NATS has had time to come to itself
)

// trip is an errand under way.
type trip struct {
	errand
	deadline time.Time
	since    time.Time // of its last question, or of its wait
	// sending says that its question is being put, so that it is not lost yet.
	sending bool
}

// desk runs errands over one connection: a goroutine sends, the connection's
// own brings the answers, and neither waits for the other. The order of
// questions is that of their coming; the answers' is the servers'.
type desk struct {
	conn    *nats.Conn
	inbox   string
	answers *nats.Subscription
	bell    bell

	mu sync.Mutex // guards the fields below; nothing is called under it
	// patience is how long one answer may take, whole a whole errand.
	patience, whole time.Duration
	most            int     // errands
	queue           []*trip // to be asked
	waiting         []*trip // to be asked after a while
	asked           map[uint64]*trip
	count           uint64 // of questions
	errands         int
	closed          bool
}

func newDesk(conn *nats.Conn) (*desk, error) {
	d := &desk{
		conn:     conn,
		inbox:    conn.NewInbox() + ".",
		bell:     bell{rung: make(chan struct{}, 1)},
		patience: answerPatience,
		whole:    askPatience,
		most:     deskErrands,
		asked:    make(map[uint64]*trip),
	}
	var err error
	if d.answers, err = conn.Subscribe(d.inbox+"*", d.answered); err != nil {
		return nil, err
	}
	return d, d.answers.SetPendingLimits(-1, -1) // the window bounds them
}

// begin starts an errand, or fails it at once.
func (d *desk) begin(e errand) {
	d.mu.Lock()
	t := &trip{errand: e, deadline: time.Now().Add(d.whole)}
	switch {
	case d.closed:
		d.mu.Unlock()
		e.fail(errClosed)
		return
	case d.errands >= d.most:
		d.mu.Unlock()
		e.fail(broker.ErrOverloaded)
		return
	}
	d.errands++
	d.queue = append(d.queue, t)
	d.mu.Unlock()
	d.bell.ring()
}

// run sends what there is to send until ctx ends.
func (d *desk) run(ctx context.Context) {
	var batch [batchSize]*trip
	for {
		first, n := d.take(batch[:])
		for i, t := range batch[:n] {
			d.ask(t, first+uint64(i))
		}
		if n > 0 {
			d.sent(first, n)
			continue
		}
		select {
		case <-d.bell.rung:
			d.bell.heard()
		case <-ctx.Done():
			return
		}
	}
}

// take moves trips from the queue under way, as far as the window has room.
// Their questions have the numbers from first on.
func (d *desk) take(batch []*trip) (first uint64, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	first = d.count + 1
	for n < len(batch) && n < len(d.queue) && len(d.asked) < deskWindow {
		t := d.queue[n]
		d.queue[n] = nil
		d.count++
		t.since, t.sending = now, true
		d.asked[d.count] = t
		batch[n] = t
		n++
	}
	if d.queue = d.queue[n:]; len(d.queue) == 0 {
		d.queue = nil
	}
	return first, n
}

// sent notes that so many questions have been put. Those that were answered
// meanwhile are elsewhere.
func (d *desk) sent(first uint64, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for number := first; number < first+uint64(n); number++ { //nolint:gosec // at most batchSize
		if t := d.asked[number]; t != nil {
			t.sending = false
		}
	}
}

// ask puts one question. Only one that is too large fails for good.
func (d *desk) ask(t *trip, number uint64) {
	m := nats.Msg{Reply: d.inbox + strconv.FormatUint(number, 10)}
	t.question(&m)
	err := d.conn.PublishMsg(&m)
	if err == nil || d.lift(number) == nil {
		return // or it was answered already
	}
	if isTooLarge(err) {
		d.end()
		t.fail(errPayload)
		return
	}
	d.proceed(t, askLater)
}

// lift takes a trip that is under way back, nil if it is not.
func (d *desk) lift(number uint64) *trip {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.asked[number]
	delete(d.asked, number)
	return t
}

func (d *desk) answered(m *nats.Msg) {
	number, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, d.inbox), 10, 64)
	if err != nil {
		return
	}
	if t := d.lift(number); t != nil { // nil: it was given up before
		d.proceed(t, t.answer(m))
	}
}

// proceed lets an errand go on as it said.
func (d *desk) proceed(t *trip, v verdictOf) {
	if v == ended {
		d.end()
		return
	}
	now := time.Now()
	d.mu.Lock()
	if late := now.After(t.deadline); late || d.closed {
		d.errands--
		d.mu.Unlock()
		t.fail(broker.ErrUnavailable)
		return
	}
	if t.since = now; v == askNow {
		d.queue = append(d.queue, t)
	} else {
		d.waiting = append(d.waiting, t)
	}
	d.mu.Unlock()
	d.bell.ring()
}

// end makes room for another errand, and for another question.
func (d *desk) end() {
	d.mu.Lock()
	d.errands--
	more := len(d.queue) > 0
	d.mu.Unlock()
	if more {
		d.bell.ring()
	}
}

// watch looks after what is late until ctx ends.
func (d *desk) watch(ctx context.Context) {
	reconnects := d.conn.Stats().Reconnects
	for wait(ctx, checkInterval) {
		now := d.conn.Stats().Reconnects
		d.check(time.Now(), now != reconnects)
		reconnects = now
	}
}

// check fails trips whose time is over, lets those ask again that have waited
// long enough, and tells those that nobody answers any more.
func (d *desk) check(now time.Time, reconnected bool) {
	var late, lost []*trip
	d.mu.Lock()
	d.queue, late = split(d.queue, func(t *trip) bool { return now.After(t.deadline) })
	due := d.waiting
	d.waiting = nil
	d.queue = append(d.queue, due...) // checkInterval is longer than askAgain
	for number, t := range d.asked {
		if !t.sending && (reconnected || now.Sub(t.since) > d.patience) {
			lost = append(lost, t)
			delete(d.asked, number)
		}
	}
	d.errands -= len(late)
	busy := len(d.queue) > 0
	d.mu.Unlock()
	for _, t := range late {
		t.fail(broker.ErrUnavailable)
	}
	for _, t := range lost {
		d.proceed(t, t.answer(nil))
	}
	if busy {
		d.bell.ring()
	}
}

// split takes those out of trips that are in question; in place.
func split(trips []*trip, out func(*trip) bool) (kept, taken []*trip) {
	kept = trips[:0]
	for _, t := range trips {
		if out(t) {
			taken = append(taken, t)
		} else {
			kept = append(kept, t)
		}
	}
	clear(trips[len(kept):])
	return kept, taken
}

// drain waits until every errand has ended, as long as there is hope.
func (d *desk) drain(ctx context.Context) {
	for d.busy() && d.conn.IsConnected() && wait(ctx, time.Millisecond) {
		continue
	}
}

func (d *desk) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errands > 0
}

// close fails what is left and whatever comes.
func (d *desk) close() {
	d.mu.Lock()
	d.closed = true
	left := append(d.queue, d.waiting...)
	for _, t := range d.asked {
		left = append(left, t)
	}
	d.queue, d.waiting = nil, nil
	clear(d.asked)
	d.errands = 0
	d.mu.Unlock()
	for _, t := range left {
		t.fail(errClosed)
	}
}
