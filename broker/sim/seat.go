package sim

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// seat is a stand-in for ownership.
type seat struct{ epoch uint64 }

type stored struct {
	record *broker.Record
	epoch  uint64
}

var _ = stored{}

func (c *conn) claim(e *session.Effect) {
	w, clean := c.w, e.Clean
	if e.Will != nil {
		e.Will.Message.ID, e.Will.Message.Undated = c.node.newID(), true
	}
	for _, n := range w.nodes {
		for _, o := range append([]*conn(nil), n.conns...) {
			if o != c && o.key == c.key && o.session.Connected() {
				o.session.Takeover(o.node.time())
				o.drain()
			}
		}
	}
	s := w.records[c.key]
	s.epoch++
	c.owner.epoch = s.epoch
	if clean {
		s.record = nil
	}
	w.records[c.key] = s
	r := s.record
	if r != nil {
		c.resumed = r.Inflight
	}
	if e.Durable && r == nil {
		s.record = &broker.Record{}
		w.records[c.key] = s
	}
	c.moved = r != nil
	c.session.Claimed(r, nil, c.node.time())
}

func (c *conn) save(r *broker.Record) bool {
	s := c.w.records[c.key]
	if s.epoch != c.owner.epoch {
		return false
	}
	s.record = r
	c.w.records[c.key] = s
	if r != nil {
		c.link.client.sub.recorded(r)
	}
	return true
}

func (c *conn) persist(e *session.Effect) {
	c.ask(func() {
		if c.save(e.Record) {
			e.Record = nil
		}
	}, func(err error, now time.Time) {
		if err == nil && e.Record != nil {
			err = broker.ErrConflict
		}
		c.session.Persisted(e.Token, err, now)
	})
}

func (c *conn) close(e *session.Effect) {
	c.closed = true
	if c.owner.epoch != 0 {
		c.save(e.Record)
	}
	if e.Reason.Name == session.ReasonDisconnected.Name {
		c.link.testament.discard()
	}
	for i, o := range c.node.conns {
		if o == c {
			c.node.conns = append(c.node.conns[:i:i], c.node.conns[i+1:]...)
			break
		}
	}
	c.link.answer(c.session.Output())
	c.link.hangUp()
}

// resent reports whether a message was on its way when the session's last
// connection ended, by the record.
func (c *conn) resent(a arrival) bool {
	for _, f := range c.resumed {
		if e := c.w.shards[c.shard].at(f.Seq); f.PacketID == a.id && !f.Released && e != nil && e.number == a.number {
			return true
		}
	}
	return false
}
