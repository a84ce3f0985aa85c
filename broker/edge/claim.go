package edge

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// seatOf is the connection that has a seat.
func seatOf(s *ownership.Seat) *conn {
	c, _ := s.Conn.(*conn)
	return c
}

// claim makes the session this connection's own. A will has its identifier from
// here on.
func (c *conn) claim(ef *session.Effect) {
	key := c.session.Key()
	if w := ef.Will; w != nil {
		w.Message.ID, w.Message.Undated = nextID(time.Now()), true
		c.will = w
	}
	c.table = c.loop.edge.owners.era.Load().table(ownership.Hash(key))
	r := ownership.Request{Clean: ef.Clean, Durable: ef.Durable, Expiry: ef.Expiry, Will: ef.Will}
	c.table.do(func(o *ownership.Table, now time.Time) { c.seat = o.Connect(key, r, c, now) })
}

// entered is called when the session is this connection's, from any goroutine.
func (c *conn) entered(ef *ownership.Effect) {
	record, epoch := ef.Record, ef.Epoch
	c.loop.post(event{kind: evDo, do: func(now time.Time) { c.admit(record, epoch, now) }})
}

// admit lets the client in, with the session that its last connection left.
func (c *conn) admit(record *broker.Record, epoch uint64, now time.Time) {
	if c.closed { // meanwhile
		c.leave(ownership.End{Record: ownership.Unused(record, now)})
		return
	}
	c.admitted, c.epoch = true, epoch
	c.step(func(s *session.Session) { s.Claimed(record, nil, now) })
	if c.session.Connected() {
		c.loop.edge.admission.accepted(c.transport)
		c.known = true
		c.emit(broker.Event{Type: broker.EventConnected, At: now})
	}
	c.readOn(now)
}

// turnedAway is called when the connection does not get its session, from any
// goroutine.
func (c *conn) turnedAway(err error) {
	c.later(func(s *session.Session, now time.Time) { s.Claimed(nil, err, now) })
}

// takeover ends the connection because its session is another's, from any
// goroutine.
func (c *conn) takeover() {
	c.later(func(s *session.Session, now time.Time) { s.Takeover(now) })
}

// record writes the session's record, or takes the connection's will out of the
// store: nobody is to publish that, should this node die.
func (c *conn) record(ef *session.Effect) {
	if ef.Kind == session.Disown {
		c.will = nil
		c.table.do(func(o *ownership.Table, now time.Time) { o.Disown(c.seat, now) })
		return
	}
	record, token := ef.Record, ef.Token
	c.table.do(func(o *ownership.Table, now time.Time) { o.Persist(c.seat, record, token, now) })
}

// persisted is called when a record is written or cannot be, from any goroutine.
func (c *conn) persisted(token uint32, err error) {
	c.later(func(s *session.Session, now time.Time) { s.Persisted(token, err, now) })
}

// giveUp leaves the session as the connection leaves it: with its record and
// its will, or as it was if it never was this connection's.
func (c *conn) giveUp(ef *session.Effect, now time.Time) {
	switch {
	case c.seat == nil:
	case !c.admitted:
		c.table.do(func(o *ownership.Table, now time.Time) { o.Abandon(c.seat, now) })
	default:
		will := ef.Will
		if c.parting != nil {
			will = c.parting
		}
		c.leave(ownership.End{Record: ef.Record, Will: will})
		if c.known {
			published := will != nil && !will.Due.After(now)
			c.emit(broker.Event{Type: broker.EventDisconnected, Reason: ef.Reason.Name, At: now, Will: published})
		}
	}
	c.will, c.parting = nil, nil
}

func (c *conn) leave(end ownership.End) {
	end.Settled = c.pending == 0
	c.table.do(func(o *ownership.Table, now time.Time) { o.Close(c.seat, end, now) })
}

// settled notes that one more publish has its answer. The next connection of
// the client waits for the last one.
func (c *conn) settled() {
	if c.pending--; c.pending == 0 && c.closed && c.seat != nil {
		c.table.do(func(o *ownership.Table, now time.Time) { o.Settled(c.seat, now) })
	}
}

// part keeps a will that the session publishes as it ends, which is done from
// the store. Any other message is not one.
func (c *conn) part(m *broker.Message, now time.Time) bool {
	if c.will == nil || m.ID != c.will.Message.ID {
		return false
	}
	w := *c.will
	w.Message, w.Lifetime, w.Due, w.Delay = m, 0, now, 0
	c.parting = &w
	return true
}

// emit tells whoever follows events of this client.
func (c *conn) emit(e broker.Event) {
	edge := c.loop.edge
	e.Org, e.App, e.User, e.ClientID = c.device.Org, c.device.Identity.App, c.device.User, c.device.ClientID
	e.Node, e.Instance, e.Epoch = edge.cfg.Node, c.table.instance, c.epoch
	edge.deps.Bus.Emit(e)
}
