package sim

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// newTable begins the ownership of an instance.
func (n *node) newTable() {
	n.table = ownership.New(ownership.Config{
		Instance: n.instance, Seed: n.w.Uint64(), Alone: n.w.faults.alone, AssertEvery: assertEvery,
	})
	n.asked, n.wakeAt, n.heard = nil, 0, map[string]holder{}
}

// assertEvery is shorter than on a cluster, so that a world need not be long.
const assertEvery = 20 * time.Second

// claimSession has the table find out whose the session is.
func (c *conn) claimSession(e *session.Effect) {
	c.will = e.Will
	if c.will != nil {
		c.will.Message.ID, c.will.Message.Undated, c.will.Message.Node = c.node.newID(), true, c.node.name
	}
	c.seat = c.node.table.Connect(c.key, ownership.Request{
		Clean: e.Clean, Durable: e.Durable, Expiry: e.Expiry, Will: e.Will,
	}, c, c.node.time())
	c.node.advance()
}

// entered is the table's answer.
func (c *conn) entered(r *broker.Record, epoch uint64, err error) {
	now := c.node.time()
	if c.closed {
		if err == nil {
			c.node.table.Close(c.seat, ownership.End{Record: ownership.Unused(r, now), Settled: true}, now)
		}
		return
	}
	c.holds, c.epoch = err == nil, epoch
	if c.holds {
		c.w.oracle.entered(c.link.client, r != nil)
	}
	if r != nil {
		r.Renew(c.w.shards[c.shard].generations)
		c.resumed = r.Inflight
	}
	if c.w.tracing() {
		c.w.say(c.node.name, "%s: enters with epoch %d, record %v, %v", c.link.client.name, epoch, r != nil, err)
	}
	c.session.Claimed(r, err, now)
	c.drain()
}

// closeSeat leaves the session as the connection's end says.
func (c *conn) closeSeat(e *session.Effect) {
	now := c.node.time()
	switch {
	case c.seat == nil:
	case !c.holds:
		c.node.table.Abandon(c.seat, now)
	default:
		end := ownership.End{Record: e.Record, Will: e.Will, Settled: c.pending == 0}
		if c.due != nil {
			end.Will = c.due
		}
		c.node.table.Close(c.seat, end, now)
	}
	c.node.advance()
}

// settled notes the outcome of one of the connection's publishes.
func (c *conn) settled() {
	if c.pending--; c.pending == 0 && c.closed && c.seat != nil {
		c.node.table.Settled(c.seat, c.node.time())
		c.node.advance()
	}
}

// advance carries out what the table wants, after any call of it.
func (n *node) advance() {
	if n.advancing {
		return
	}
	n.advancing = true
	for effects := n.table.Effects(); len(effects) > 0; effects = n.table.Effects() {
		for i := range effects {
			n.own(&effects[i])
		}
	}
	n.advancing = false
	n.wakeTable()
}

// wakeTable sets the timer for the table's deadline.
func (n *node) wakeTable() {
	deadline := n.table.Deadline()
	if deadline.IsZero() {
		return
	}
	at := max(deadline.Sub(epoch)-n.skew, n.w.now)
	if n.wakeAt != 0 && n.wakeAt <= at {
		return
	}
	n.wakeAt = at
	n.after(at-n.w.now, func() {
		if n.wakeAt == at {
			n.wakeAt = 0
			n.table.Tick(n.time())
			n.advance()
		}
	})
}

func seated(e *ownership.Effect) *conn {
	c, ok := e.Seat.Conn.(*conn)
	if !ok {
		panic("a seat without a connection")
	}
	return c
}

// own carries out one effect of the table.
func (n *node) own(e *ownership.Effect) {
	if n.w.tracing() && e.Kind != ownership.Assert {
		n.w.say(n.name, "table: %s", showOwnership(e))
	}
	switch e.Kind {
	case ownership.Enter:
		seated(e).entered(e.Record, e.Epoch, nil)
	case ownership.Refuse:
		seated(e).entered(nil, 0, e.Err)
	case ownership.Persisted:
		seated(e).call(func(s *session.Session, now time.Time) { s.Persisted(e.Token, e.Err, now) })
	case ownership.Evict:
		seated(e).call((*session.Session).Takeover)
	case ownership.Load, ownership.Save, ownership.Erase, ownership.PutWill, ownership.DropWill, ownership.RouseWill, ownership.KeepWill:
		n.keep(e)
	default:
		n.confer(e)
	}
}

// confer carries out an effect that is about other nodes.
func (n *node) confer(e *ownership.Effect) {
	instance := n.instance
	switch e.Kind {
	case ownership.Claim:
		n.numberClaim(e)
	case ownership.Unclaim:
		n.unclaim(e.Key, e.Number)
	case ownership.Ask:
		n.askOwner(e)
	case ownership.Answer:
		n.answerOwner(e)
	case ownership.Announce:
		n.tell(func(other *node) { other.table.Heard(instance, e.Key, e.Epoch, other.time()) })
	case ownership.Assert:
		n.tell(func(other *node) { other.table.HeardAll(instance, e.Claims, other.time()) })
	default:
		panic("no such effect: " + e.Kind.String())
	}
}

func (n *node) numberClaim(e *ownership.Effect) {
	n.after(n.w.short(n.w.faults.delay), func() {
		number, former := n.claim(e.Key)
		n.table.Claimed(e.Seat, number, former, nil, n.time())
		n.advance()
	})
}

// keep carries out an effect that the store answers.
func (n *node) keep(e *ownership.Effect) {
	op, s := e.Op, n.w.store
	switch e.Kind {
	case ownership.Load:
		var found broker.Stored
		n.request(func() { found = s.load(e.Key, n.w.oneIn(n.w.faults.failOf)) },
			func(err error) { n.table.Loaded(op, found, err, n.time()); n.advance() })
	case ownership.Save, ownership.Erase:
		n.write(e)
	case ownership.PutWill:
		will, revision := *e.Will, uint64(0)
		n.requestIn(storePatience, func() { revision = s.putWill(&will) },
			func(err error) { n.table.Saved(op, revision, err, n.time()); n.advance() })
	case ownership.DropWill:
		n.forgetWill(e.Instance, e.Key)
		n.request(func() { _ = s.dropWill(e.Instance, e.Key, 0) },
			func(err error) { n.table.Done(op, err, n.time()); n.advance() })
	case ownership.RouseWill:
		n.rouse(e)
	case ownership.KeepWill:
		n.keepWill(e.Will)
	default:
		panic("no such effect: " + e.Kind.String())
	}
}

func (n *node) write(e *ownership.Effect) {
	op, kind, r := e.Op, e.Kind, clone(e.Record)
	var revision uint64
	var refused error
	n.request(func() { revision, refused = n.w.store.save(e.Key, r, e.Revision) }, func(err error) {
		if err == nil {
			err = refused
		}
		if kind == ownership.Erase {
			n.table.Done(op, err, n.time())
		} else {
			n.table.Saved(op, revision, err, n.time())
		}
		n.advance()
	})
}

// askOwner asks an instance for a session. Whether one lives is not always
// known.
func (n *node) askOwner(e *ownership.Effect) {
	op, key, answered, life := e.Op, e.Key, false, n.life
	done := func(err error) {
		if !answered {
			answered = true
			n.table.Done(op, err, n.time())
			n.advance()
		}
	}
	n.after(3*time.Second, func() { done(broker.ErrUnavailable) })
	other := n.w.instance(e.Instance)
	switch {
	case other == nil && n.w.oneIn(2):
		n.after(time.Millisecond, func() { done(nil) })
	case other == nil || !n.reaches():
	default:
		other.after(n.w.short(n.w.faults.delay), func() {
			if !other.reaches() {
				return
			}
			other.asked = append(other.asked, func() {
				n.afterIn(life, n.w.short(n.w.faults.delay), func() { done(nil) })
			})
			other.table.Asked(key, uint64(len(other.asked)), other.time())
			other.advance()
		})
	}
}

func (n *node) answerOwner(e *ownership.Effect) {
	if n.reaches() {
		n.asked[e.Ticket-1]()
	}
}

// instance is the node that an instance runs on, nil if it is gone.
func (w *world) instance(name string) *node {
	for _, n := range w.nodes {
		if n.up && n.instance == name {
			return n
		}
	}
	return nil
}
