package edge

import (
	"sync"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// subscriptions are the node's subscription trees.
type subscriptions struct {
	mu     sync.RWMutex // guards the fields below; held alone, never while calling out
	tree   topic.Tree[*conn]
	local  topic.Tree[*conn] // $local: for this node's publishes only
	shared topic.Tree[*group]
	groups map[groupKey]*group
}

// Deliver implements broker.Receiver: it finds this node's receivers and hands
// the message to their loops.
func (e *Edge) Deliver(m *broker.Message) {
	fans := fansPool.Get().(*[]*fan) //nolint:forcetypeassert,errcheck // the pool holds nothing else
	if len(*fans) < len(e.loops) {
		*fans = make([]*fan, len(e.loops))
	}
	perLoop := *fans
	add := func(c *conn) {
		f := perLoop[c.loop.index]
		if f == nil {
			f = fanPool.Get().(*fan) //nolint:forcetypeassert,errcheck // the pool holds nothing else
			perLoop[c.loop.index] = f
		}
		f.conns = append(f.conns, c)
	}
	e.subs.mu.RLock()
	e.subs.tree.Match(m.Topic, add)
	if m.Node == e.cfg.Node && e.subs.local.Len() > 0 {
		e.subs.local.Match(m.Topic, add)
	}
	groups := e.subs.shared.Len() > 0
	e.subs.mu.RUnlock()
	if groups && m.QoS == 0 && e.deps.Bus.Alone() {
		e.deliverGroups(m)
	}
	var org *account
	for i, f := range perLoop {
		if f == nil {
			continue
		}
		if org == nil {
			org = e.tenants.of(m.Topic)
		}
		perLoop[i] = nil
		e.loops[i].offer(m, f, org)
	}
	fansPool.Put(fans)
}

// offer queues a fan, or drops it where QoS 0 allows it and memory demands it, of
// those first that demand it most.
func (l *loop) offer(m *broker.Message, f *fan, org *account) {
	n, own := int64(len(f.conns)), org.backlog.Load()
	if m.QoS == 0 && (own > backlogFull/2 || own > backlogFair && l.backlog.Load() > backlogFull) {
		l.edge.stats.dropped.WithLabelValues("node_behind").Add(float64(n))
		recycle(f)
		return
	}
	f.message, f.org, f.size = m, org, len(f.conns)
	l.backlog.Add(n)
	org.backlog.Add(n)
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
	*f = fan{conns: f.conns[:0]}
	if cap(f.conns) <= keepReceivers {
		fanPool.Put(f)
	}
}

// subscribe enters c under its filters; done is called once, from any
// goroutine, when the interest of all of them is established.
func (e *Edge) subscribe(c *conn, filters []string, done func(error)) {
	e.stats.subscriptions.Add(float64(len(filters)))
	w := &waiter{left: len(filters) + 1, done: done}
	for _, f := range filters {
		parsed, err := topic.Parse(f)
		if err != nil {
			w.ready(err)
			continue
		}
		e.enter(c, f, parsed, w.ready)
	}
	w.ready(nil)
}

// enter adds one filter. Nobody but this node publishes below $SYS.
func (e *Edge) enter(c *conn, filter string, parsed topic.Subscription, ready func(error)) {
	tree := &e.subs.tree
	switch parsed.Kind {
	case topic.Share, topic.Queue:
		e.join(c, filter, parsed, ready)
		return
	case topic.Local:
		tree = &e.subs.local
	case topic.Plain:
	}
	e.subs.mu.Lock()
	tree.Add(parsed.Filter, c)
	e.subs.mu.Unlock()
	if parsed.Kind == topic.Local || topic.Organization(parsed.Filter) == sysRoot {
		ready(nil)
		return
	}
	e.deps.Bus.AddInterest(parsed.Filter, ready)
}

func (e *Edge) unsubscribe(c *conn, filters []string) {
	e.stats.subscriptions.Sub(float64(len(filters)))
	for _, f := range filters {
		if parsed, err := topic.Parse(f); err == nil {
			e.remove(c, f, parsed)
		}
	}
}

func (e *Edge) remove(c *conn, filter string, parsed topic.Subscription) {
	tree := &e.subs.tree
	switch parsed.Kind {
	case topic.Share, topic.Queue:
		e.leave(c, filter, parsed)
		return
	case topic.Local:
		tree = &e.subs.local
	case topic.Plain:
	}
	e.subs.mu.Lock()
	tree.Remove(parsed.Filter, c)
	e.subs.mu.Unlock()
	if parsed.Kind == topic.Plain && topic.Organization(parsed.Filter) != sysRoot {
		e.deps.Bus.RemoveInterest(parsed.Filter)
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
