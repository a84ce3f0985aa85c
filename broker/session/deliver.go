package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Deliver takes a live message that matches a subscription, once. e is shared
// by the message's receivers; congested says that the transport has enough to
// write. QoS 0 is dropped then. With QoS 1 and 2 the session falls behind: it
// ignores live messages and reads on from the log as it gets room, so nothing
// is lost and nothing is queued.
func (s *Session) Deliver(m *broker.Message, e *Encodings, congested bool, now time.Time) {
	if s.phase != connected {
		return
	}
	s.congested = congested
	g, ok := s.grant(m)
	switch {
	case !ok: // matched a filter that was unsubscribed meanwhile [MQTT-3.10.4-2]
	case m.Expired(now):
		s.drops.Expired++ // [MQTT-3.3.2-5]
	case g.qos == 0 && congested:
		s.drops.Congested++
	case g.qos == 0:
		s.write(m, g, e, 0, m.Retain && g.retain, now)
	default:
		s.deliverLogged(m, g, e, now)
	}
}

// deliverLogged takes a live message that the log has, too.
func (s *Session) deliverLogged(m *broker.Message, g grant, e *Encodings, now time.Time) {
	seq := m.Position.Seq
	switch {
	case seq != 0 && (seq <= s.reader.upTo || s.progress.done(seq) || s.flights.carries(seq)):
		s.progress.newest = max(s.progress.newest, seq) // had before
	case s.reader.behind || !s.mayFly():
		s.fallBehind(seq)
		s.pump(now)
	default:
		s.progress.newest = max(s.progress.newest, seq)
		s.launch(m, g, e, now)
	}
}

// launch sends a message with QoS 1 or 2.
func (s *Session) launch(m *broker.Message, g grant, e *Encodings, now time.Time) {
	id := s.flights.open(flight{
		Flight: broker.Flight{Seq: m.Position.Seq, QoS: g.qos}, at: m.ID.Time(),
	})
	if !s.write(m, g, e, id, m.Retain && g.retain, now) {
		s.flights.remove(s.flights.index(id)) // as if it had been delivered [MQTT-3.1.2-25]
		s.complete(m.Position.Seq, now)
	}
}

// mayFly reports whether one more QoS 1 or 2 message may be sent.
// [MQTT-3.3.4-9].
func (s *Session) mayFly() bool {
	return !s.congested && s.flights.len() < s.peer.receiveMaximum && len(s.flights.list) < s.limits.MaxInflight+s.peer.receiveMaximum
}

// complete notes that the client has a message.
func (s *Session) complete(seq uint64, now time.Time) {
	if seq == 0 {
		return
	}
	s.progress.ack(seq)
	s.lookUp(now)
}

// Drained reports that the transport is not congested any more.
func (s *Session) Drained(now time.Time) {
	if s.phase == connected {
		s.congested = false
		s.pump(now)
	}
}

// burst bounds in bytes what pump puts into Output at once, so that a full
// window of large messages is not copied for a client that does not read. The
// acknowledgements of what was sent bring it back.
const burst = 64 << 10

// roomy reports whether pump may go on.
func (s *Session) roomy() bool {
	return s.mayFly() && (len(s.out) < burst || s.flights.len() == 0)
}

// pump sends what waits, as far as the window and the transport allow: first
// what a resumed session has to send again [MQTT-4.6.0-1], then share messages,
// then the log, then retained messages.
func (s *Session) pump(now time.Time) {
	if s.phase != connected {
		return
	}
	s.sendAgain(now)
	s.sendHanded(now)
	s.readOn(now)
	s.replayOn(now)
}

// receiveAck takes the client's acknowledgement of a message. One that belongs
// to no message is ignored: it does no harm, and clients do send it after a
// reconnect.
func (s *Session) receiveAck(f packet.Frame, now time.Time) {
	var p packet.Ack
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	i := s.flights.index(p.PacketID)
	if i >= 0 && s.flights.list[i].unsent {
		i = -1
	}
	switch f.Type {
	case packet.PUBACK:
		s.receivePuback(i, now)
	case packet.PUBREC:
		s.receivePubrec(i, &p, now)
	default:
		s.receivePubcomp(i)
	}
	s.pump(now)
}

func (s *Session) receivePuback(i int, now time.Time) {
	if i < 0 || s.flights.list[i].QoS != 1 {
		return
	}
	seq, own := s.flights.list[i].Seq, s.flights.list[i].group == ""
	s.flights.remove(i) // [MQTT-4.3.2-3] its identifier is free
	if own {
		s.complete(seq, now)
	}
}

// receivePubrec goes on to the second half of QoS 2: from now on the client
// has the message, and it must not be sent again. [MQTT-4.3.3-4] [MQTT-4.3.3-5].
func (s *Session) receivePubrec(i int, p *packet.Ack, now time.Time) {
	if i < 0 || s.flights.list[i].QoS != 2 {
		s.pubrel(p.PacketID, packet.PacketIdentifierNotFound)
		return
	}
	e := &s.flights.list[i]
	seq, own, first := e.Seq, e.group == "", !e.Released
	if p.Reason >= packet.UnspecifiedError {
		s.flights.remove(i) // the exchange is over, and nothing goes out again
	} else {
		e.Released, e.message = true, nil
		s.pubrel(p.PacketID, packet.Success)
	}
	if own && first {
		s.complete(seq, now)
	}
}

// pubrel answers a PUBREC; only 5.0 can be told that it was not expected.
func (s *Session) pubrel(id uint16, reason packet.ReasonCode) {
	s.out = packet.Ack{Type: packet.PUBREL, Version: s.version, PacketID: id, Reason: reason}.Append(s.out) // [MQTT-3.6.1-1]
}

func (s *Session) receivePubcomp(i int) {
	if i >= 0 && s.flights.list[i].Released {
		s.flights.remove(i)
	}
}
