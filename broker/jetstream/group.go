package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// groups holds a NATS queue subscription for each share group that has members
// here, for QoS 0: NATS picks one of the nodes for every message. Like interests, callers
// only note what they want and one goroutine brings NATS in line.
type groups struct {
	conn     *nats.Conn
	inbox    chan *nats.Msg
	inlet    *inlet
	log      *slog.Logger
	counters *counters
	bell     bell

	mu      sync.Mutex // guards the fields below, and refs
	members map[groupKey]*membership
	dirty   []*membership
	waiting []waiter
	closed  bool

	// subsMu guards subs; it is held while one is made, so that its first
	// message finds it. It is never held together with mu.
	subsMu sync.RWMutex
	subs   map[*nats.Subscription]groupKey
}

// groupKey is what MQTT calls a shared subscription: the same group name with
// another filter is another one (MQTT 5.0 section 4.8.2).
type groupKey struct{ group, filter string }

// queue is the name of a group's NATS queue. NATS counts queues of one name as
// one, whatever their subjects, so the filter is part of it; a digest, because
// group and filter can be long and hold what NATS would not take.
func (k groupKey) queue() string {
	return "share." + k.digest()
}

// digest is the same on all nodes. The group's name and the filter begin with
// the organization, so nobody can hit upon another one's.
func (k groupKey) digest() string {
	digest := sha256.Sum256([]byte(k.group + "\x00" + k.filter))
	return hex.EncodeToString(digest[:16])
}

// membership is a group with members here.
type membership struct {
	groupKey

	refs int
	subs []*nats.Subscription // the goroutine's
}

func newGroups(conn *nats.Conn, in *inlet, c *counters, log *slog.Logger) *groups {
	return &groups{
		conn:     conn,
		inbox:    make(chan *nats.Msg, inboxMessages),
		inlet:    in,
		log:      log,
		counters: c,
		bell:     bell{rung: make(chan struct{}, 1)},
		members:  make(map[groupKey]*membership),
		subs:     make(map[*nats.Subscription]groupKey),
	}
}

// JoinGroup makes this node one of those that a share group's messages go to,
// through Receiver.DeliverShared: with QoS 0 each to one of the nodes, as it
// comes; with QoS 1 and 2 each to one that asks for it by WantGroup. The
// filter's first level must be literal. Every call counts and is taken back by
// one LeaveGroup. ready is called once no message can be missed any more,
// possibly before JoinGroup returns, and must not block; an error says that the
// membership cannot be had, and it is to be taken back all the same.
func (b *Bus) JoinGroup(group broker.Group, ready func(error)) {
	if _, err := filterSubjects(livePrefix, group.Filter); err != nil {
		ready(err)
		return
	}
	if int(group.Shard) >= b.shards {
		ready(fault.Newf(fault.Internal, "shard %d of %d does not exist", group.Shard, b.shards))
		return
	}
	if b.Alone() {
		b.shares.join(group, ready)
		return
	}
	both := joint(2, ready)
	b.groups.join(groupKey{group: group.Name, filter: group.Filter}, both)
	b.shares.join(group, both)
}

// LeaveGroup takes one JoinGroup back. Messages that were on their way here may
// still come.
func (b *Bus) LeaveGroup(group, filter string) {
	key := groupKey{group: group, filter: filter}
	b.shares.leave(key)
	if !b.Alone() {
		b.groups.leave(key)
	}
}

// WantGroup says how many more messages of a group this node's members have
// room for, with QoS 1 and 2, until it is called again: no more are sent here,
// but for a few when the room becomes less. It may be called as often as that
// changes.
func (b *Bus) WantGroup(group, filter string, n int) {
	if s := b.shares.find(groupKey{group: group, filter: filter}); s != nil {
		s.want(n)
	}
}

// joint calls ready after n answers, with the first error.
func joint(n int, ready func(error)) func(error) {
	var mu sync.Mutex
	var first error
	return func(err error) {
		mu.Lock()
		if n--; first == nil {
			first = err
		}
		last, result := n == 0, first
		mu.Unlock()
		if last {
			ready(result)
		}
	}
}

func (g *groups) join(key groupKey, ready func(error)) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		ready(errClosed)
		return
	}
	m := g.members[key]
	if m == nil {
		m = &membership{groupKey: key}
		g.members[key] = m
	}
	if m.refs++; m.refs == 1 {
		g.dirty = append(g.dirty, m)
	}
	g.waiting = append(g.waiting, newWaiter(ready))
	g.mu.Unlock()
	g.bell.ring()
}

func (g *groups) leave(key groupKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.members[key]
	if m == nil || m.refs == 0 {
		return
	}
	if m.refs--; m.refs == 0 {
		g.dirty = append(g.dirty, m)
		g.bell.ring()
	}
}

// run brings NATS in line until ctx ends; those who wait then hear so.
func (g *groups) run(ctx context.Context) {
	for {
		select {
		case <-g.bell.rung:
			g.bell.heard()
		case <-ctx.Done():
			g.mu.Lock()
			waiting := g.waiting
			g.waiting, g.closed = nil, true
			g.mu.Unlock()
			dismissed(waiting)
			return
		}
		again := flushed(ctx, g.conn, g.apply())
		if len(again) == 0 {
			continue
		}
		g.mu.Lock()
		g.waiting = append(again, g.waiting...)
		g.mu.Unlock()
		if wait(ctx, flushRetry) {
			g.bell.ring()
		}
	}
}

// apply makes and drops subscriptions and returns who waits for that.
func (g *groups) apply() []waiter {
	g.mu.Lock()
	dirty, waiting := g.dirty, g.waiting
	g.dirty, g.waiting = nil, nil
	g.mu.Unlock()
	for _, m := range dirty {
		g.mu.Lock()
		wanted := m.refs > 0
		if !wanted && g.members[m.groupKey] == m {
			delete(g.members, m.groupKey)
		}
		g.mu.Unlock()
		switch {
		case !wanted:
			g.unsubscribe(m)
		case len(m.subs) == 0:
			g.subscribe(m)
		}
	}
	return waiting
}

// subscribe fails only when the connection is closed: the filter was checked.
func (g *groups) subscribe(m *membership) {
	subjects, err := filterSubjects(livePrefix, m.filter)
	g.subsMu.Lock()
	defer g.subsMu.Unlock()
	for _, subject := range subjects {
		s, failed := g.conn.ChanQueueSubscribe(subject, m.queue(), g.inbox)
		if failed != nil {
			err = failed
			break
		}
		m.subs = append(m.subs, s)
		g.subs[s] = m.groupKey
	}
	if err != nil {
		g.log.Error("no membership in a share group", slog.String("filter", m.filter), slog.Any("error", err))
	}
}

func (g *groups) unsubscribe(m *membership) {
	g.subsMu.Lock()
	defer g.subsMu.Unlock()
	for _, s := range m.subs {
		_ = s.Unsubscribe() // fails only when the connection is closed
		delete(g.subs, s)
	}
	m.subs = nil
}

// receive hands messages over until ctx ends.
func (g *groups) receive(ctx context.Context) {
	for {
		select {
		case m := <-g.inbox:
			g.deliver(m)
		case <-ctx.Done():
			return
		}
	}
}

func (g *groups) deliver(m *nats.Msg) {
	g.subsMu.RLock()
	key, ok := g.subs[m.Sub]
	g.subsMu.RUnlock()
	r := g.inlet.receiver.Load()
	if !ok || r == nil {
		return // the last member left
	}
	out := g.inlet.read(m)
	if out == nil || out.QoS > 0 { // which the group gets from the log
		return
	}
	g.counters.shared.Add(1)
	(*r).DeliverShared(key.group, key.filter, out, nil)
}
