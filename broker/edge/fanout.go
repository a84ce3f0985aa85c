package edge

import (
	"sync"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// subscriptions is the node's subscription tree.
type subscriptions struct {
	mu   sync.RWMutex // guards tree; held alone, never while calling out
	tree topic.Tree[*conn]
}

// Deliver implements broker.Receiver: it finds this node's receivers and hands
// the message to their loops.
func (e *Edge) Deliver(m *broker.Message) {
	fans := fansPool.Get().(*[]*fan) //nolint:forcetypeassert,errcheck // the pool holds nothing else
	if len(*fans) < len(e.loops) {
		*fans = make([]*fan, len(e.loops))
	}
	perLoop := *fans
	e.subs.mu.RLock()
	e.subs.tree.Match(m.Topic, func(c *conn) {
		f := perLoop[c.loop.index]
		if f == nil {
			f = fanPool.Get().(*fan) //nolint:forcetypeassert,errcheck // the pool holds nothing else
			perLoop[c.loop.index] = f
		}
		f.conns = append(f.conns, c)
	})
	e.subs.mu.RUnlock()
	for i, f := range perLoop {
		if f == nil {
			continue
		}
		perLoop[i] = nil
		e.loops[i].offer(m, f)
	}
	fansPool.Put(fans)
}

// offer queues a fan, or drops it where QoS 0 allows it and memory demands it.
func (l *loop) offer(m *broker.Message, f *fan) {
	n := int64(len(f.conns))
	if m.QoS == 0 && l.backlog.Load() > backlogFull {
		l.edge.stats.dropped.WithLabelValues("node_behind").Add(float64(n))
		recycle(f)
		return
	}
	f.message = m
	l.backlog.Add(n)
	l.post(event{kind: evDelivered, fan: f})
}

var (
	// fanPool and fansPool save an allocation for each message and loop.
	fanPool  = sync.Pool{New: func() any { return new(fan) }}
	fansPool = sync.Pool{New: func() any { return new([]*fan) }}
)

// keepReceivers bounds what a pooled fan keeps of a large audience.
const keepReceivers = 4096

func recycle(f *fan) {
	clear(f.conns)
	f.conns, f.message = f.conns[:0], nil
	if cap(f.conns) <= keepReceivers {
		fanPool.Put(f)
	}
}

// subscribe enters c under its filters; done is called once, from any
// goroutine, when the interest of all of them is established.
func (e *Edge) subscribe(c *conn, filters []string, done func(error)) {
	e.subs.mu.Lock()
	for _, f := range filters {
		e.subs.tree.Add(f, c)
	}
	e.subs.mu.Unlock()
	e.stats.subscriptions.Add(float64(len(filters)))
	if len(filters) == 0 {
		done(nil)
		return
	}
	w := &waiter{left: len(filters), done: done}
	for _, f := range filters {
		e.deps.Bus.AddInterest(f, w.ready)
	}
}

func (e *Edge) unsubscribe(c *conn, filters []string) {
	e.subs.mu.Lock()
	for _, f := range filters {
		e.subs.tree.Remove(f, c)
	}
	e.subs.mu.Unlock()
	e.stats.subscriptions.Sub(float64(len(filters)))
	for _, f := range filters {
		e.deps.Bus.RemoveInterest(f)
	}
}

// waiter calls done once, after its last ready, with the first error.
type waiter struct {
	mu   sync.Mutex // guards left and err
	left int
	err  error
	done func(error)
}

func (w *waiter) ready(err error) {
	w.mu.Lock()
	w.left--
	if w.err == nil {
		w.err = err
	}
	last, first := w.left == 0, w.err
	w.mu.Unlock()
	if last {
		w.done(first)
	}
}

// DeliverShared implements broker.Receiver. No session joins a group yet.
func (e *Edge) DeliverShared(_, _ string, _ *broker.Message) {}
