package edge

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// groupKey names a share group: the same name with another filter is another
// one. [MQTT-4.8.2-4].
type groupKey struct{ name, filter string }

// groupName makes the groups of organizations differ: a group is its
// organization's. All of $queue is one group, which no $share can name.
func groupName(parsed topic.Subscription) string {
	org := topic.Organization(parsed.Filter)
	if parsed.Kind == topic.Queue {
		return org + "//"
	}
	return org + "/" + parsed.Group
}

// leastGroupExpiry is how long a group outlives its members in an app whose
// sessions do not outlive their connections: long enough to be restarted.
const leastGroupExpiry = 5 * time.Minute

// join enters c under a share filter; ready is called once its messages are
// sure to come.
func (e *Edge) join(c *conn, filter string, parsed topic.Subscription, ready func(error)) {
	key := groupKey{groupName(parsed), parsed.Filter}
	app, expiry := c.app(), max(c.device.Settings().SessionExpiry, leastGroupExpiry)
	if !e.groupLimit.join(app, key, time.Now()) {
		ready(broker.ErrGroups)
		return
	}
	e.subs.mu.Lock()
	g := e.subs.groups[key]
	if g == nil {
		g = newGroup(e, key)
		e.subs.groups[key] = g
		e.subs.shared.Add(parsed.Filter, g)
	}
	m := &member{conn: c, filter: filter, group: g, place: -1}
	g.roster = append(slices.Clip(g.roster), m)
	e.subs.mu.Unlock()
	c.memberships = append(c.memberships, m)
	e.deps.Bus.JoinGroup(broker.Group{Name: key.name, Filter: key.filter, Shard: c.shard, Expiry: expiry}, ready)
}

// begin lets the session have messages of the groups it has joined: not before
// the SUBACK, as clients like it.
func (c *conn) begin() {
	if c.joining = c.session.Subscribing(); c.joining {
		return
	}
	for _, m := range c.memberships {
		m.group.enter(m)
	}
	c.report(true)
}

// leave takes c out, if it is in. The last one closes the group here.
func (e *Edge) leave(c *conn, filter string, parsed topic.Subscription) {
	key := groupKey{groupName(parsed), parsed.Filter}
	i := slices.IndexFunc(c.memberships, func(m *member) bool { return m.filter == filter })
	if i < 0 {
		return // there was no room for another group
	}
	m := c.memberships[i]
	if c.memberships = slices.Delete(c.memberships, i, i+1); len(c.memberships) == 0 {
		c.memberships = nil
	}
	g := m.group
	e.subs.mu.Lock()
	g.roster = slices.DeleteFunc(slices.Clone(g.roster), func(other *member) bool { return other == m })
	last := len(g.roster) == 0
	if last {
		delete(e.subs.groups, key)
		e.subs.shared.Remove(parsed.Filter, g)
	}
	e.subs.mu.Unlock()
	g.exit(m)
	if last {
		e.groupLimit.leave(c.app(), key, time.Now().Add(max(c.device.Settings().SessionExpiry, leastGroupExpiry)))
	}
	e.deps.Bus.LeaveGroup(key.name, key.filter)
}

func (c *conn) app() string { return c.device.App().Entry().App.TopicPrefix() }

// DeliverShared implements broker.Receiver: the message is this node's to give
// to one member.
func (e *Edge) DeliverShared(name, filter string, m *broker.Message, loan broker.Loan) {
	e.subs.mu.RLock()
	g := e.subs.groups[groupKey{name, filter}]
	e.subs.mu.RUnlock()
	switch {
	case loan != nil && g != nil:
		g.put(parcel{message: m, loan: loan, since: time.Now()})
	case loan != nil && loan.Return():
	case loan == nil && g != nil:
		e.hand(g, m, 0)
	default:
		e.stats.dropped.WithLabelValues("no_member").Inc()
	}
}

// deliverGroups gives a QoS 0 message to one member of each group that it
// matches.
func (e *Edge) deliverGroups(m *broker.Message) {
	var matched []*group
	e.subs.mu.RLock()
	e.subs.shared.Match(m.Topic, func(g *group) { matched = append(matched, g) })
	e.subs.mu.RUnlock()
	for _, g := range matched {
		e.hand(g, m, 0)
	}
}

// hand posts a QoS 0 message to the member whose turn it is. When as many as
// there are could not take it, it is lost.
func (e *Edge) hand(g *group, m *broker.Message, tried int) {
	e.subs.mu.RLock()
	roster := g.roster
	e.subs.mu.RUnlock()
	if tried >= len(roster) {
		e.stats.dropped.WithLabelValues("no_member").Inc()
		return
	}
	next := roster[int(g.next.Add(1))%len(roster)]
	next.conn.loop.post(event{kind: evDo, do: func(now time.Time) {
		c := next.conn
		c.hold()
		if c.closed || !c.session.DeliverShared(next.filter, m, nil, c.full(), now) {
			e.hand(g, m, tried+1)
			return
		}
		c.settle()
		c.countDrops()
	}})
}

// settleLoan does what the session wants done with a group's message.
func (c *conn) settleLoan(ef *session.Effect) {
	switch ef.Kind {
	case session.Done:
		ef.Loan.Done()
	case session.Take:
		c.take(ef.Loan)
	default:
		c.loop.edge.giveBack(ef)
	}
}

// giveBack takes a message from a member that cannot have it. Where the node
// has it for good, another member here may have it.
func (e *Edge) giveBack(ef *session.Effect) {
	if ef.Loan.Return() {
		return
	}
	if parsed, err := topic.Parse(ef.Filters[0]); err == nil && ef.Message != nil {
		e.DeliverShared(groupName(parsed), parsed.Filter, ef.Message, ef.Loan)
	}
}

// take keeps a group's message for the session.
func (c *conn) take(loan broker.Loan) {
	loan.Keep(func() {
		c.later(func(s *session.Session, now time.Time) { s.Taken(loan, now) })
	})
}

// sweepGroups gives back what no member here has taken for a while: elsewhere
// there may be one.
func (e *Edge) sweepGroups(now time.Time) {
	e.subs.mu.RLock()
	groups := make([]*group, 0, len(e.subs.groups))
	for _, g := range e.subs.groups {
		groups = append(groups, g)
	}
	e.subs.mu.RUnlock()
	for _, g := range groups {
		g.sweep(now)
	}
}
