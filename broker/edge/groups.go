package edge

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// groupKey names a share group: the same name with another filter is another
// one. [MQTT-4.8.2-4].
type groupKey struct{ name, filter string }

// group is this node's members of one share group.
type group struct {
	key     groupKey
	members []member // replaced, never changed; guarded by subscriptions.mu
	next    atomic.Uint32
	backlog []*broker.Message // found no member with room; guarded by subscriptions.mu
}

// member is one session's subscription to a group.
type member struct {
	conn   *conn
	filter string // as the client wrote it
}

// groupBacklog bounds what waits for a member with room, in messages.
const groupBacklog = 1 << 16

// groupName makes the groups of organizations differ: a group is its
// organization's. All of $queue is one group, which no $share can name.
func groupName(parsed topic.Subscription) string {
	org := topic.Organization(parsed.Filter)
	if parsed.Kind == topic.Queue {
		return org + "//"
	}
	return org + "/" + parsed.Group
}

// join enters c under a share filter; ready is called once its messages are
// sure to come.
func (e *Edge) join(c *conn, filter string, parsed topic.Subscription, ready func(error)) {
	key := groupKey{groupName(parsed), parsed.Filter}
	e.subs.mu.Lock()
	g := e.subs.groups[key]
	if g == nil {
		g = &group{key: key}
		e.subs.groups[key] = g
		e.subs.shared.Add(parsed.Filter, g)
	}
	first := len(g.members) == 0
	g.members = append(slices.Clip(g.members), member{c, filter})
	e.subs.mu.Unlock()
	if first {
		e.deps.Bus.JoinGroup(key.name, key.filter, ready)
		return
	}
	ready(nil)
}

// leave takes c out. The last one closes the group.
func (e *Edge) leave(c *conn, filter string, parsed topic.Subscription) {
	key := groupKey{groupName(parsed), parsed.Filter}
	e.subs.mu.Lock()
	g := e.subs.groups[key]
	if g == nil {
		e.subs.mu.Unlock()
		return
	}
	g.members = slices.DeleteFunc(slices.Clone(g.members), func(m member) bool { return m.conn == c && m.filter == filter })
	last := len(g.members) == 0
	if last {
		delete(e.subs.groups, key)
		e.subs.shared.Remove(parsed.Filter, g)
		e.stats.dropped.WithLabelValues("no_member").Add(float64(len(g.backlog)))
	}
	e.subs.mu.Unlock()
	if last {
		e.deps.Bus.LeaveGroup(key.name, key.filter)
	}
}

// DeliverShared implements broker.Receiver: the message is this node's to give
// to one member.
func (e *Edge) DeliverShared(name, filter string, m *broker.Message) {
	e.subs.mu.RLock()
	g := e.subs.groups[groupKey{name, filter}]
	e.subs.mu.RUnlock()
	if g == nil {
		e.stats.dropped.WithLabelValues("no_member").Inc()
		return
	}
	e.hand(g, m, 0)
}

// deliverGroups gives a message to one member of each group that it matches.
func (e *Edge) deliverGroups(m *broker.Message) {
	var matched []*group
	e.subs.mu.RLock()
	if e.subs.shared.Len() > 0 {
		e.subs.shared.Match(m.Topic, func(g *group) { matched = append(matched, g) })
	}
	e.subs.mu.RUnlock()
	for _, g := range matched {
		e.hand(g, m, 0)
	}
}

// hand posts a message to the member whose turn it is. When as many as there
// are could not take it, it waits for one with room.
func (e *Edge) hand(g *group, m *broker.Message, tried int) {
	e.subs.mu.RLock()
	members := g.members
	e.subs.mu.RUnlock()
	if tried >= len(members) {
		e.keepShared(g, m)
		return
	}
	next := members[int(g.next.Add(1))%len(members)]
	next.conn.loop.post(event{kind: evDo, do: func(now time.Time) {
		c := next.conn
		if c.closed || !c.session.DeliverShared(next.filter, m, c.congested, now) {
			e.hand(g, m, tried+1)
			return
		}
		c.settle()
		c.countDrops()
	}})
}

// keepShared keeps a message for later; QoS 0, and what is too much, is lost.
func (e *Edge) keepShared(g *group, m *broker.Message) {
	e.subs.mu.Lock()
	defer e.subs.mu.Unlock()
	if m.QoS == 0 || len(g.backlog) >= groupBacklog || len(g.members) == 0 {
		e.stats.dropped.WithLabelValues("no_member").Inc()
		return
	}
	g.backlog = append(g.backlog, m)
}

// retryGroups offers what waits to the members again.
func (e *Edge) retryGroups() {
	type waiting struct {
		group    *group
		messages []*broker.Message
	}
	var all []waiting
	e.subs.mu.Lock()
	for _, g := range e.subs.groups {
		if len(g.backlog) > 0 {
			all = append(all, waiting{g, g.backlog})
			g.backlog = nil
		}
	}
	e.subs.mu.Unlock()
	for _, w := range all {
		for _, m := range w.messages {
			e.hand(w.group, m, 0)
		}
	}
}

// giveBack takes a message from a member that cannot have it to another one.
func (e *Edge) giveBack(filter string, m *broker.Message) {
	parsed, err := topic.Parse(filter)
	if err != nil {
		return
	}
	e.DeliverShared(groupName(parsed), parsed.Filter, m)
}
