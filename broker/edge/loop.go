package edge

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// loop is one event loop. All but mail and backlog belongs to its goroutine.
type loop struct {
	edge  *Edge
	index int
	mail  mailbox
	// backlog counts the receivers of fans that wait in mail. Any goroutine
	// adds, the loop subtracts.
	backlog atomic.Int64

	conns    map[*conn]struct{}
	purses   map[*account]*purse
	touched  []*purse // have something to tell at the end of the batch
	lines    []*line  // of organizations with something to deliver, in turns
	turn     int      // how many deliveries all of them have in one
	wheel    wheel
	sent     uint32    // PUBLISH packets of this batch
	dirty    []*conn   // have output to send at the end of the batch
	held     []*conn   // are not read because the edge is behind
	stalled  []stalled // publishes the bus would not take yet, oldest first
	suspects suspects  // to be asked whether they miss something
	// drained is closed when the last connection is gone; set by shutdown.
	drained chan struct{}
}

// stalled is a publish that waits for the bus.
type stalled struct {
	conn    *conn
	message *broker.Message
	tag     uint64
}

const (
	// backlogHigh is how many deliveries may wait in one loop's mailbox before
	// this node's publishers are not read any further. At some 100 bytes of
	// output each it is a few tens of milliseconds of work.
	backlogHigh = 1 << 16
	// backlogFull is where QoS 0 from other nodes is dropped: they cannot be
	// held back from here.
	backlogFull = 1 << 20
)

func newLoop(e *Edge, index int) *loop {
	l := &loop{edge: e, index: index, mail: newMailbox(), conns: make(map[*conn]struct{}), purses: make(map[*account]*purse), turn: turnDeliveries}
	l.wheel.current = tickOf(time.Now())
	return l
}

func (l *loop) post(ev event) { l.mail.put(ev) }

// run handles batches of events until ctx ends.
func (l *loop) run(ctx context.Context) {
	ticker := time.NewTicker(wheelTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.mail.wake:
			now := time.Now()
			for i, batch := 0, l.mail.take(); i < len(batch); i++ {
				l.handle(&batch[i], now)
			}
			l.serve(now)
			l.flush()
		case now := <-ticker.C:
			l.wheel.advance(now, func(c *conn) { c.tick(now) })
			l.retry(now)
			l.suspects.some(now)
			l.flush()
		}
	}
}

func (l *loop) handle(ev *event, now time.Time) {
	switch ev.kind {
	case evOpened:
		l.open(ev.conn, now)
	case evReceived:
		ev.conn.received(ev.data, now)
	case evEnded:
		ev.conn.ended(ev.err, now)
	case evDrained:
		ev.conn.drained(now)
	case evPublished:
		ev.conn.published(ev.tag, ev.err, now)
	case evDelivered:
		l.enqueue(ev.fan)
	case evDo:
		ev.do(now)
	}
}

func (l *loop) open(c *conn, now time.Time) {
	l.conns[c] = struct{}{}
	l.edge.stats.connections.Inc()
	c.session = session.New(&l.edge.cfg.Limits, now)
	l.wheel.arm(c, c.session.Deadline())
	c.transport.start()
	if !l.edge.Ready() { // upgraded while the edge was stopping, or not to be anybody's owner now
		c.step(func(s *session.Session) { l.edge.farewell(s, now) })
	}
}

// flush sends what the batch has produced, a write for each connection, and
// reads on where there is room again.
func (l *loop) flush() {
	if l.sent > 0 {
		l.edge.stats.sent.Add(float64(l.sent))
		l.sent = 0
	}
	for _, c := range l.dirty {
		c.dirty = false
		c.send()
	}
	clear(l.dirty)
	l.dirty = l.dirty[:0]
	if len(l.touched) > 0 {
		now := time.Now()
		for _, p := range l.touched {
			p.settle(now)
		}
		clear(l.touched)
		l.touched = l.touched[:0]
	}
	l.release()
}

// release reads those on again whose organization's devices have caught up.
func (l *loop) release() {
	if len(l.held) == 0 {
		return
	}
	held := l.held
	l.held = nil
	for _, c := range held {
		c.held = false
		c.resume() // or it is held again
	}
}

// retry offers stalled publishes to the bus again, in the order of each
// organization: what one has no room for holds no other up. A client that is read
// on may add another.
func (l *loop) retry(now time.Time) {
	if len(l.stalled) == 0 {
		return
	}
	waiting := l.stalled
	l.stalled = nil
	full := make(map[*account]bool)
	var left []stalled
	for _, s := range waiting {
		org := s.conn.purse.account.org
		if full[org] || !s.conn.offer(s.message, s.tag) {
			full[org] = true
			left = append(left, s)
			continue
		}
		s.conn.stalled--
		s.conn.readOn(now)
	}
	l.stalled = append(left, l.stalled...)
}

// shutdown ends every session; done is closed when the last bytes are out.
func (l *loop) shutdown(now time.Time, done chan struct{}) {
	l.drained = done
	l.dismiss(now)
	l.left()
}

// dismiss ends every session of this moment.
func (l *loop) dismiss(now time.Time) {
	for c := range l.conns {
		c.step(func(s *session.Session) { l.edge.farewell(s, now) })
	}
}

// farewell ends a session because the edge stops: the client is told to use
// another node, if there can be one.
func (e *Edge) farewell(s *session.Session, now time.Time) {
	if e.cfg.DrainTo != "" || !e.deps.Bus.Alone() {
		s.Redirect(e.cfg.DrainTo, now)
		return
	}
	s.Shutdown(now)
}

// left closes drained when a loop that shuts down has no connection any more.
func (l *loop) left() {
	if l.drained != nil && len(l.conns) == 0 {
		close(l.drained)
		l.drained = nil
	}
}
