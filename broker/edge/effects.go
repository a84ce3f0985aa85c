package edge

import (
	"errors"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// carryOut does what the session asks for.
func (c *conn) carryOut(ef *session.Effect) {
	switch ef.Kind {
	case session.Authenticate:
		c.authenticate(ef.Connect)
	case session.Reauthenticate:
		c.reauthenticate(ef.Credential)
	case session.Claim:
		c.claim(ef)
	case session.Persist, session.Disown:
		c.record(ef)
	case session.Publish:
		c.publish(ef)
	case session.Subscribe:
		c.subscribe(ef.PacketID, ef.Filters)
	case session.Unsubscribe:
		c.unsubscribe(ef.Filters)
	case session.Denied:
		c.denied(ef)
	case session.Done, session.Return, session.Take:
		c.settleLoan(ef)
	case session.Close:
		c.close(ef)
	default:
		c.lookUp(ef)
	}
}

// lookUp reads what the session asks for.
func (c *conn) lookUp(ef *session.Effect) {
	switch ef.Kind {
	case session.Read:
		c.read(ef.Query)
	case session.Fetch:
		c.fetch(ef.Seqs)
	case session.Replay:
		c.replay(ef)
	case session.Abandon:
		c.abandon(ef.Cursor)
	default:
	}
}

// later runs f on the connection's loop, with what it then waits for.
func (c *conn) later(f func(s *session.Session, now time.Time)) {
	c.loop.post(event{kind: evDo, do: func(now time.Time) {
		c.step(func(s *session.Session) { f(s, now) })
		c.countDrops()
		c.readOn(now)
	}})
}

// publish hands a message to the bus, or keeps it and stops reading the client
// until the bus takes it.
func (c *conn) publish(ef *session.Effect) {
	if ef.PacketID == 0 && c.part(ef.Message, time.Now()) {
		return
	}
	c.loop.edge.stats.publishes.WithLabelValues(qosLabel[ef.Message.QoS]).Inc()
	if ef.PacketID != 0 {
		c.pending++
	}
	c.pause(len(ef.Message.Payload))
	c.handOn(ef.Message, uint64(ef.PacketID))
}

// handOn is publish for a message that may go.
func (c *conn) handOn(m *broker.Message, tag uint64) {
	if c.above != nil && c.above.holds(m, tag) {
		return
	}
	if c.stalled == 0 && c.offer(m, tag) {
		return
	}
	c.stalled++
	c.loop.stalled = append(c.loop.stalled, stalled{conn: c, message: m, tag: tag})
}

// pause stops reading a client whose app publishes faster than it may: the
// message is taken, and the next one waits. Nothing is lost by that.
func (c *conn) pause(size int) {
	limits := c.device.Settings()
	if c.paused || (limits.PublishRate == 0 && limits.PublishBytes == 0) {
		return
	}
	wait := c.usage.publish(size, limits, time.Now())
	if wait <= 0 {
		return
	}
	c.paused = true
	c.loop.edge.stats.throttled.Inc()
	time.AfterFunc(wait, func() {
		c.loop.post(event{kind: evDo, do: func(now time.Time) {
			c.paused = false
			c.step(func(s *session.Session) { s.Alive(now) })
			c.readOn(now)
		}})
	})
}

// offer gives m to the bus; false means to try again later. A tag of 0 asks
// for no acknowledgement: QoS 0, and wills.
func (c *conn) offer(m *broker.Message, tag uint64) bool {
	var ack broker.Acknowledger
	if tag != 0 {
		ack = c
	}
	err := c.loop.edge.deps.Bus.Publish(m, ack, tag)
	switch {
	case err == nil:
		return true
	case errors.Is(err, broker.ErrOverloaded):
		return false
	case tag != 0:
		c.Published(tag, m, err) // the session says what becomes of it
	}
	if c.complains() {
		c.log().Warn("message not accepted", slog.String("topic", m.Topic), slog.Any("error", err))
	}
	return true
}

// subscribe enters the filters and answers the session once other nodes'
// messages are sure to arrive for all of them, with where the log then was.
func (c *conn) subscribe(id uint16, filters []string) {
	e := c.loop.edge
	answer := func(head uint64, err error) {
		c.later(func(s *session.Session, now time.Time) { s.Subscribed(id, head, err, now) })
		c.loop.post(event{kind: evDo, do: func(time.Time) { c.begin() }})
	}
	// Over the limit the filters are entered all the same: the session takes
	// them back, the same way as after any other failure.
	over := e.apps.subscribe(c.usage, len(filters), c.device.Settings())
	e.subscribe(c, filters, func(err error) {
		if err = errors.Join(over, err); err != nil {
			answer(0, err)
			return
		}
		e.deps.Bus.Head(c.shard, answer)
	})
}

func (c *conn) unsubscribe(filters []string) {
	c.loop.edge.unsubscribe(c, filters)
	_ = c.loop.edge.apps.subscribe(c.usage, -len(filters), c.device.Settings()) // fewer is never too many
}

// read reads a page of the log. Looking up costs the log more than handing
// out, so the pages of a session with a long way to go become larger.
func (c *conn) read(q broker.Query) {
	c.page = max(c.page, q.Limit)
	q.Limit = c.page
	c.loop.edge.deps.Bus.Read(q, func(p broker.Page, err error) {
		c.later(func(s *session.Session, now time.Time) {
			c.page = min(2*c.page, maxPage)
			if !p.More {
				c.page = 0
			}
			s.Page(p, err, now)
		})
	})
}

// maxPage is the most messages that are read at once; the bus bounds a page in
// bytes, too.
const maxPage = 1024

func (c *conn) fetch(seqs []uint64) {
	c.loop.edge.deps.Bus.Get(c.shard, seqs, func(messages []*broker.Message, err error) {
		c.later(func(s *session.Session, now time.Time) { s.Fetched(seqs, messages, err, now) })
	})
}

// replay reads on from a cursor of retained messages.
func (c *conn) replay(ef *session.Effect) {
	cursor := c.cursors[ef.Cursor]
	if cursor == nil {
		cursor = c.loop.edge.retained(ef.Filters[0])
		if c.cursors == nil {
			c.cursors = make(map[uint32]broker.Cursor)
		}
		c.cursors[ef.Cursor] = cursor
	}
	id := ef.Cursor
	cursor.Next(ef.Limit, func(messages []*broker.Message, done bool, err error) {
		c.later(func(s *session.Session, now time.Time) {
			if c.above != nil && len(messages) > 0 {
				c.above.heard(messages[0].Topic, now) // a literal organization's, all of them
			}
			s.Replayed(id, messages, done, err, now)
		})
	})
}

func (e *Edge) retained(filter string) broker.Cursor {
	switch topic.Organization(filter) {
	case sysRoot:
		return e.sysCursor(filter, time.Now())
	case "+", "#":
		return &sysCursor{} // nobody is sent all that all organizations retain
	}
	return e.deps.Bus.Retained(filter)
}

func (c *conn) abandon(id uint32) {
	if cursor := c.cursors[id]; cursor != nil {
		cursor.Close()
		delete(c.cursors, id)
	}
	if len(c.cursors) == 0 {
		c.cursors = nil
	}
}

// denied counts what the client may not do and logs it, once a while: a device
// that tries over and over must not fill the disk.
func (c *conn) denied(ef *session.Effect) {
	var what, name string
	if ef.Message != nil {
		what, name = "publish", ef.Message.Topic
	} else {
		what, name = "subscribe", ef.Filters[0]
	}
	c.loop.edge.stats.denied.WithLabelValues(what).Inc()
	if c.complains() {
		c.log().Info("denied", slog.String("packet", what), slog.String("topic", name), slog.String("reason", ef.Reason.Name))
	}
}

// complains reports whether it is time for another line of what the client may
// not do or its app has no room for.
func (c *conn) complains() bool {
	now := time.Now()
	if now.Sub(c.complained) < complainEvery {
		return false
	}
	c.complained = now
	return true
}

// complainEvery is how often one connection's denials are logged.
const complainEvery = 10 * time.Second

// close keeps or forgets the session's record, then ends the connection after
// its last output.
func (c *conn) close(ef *session.Effect) {
	if c.closed {
		return
	}
	c.closed = true
	e, reason := c.loop.edge, ef.Reason
	for id := range c.cursors {
		c.abandon(id)
	}
	c.giveUp(ef, time.Now())
	if c.usage != nil {
		e.apps.disconnect(c.device.App().Entry().App.TopicPrefix(), c.usage)
	}
	e.stats.closed.WithLabelValues(reason.Name).Inc()
	if m := reason.Malformed; m != nil {
		e.stats.malformed.WithLabelValues(m.Packet.String(), m.Clause).Inc()
	}
	level := slog.LevelInfo
	if reason.Normal {
		level = slog.LevelDebug
	}
	c.log().Log(e.ctx, level, "connection closed", slog.String("reason", reason.Name), slog.String("detail", reason.Text))
	c.collect()
	c.send()
	c.in = nil
	c.transport.finish()
}

// log is the edge's logger with what is known of the client.
func (c *conn) log() *slog.Logger {
	l := c.loop.edge.log.With(slog.String("remote", c.transport.remote()))
	if c.session != nil && c.session.ClientID() != "" {
		l = l.With(slog.String("client_id", c.session.ClientID()))
	}
	if c.device != nil {
		l = l.With(slog.String("org", c.device.Org), slog.String("app", c.device.Identity.App), slog.String("user", c.device.User))
	}
	return l
}
