package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Deliver takes a live message that matches a subscription, once. e is shared
// by the message's receivers; congested says that the transport has enough to
// write. QoS 0 is dropped then. QoS 1 waits if it has to, and if too much
// waits the session ends: nothing of QoS 1 is ever dropped behind the client's
// back.
func (s *Session) Deliver(m *broker.Message, e *Encodings, congested bool, now time.Time) {
	if s.phase != connected {
		return
	}
	s.congested = congested
	s.pump(now) // a message must not overtake those that wait [MQTT-4.6.0-5]
	qos, ok := s.subscriptions.qos(m)
	switch {
	case !ok: // matched a filter that was unsubscribed meanwhile [MQTT-3.10.4-2]
	case m.Expired(now):
		s.drops.Expired++
	case qos == 0 && congested:
		s.drops.Congested++
	case qos == 0:
		s.out = e.appendTo(s.out, m, 0, 0)
	case s.mayFly() && s.pending.len() == 0:
		s.out = e.appendTo(s.out, m, qos, s.window.open())
	default:
		s.wait(m)
	}
}

// mayFly reports whether one more QoS 1 message may be sent.
func (s *Session) mayFly() bool {
	return !s.congested && s.window.len() < s.limits.MaxInflight
}

// wait queues a QoS 1 message.
func (s *Session) wait(m *broker.Message) {
	s.pending.push(m)
	if s.pending.len() > s.limits.MaxPending || s.pending.bytes > s.limits.MaxPendingBytes {
		s.end(ReasonSlowConsumer)
	}
}

// Drained reports that the transport is not congested any more.
func (s *Session) Drained(now time.Time) {
	if s.phase == connected {
		s.congested = false
		s.pump(now)
	}
}

// receivePuback makes room in the window. One that belongs to no message is
// ignored: it does no harm, and clients do send it after a reconnect.
func (s *Session) receivePuback(f packet.Frame, now time.Time) {
	var p packet.Ack
	if err := p.Decode(f); err != nil {
		s.malformed(err)
		return
	}
	if s.window.close(p.PacketID) { // [MQTT-4.3.2-1]
		s.pump(now)
	}
}

// burst bounds in bytes what pump puts into Output at once, so that a full
// window of large messages is not copied for a client that does not read. The
// PUBACKs of what was sent bring it back.
const burst = 64 << 10

// pump sends what waits, as far as the window and the transport allow.
func (s *Session) pump(now time.Time) {
	for s.pending.len() > 0 && s.mayFly() && (len(s.out) < burst || s.window.len() == 0) {
		m := s.pending.pop()
		if m.Expired(now) {
			s.drops.Expired++
			continue
		}
		s.out = packet.Publish{
			QoS: 1, PacketID: s.window.open(), Topic: []byte(m.Topic), Payload: m.Payload,
		}.Append(s.out)
	}
}
