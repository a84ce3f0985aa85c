package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// conn drives the session of one connection, as the edge does: it carries out
// its effects, each in its own time, and answers.
type conn struct {
	w       *world
	node    *node
	link    *link
	session *session.Session
	limits  session.Limits
	key     string
	mark    uint64 // of the last live message it got
	timer   time.Duration
	waiting []upload // packets that the session does not want yet
	closed  bool
	resumed []broker.Flight // what the record had on its way
	shard   uint16
	seat    *ownership.Seat
	holds   bool // the seat's session is this connection's
	epoch   uint64
	pending int          // publishes on their way
	will    *broker.Will // of the connection
	due     *broker.Will // the same, when it has to be published at once
}

func (n *node) accept(l *link) *conn {
	c := &conn{w: n.w, node: n, link: l}
	c.limits = session.DefaultLimits()
	c.limits.MaxInflight, c.limits.MaxAcked = 8, 4
	c.session = session.New(&c.limits, n.time())
	n.conns = append(n.conns, c)
	c.drain()
	return c
}

// receive takes a packet from the client.
func (c *conn) receive(u upload) {
	if c.dead() {
		return
	}
	c.waiting = append(c.waiting, u)
	c.feed()
}

// dead reports whether nothing of the connection is left here.
func (c *conn) dead() bool { return c.closed || !slices.Contains(c.node.conns, c) }

// feed gives the session what it wants.
func (c *conn) feed() {
	for len(c.waiting) > 0 && c.session.Wants() && !c.closed {
		u := c.waiting[0]
		c.waiting = c.waiting[1:]
		f, n, err := packet.Split(u.packet, 0)
		if err != nil || n != len(u.packet) {
			panic("not a whole packet")
		}
		c.session.Receive(f, c.node.time())
		if u.taken != nil {
			u.taken()
		}
		c.carryOut()
	}
}

// drain carries out what the session wants, after any call of it.
func (c *conn) drain() {
	if c.dead() {
		return
	}
	c.carryOut()
	c.feed()
	c.wind()
}

func (c *conn) carryOut() {
	for {
		effects := c.session.Effects()
		c.link.answer(c.session.Output())
		if len(effects) == 0 {
			return
		}
		for i := range effects {
			c.effect(&effects[i])
		}
	}
}

// wind sets the timer for the session's deadline, if it is earlier than the one
// that is set: a later one is found out when that goes off.
func (c *conn) wind() {
	deadline := c.session.Deadline()
	if c.closed || deadline.IsZero() {
		return
	}
	at := max(deadline.Sub(epoch)-c.node.skew, c.w.now)
	if c.timer != 0 && c.timer <= at {
		return
	}
	c.timer = at
	c.node.after(at-c.w.now, func() {
		if c.dead() || c.timer != at {
			return
		}
		c.timer = 0
		if d := c.session.Deadline(); !d.IsZero() && !c.node.time().Before(d) {
			c.session.Tick(c.node.time())
		}
		c.drain()
	})
}

// later answers an effect after a while, unless the connection is gone by then.
func (c *conn) later(most time.Duration, answer func(now time.Time)) {
	c.node.after(c.w.short(most), func() {
		if c.dead() {
			return
		}
		answer(c.node.time())
		c.drain()
	})
}

// ask is later for what NATS has to answer: work is done there, halfway. Where
// it cannot be reached there is an error instead, after a while.
func (c *conn) ask(work func(), answer func(err error, now time.Time)) {
	w := c.w
	if !c.node.reaches() || w.faults.lost(w) {
		c.node.after(time.Second, func() {
			if !c.dead() {
				answer(broker.ErrUnavailable, c.node.time())
				c.drain()
			}
		})
		return
	}
	c.node.after(w.short(w.faults.delay), func() {
		if c.dead() {
			return
		}
		work()
		c.later(w.faults.delay, func(now time.Time) { answer(nil, now) })
	})
}

func (c *conn) effect(e *session.Effect) {
	if c.w.tracing() {
		c.w.say(c.node.name, "%s: %s", c.link.client.name, showEffect(e))
	}
	switch e.Kind {
	case session.Authenticate:
		c.later(20*time.Millisecond, func(now time.Time) { c.session.Accept(c.admission(), now) })
	case session.Claim:
		c.claimSession(e)
	case session.Persist:
		c.node.table.Persist(c.seat, e.Record, e.Token, c.node.time())
		c.node.advance()
	case session.Publish:
		c.publish(e)
	case session.Close:
		c.close(e)
	default:
		c.serve(e)
	}
}

// serve carries out an effect that is about messages to the client.
func (c *conn) serve(e *session.Effect) {
	switch e.Kind {
	case session.Subscribe:
		c.subscribe(e)
	case session.Unsubscribe:
		for _, filter := range e.Filters {
			c.node.tree.Remove(filter, c)
			c.node.interest.Remove(filter, c)
		}
	case session.Read:
		c.read(e.Query)
	case session.Fetch:
		c.fetch(e.Seqs)
	case session.Replay:
		c.later(time.Millisecond, func(now time.Time) { c.session.Replayed(e.Cursor, nil, true, nil, now) })
	default:
	}
}

// grants lets a client do everything behind its organization's wall.
type grants struct{ org string }

func (g grants) MayPublish(name string) bool     { return topic.InsideWall(g.org, name) }
func (g grants) MaySubscribe(filter string) bool { return topic.InsideWall(g.org, filter) }

func (c *conn) admission() session.Admission {
	l := c.link.client
	c.key, c.shard = l.key, l.shard
	return session.Admission{
		Key: l.key, Node: c.node.name, Authorizer: grants{l.org}, Shard: l.shard, MaxExpiry: maxExpiry,
		Lossless: c.w.faults.alone, NextID: func(time.Time) ulidOf { return c.node.newID() }, Retention: c.w.faults.retention,
		Generation: c.w.shards[l.shard].generation(),
	}
}

func (c *conn) subscribe(e *session.Effect) {
	id, filters := e.PacketID, e.Filters
	for _, filter := range filters {
		c.node.tree.Add(filter, c)
	}
	var head uint64
	c.ask(func() {
		for _, filter := range filters {
			c.node.interest.Add(filter, c)
		}
		head = c.w.shards[c.shard].head()
	}, func(err error, now time.Time) { c.session.Subscribed(id, head, err, now) })
}

func (c *conn) read(q broker.Query) {
	var p broker.Page
	q.Limit = min(q.Limit, c.w.faults.page)
	c.ask(func() {
		s := c.w.shards[q.Shard]
		p = s.read(q, s.replica(c.w.now, c.w.faults.replicaLag(c.w)), c.node.time())
	}, func(err error, now time.Time) { c.session.Page(p, err, now) })
}

func (c *conn) fetch(seqs []uint64) {
	var messages []*broker.Message
	c.ask(func() { messages = c.w.shards[c.shard].fetch(seqs) },
		func(err error, now time.Time) { c.session.Fetched(seqs, messages, err, now) })
}

// publish hands a message to the bus: with QoS 0 to the live path alone.
func (c *conn) publish(e *session.Effect) {
	n, m, id := c.node, e.Message, e.PacketID
	number := numberOf(m.Payload)
	if m.ID.IsZero() {
		m.ID = n.newID()
	}
	m.Node = n.name
	if id == 0 && c.will != nil && m.ID == c.will.Message.ID {
		w := *c.will
		w.Message, w.Due, w.Delay = m, n.time(), 0
		c.due = &w
		return
	}
	if m.QoS == 0 {
		c.w.oracle.sentLive(number)
		n.deliver(m)
		n.announce(m)
		return
	}
	c.pending++
	n.lanes[c.shard].append(m, number, func(seq uint64, err error) {
		defer c.settled()
		if c.dead() {
			return
		}
		if err != nil && !errors.Is(err, broker.ErrUnavailable) {
			panic(err)
		}
		c.session.Published(id, err, n.time())
		c.drain()
	})
}

// call tells the session something, if it is still there.
func (c *conn) call(do func(*session.Session, time.Time)) {
	if !c.dead() {
		do(c.session, c.node.time())
		c.drain()
	}
}

// drained tells the session that there is room again.
func (c *conn) drained() {
	if !c.link.congested() {
		c.call((*session.Session).Drained)
	}
}

// lost is the end of the connection as the edge notices it.
func (c *conn) lost() { c.call((*session.Session).Lost) }

// probe makes the session ask the log whether it has missed something.
func (c *conn) probe() { c.call((*session.Session).Probe) }

// close is the end of the connection.
func (c *conn) close(e *session.Effect) {
	c.closed = true
	if e.Reason.Name == session.ReasonDisconnected.Name {
		c.link.testament.discard(c.node)
	} else if c.holds {
		c.link.testament.close(c.node)
	}
	c.node.conns = slices.DeleteFunc(c.node.conns, func(o *conn) bool { return o == c })
	c.closeSeat(e)
	c.link.answer(c.session.Output())
	c.link.hangUp()
}

// resent reports whether a message was on its way when the session's last
// connection ended, by the record.
func (c *conn) resent(a arrival) bool {
	return slices.ContainsFunc(c.resumed, func(f broker.Flight) bool {
		e := c.w.shards[c.shard].at(f.Seq)
		return f.PacketID == a.id && !f.Released && e != nil && e.number == a.number
	})
}
