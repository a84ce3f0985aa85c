package sim

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// lane is a node's appender to one shard: one batch at a time is on its way, so
// that an answer that does not come leaves no gap in a publisher's order.
type lane struct {
	node  *node
	queue []pending
	busy  bool
}

// pending is a message on its way to the log.
type pending struct {
	message *broker.Message
	number  int // as the oracle knows it
	done    func(seq uint64, err error)
	seq     uint64
	again   bool // the log had it before
}

const (
	// appendPatience is how long an answer is waited for before the batch is
	// sent again, appendTries how often it is.
	appendPatience = 2 * time.Second
	appendTries    = 12
	maxBatch       = 8
)

// append has a message appended. done is called once, unless the node is gone.
func (l *lane) append(m *broker.Message, number int, done func(uint64, error)) {
	l.queue = append(l.queue, pending{message: m, number: number, done: done})
	if !l.busy {
		l.next()
	}
}

func (l *lane) next() {
	if len(l.queue) == 0 {
		return
	}
	n := min(len(l.queue), maxBatch)
	batch := l.queue[:n:n]
	l.queue, l.busy = l.queue[n:], true
	l.try(batch, appendTries)
}

// try sends a batch. Either way may fail: what is not answered may be stored.
func (l *lane) try(batch []pending, tries int) {
	n, w, answered := l.node, l.node.w, false
	life := n.life
	if n.reaches() && !w.faults.lost(w) {
		sent := n.time()
		w.after(w.short(200*time.Millisecond), func() {
			if w.faults.outage {
				return
			}
			w.arrive(batch, sent)
			n.afterIn(life, w.short(200*time.Millisecond), func() {
				if n.reaches() && !w.faults.lost(w) && !answered {
					answered = true
					l.answered(batch)
				}
			})
		})
	}
	n.after(appendPatience, func() {
		switch {
		case answered:
		case tries > 1:
			answered = true // an answer to an earlier try is not waited for
			l.try(batch, tries-1)
		default:
			answered = true
			l.failed(batch)
		}
	})
}

// arrive is the arrival of a batch at the leader.
func (w *world) arrive(batch []pending, sent time.Time) {
	for i := range batch {
		p := &batch[i]
		seq, again := w.shards[p.message.Position.Shard].append(p.message, p.number, sent, w.now)
		p.seq, p.again = seq, again
		w.oracle.stored(p.number, p.message, seq, again)
	}
}

// answered is the log's acknowledgement: who published is told, then the live
// path.
func (l *lane) answered(batch []pending) {
	n := l.node
	l.busy = false
	for i := range batch {
		p := &batch[i]
		m := *p.message
		m.Position.Seq = p.seq
		m.Previous = n.precede(&m, p.again)
		p.done(p.seq, nil)
		n.deliver(&m)
		n.announce(&m)
	}
	l.next()
}

// failed gives a batch up, and all that waits behind it: what a publisher sent
// after a message that failed must not be stored before it is sent again.
func (l *lane) failed(batch []pending) {
	batch = append(batch, l.queue...)
	l.busy, l.queue = false, nil
	for i := range batch {
		batch[i].done(0, broker.ErrUnavailable)
	}
}

// precede notes a topic's newest message and returns the one before it. Where it
// is not known, as with one that the log had already, it may be any: who has not
// read so far has to.
func (n *node) precede(m *broker.Message, again bool) uint64 {
	seq, last := m.Position.Seq, n.previous[m.Topic]
	if n.previous[m.Topic] = seq; again {
		n.previous[m.Topic] = broker.UnknownPrevious
	}
	if again || m.Previous == broker.UnknownPrevious || last == broker.UnknownPrevious {
		return seq
	}
	return last
}
