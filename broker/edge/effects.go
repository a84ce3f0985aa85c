package edge

import (
	"errors"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/fault"
)

// carryOut does what the session asks for.
func (c *conn) carryOut(ef *session.Effect) {
	switch ef.Kind {
	case session.Authenticate:
		c.authenticate(ef.Connect)
	case session.Publish:
		c.publish(ef)
	case session.Subscribe:
		c.subscribe(ef.PacketID, ef.Filters)
	case session.Unsubscribe:
		c.loop.edge.unsubscribe(c, ef.Filters)
	case session.Denied:
		c.loop.edge.stats.denied.Inc()
		c.log().Info("publish denied", slog.String("topic", ef.Message.Topic), slog.String("reason", ef.Reason.Name))
	case session.Close:
		c.close(ef.Reason)
	}
}

// authenticate asks who the client is, off the loop: an app that is not cached
// is read from the store.
func (c *conn) authenticate(p *packet.Connect) {
	if p.ClientID == "" {
		p.ClientID = "auto-" + ulid.Make().String() // [MQTT-3.1.3-6]
	}
	e := c.loop.edge
	creds := auth.Credentials{ClientID: p.ClientID, Username: p.Username, Password: p.Password}
	go func() {
		device, err := e.deps.Devices.Authenticate(e.ctx, creds)
		c.loop.post(event{kind: evDo, do: func(now time.Time) { c.authenticated(device, err, now) }})
	}()
}

func (c *conn) authenticated(device *auth.Device, err error, now time.Time) {
	e := c.loop.edge
	if c.closed {
		return
	}
	if err != nil {
		code, reason := refusal(err)
		e.stats.refused.WithLabelValues(reason.Name).Inc()
		c.log().Info("connect refused", slog.Any("error", err))
		c.step(func(s *session.Session) { s.Refuse(code, reason, now) })
		return
	}
	c.device = device
	key := broker.SessionKey(device.Org, device.Identity.App, device.User, device.ClientID)
	c.step(func(s *session.Session) {
		s.Accept(session.Admission{
			Key: key, Authorizer: device, Expires: device.Expires,
			Shard: device.App().Entry().App.Shard,
		}, now)
	})
	if !c.closed { // its will may have been refused
		e.admission.accepted(c.transport)
		e.own(key, c, now)
		c.readOn(now)
	}
}

// refusal maps an authentication's fault to CONNACK's code [MQTT-3.2.2-5].
func refusal(err error) (packet.ConnackCode, session.Reason) {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Overloaded, fault.Internal:
		return packet.ServerUnavailable, session.ReasonUnavailable
	case fault.Forbidden, fault.OutsideWall:
		return packet.NotAuthorized, session.ReasonNotAuthorized
	default:
		return packet.BadUserNameOrPassword, session.ReasonBadCredentials
	}
}

// publish hands a message to the bus, or keeps it and stops reading the client
// until the bus takes it.
func (c *conn) publish(ef *session.Effect) {
	c.loop.edge.stats.publishes.WithLabelValues(qosLabel[ef.Message.QoS]).Inc()
	tag := uint64(ef.PacketID)
	if c.stalled == 0 && c.offer(ef.Message, tag) {
		return
	}
	c.stalled++
	c.loop.stalled = append(c.loop.stalled, stalled{conn: c, message: ef.Message, tag: tag})
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
	c.log().Warn("message not accepted", slog.String("topic", m.Topic), slog.Any("error", err))
	return true
}

// subscribe enters the filters and answers the session once other nodes'
// messages are sure to arrive for all of them.
func (c *conn) subscribe(id uint16, filters []string) {
	done := func(err error) {
		c.loop.post(event{kind: evDo, do: func(now time.Time) {
			c.step(func(s *session.Session) { s.Subscribed(id, err, now) })
			c.readOn(now)
		}})
	}
	c.loop.edge.subscribe(c, filters, done)
}

// close ends the connection after its last output.
func (c *conn) close(reason session.Reason) {
	if c.closed {
		return
	}
	c.closed = true
	e := c.loop.edge
	e.disown(c)
	e.stats.closed.WithLabelValues(reason.Name).Inc()
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
