package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
)

// groups holds a NATS queue subscription for each share group that has members
// here: NATS picks one of the nodes for every message. Like interests, callers
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
	digest := sha256.Sum256([]byte(k.group + "\x00" + k.filter))
	return "share." + hex.EncodeToString(digest[:16])
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

// JoinGroup makes this node one of those that the share group's messages go to:
// each goes to one node, through Receiver.DeliverShared. The organization is
// part of group; the filter's first level must be literal. Every call counts
// and is taken back by one LeaveGroup. ready is as AddInterest's. A bus that is
// alone has nothing to do: its Receiver sees every message.
func (b *Bus) JoinGroup(group, filter string, ready func(error)) {
	if b.Alone() {
		ready(nil)
		return
	}
	b.groups.join(groupKey{group: group, filter: filter}, ready)
}

// LeaveGroup takes one JoinGroup back. Messages that were on their way here may
// still come.
func (b *Bus) LeaveGroup(group, filter string) {
	if !b.Alone() {
		b.groups.leave(groupKey{group: group, filter: filter})
	}
}

func (g *groups) join(key groupKey, ready func(error)) {
	if _, err := filterSubjects(livePrefix, key.filter); err != nil {
		ready(err)
		return
	}
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

func (g *groups) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
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
	g.counters.shared.Add(1)
	if out := g.inlet.read(m); out != nil {
		(*r).DeliverShared(key.group, key.filter, out)
	}
}
