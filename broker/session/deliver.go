package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
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
	if m.Position.Shard == s.shard { // not another organization's, which a super-client hears
		s.progress.heard = max(s.progress.heard, m.Position.Seq)
	}
	g, ok := s.grant(m)
	switch {
	case !ok: // matched a filter that was unsubscribed meanwhile [MQTT-3.10.4-2], or is its own
		s.pass(m)
	case m.Expired(now):
		s.drops.Expired++ // [MQTT-3.3.2-5]
		s.pass(m)
	case g.qos == 0 && congested:
		s.drops.Congested++
	case g.qos == 0:
		s.write(m, g, e, 0, now)
	case m.Position.Seq == 0:
		s.deliverUnlogged(m, g, e, now)
	default:
		s.deliverLogged(m, g, e, now)
	}
}

// deliverLogged takes a live message that the log has, too.
func (s *Session) deliverLogged(m *broker.Message, g grant, e *Encodings, now time.Time) {
	seq := m.Position.Seq
	switch {
	case seq <= s.reader.upTo || s.progress.done(seq) || s.flights.carries(seq) || s.late(m):
		// Had before, or older than its subscription.
	case s.reader.behind || !s.mayFly() || s.lacks(m):
		s.fallBehind(seq)
		s.pump(now)
	case s.tooEarly(m):
		s.progress.early = max(s.progress.early, seq)
	default:
		s.progress.newest = max(s.progress.newest, inOrder(m))
		s.launch(m, g, e, now)
		s.persist(now)
	}
}

// inOrder is the sequence up to which nothing that is owed comes after a live
// message. It is of use where nothing is lost on the way.
func inOrder(m *broker.Message) uint64 {
	if m.Overtakes != 0 {
		return min(m.Position.Seq, m.Overtakes-1)
	}
	return m.Position.Seq
}

// pass notes that a live message came that does not go out, so that the next one
// of its publisher does not miss it.
func (s *Session) pass(m *broker.Message) {
	if seq := m.Position.Seq; seq != 0 && m.Position.Shard == s.shard && !s.lossless && !s.reader.behind && len(s.progress.acked) < s.limits.MaxAcked {
		s.progress.ack(seq)
	}
}

// deliverUnlogged takes a message that is nowhere else: as nobody durable can
// want it, the log was spared it. It waits for room within bounds; without any
// the client would miss it, and has to know.
func (s *Session) deliverUnlogged(m *broker.Message, g grant, e *Encodings, now time.Time) {
	switch {
	case !s.reader.behind && len(s.rare().handed) == 0 && s.mayFly():
		s.launch(m, g, e, now)
		s.persist(now)
	case len(s.rare().handed) < maxHanded:
		s.own().handed = append(s.own().handed, handed{message: m})
		s.pump(now)
	default:
		s.end(ReasonSlowConsumer, now)
	}
}

// launch sends a message with QoS 1 or 2.
func (s *Session) launch(m *broker.Message, g grant, e *Encodings, now time.Time) {
	id := s.flights.open(flight{
		Flight: broker.Flight{Seq: m.Position.Seq, QoS: g.qos, Retain: g.retain}, at: m.ID.Time(),
	})
	switch {
	case s.holds(g.qos):
		s.hold(m, now)
	case !s.write(m, g, e, id, now):
		s.miss(s.flights.index(id), now)
	}
}

// mayFly reports whether one more QoS 1 or 2 message may be sent.
// [MQTT-3.3.4-9].
func (s *Session) mayFly() bool {
	most := int(s.peer.receiveMaximum)
	return !s.congested && s.flights.len() < most && len(s.flights.list) < s.limits.MaxInflight+most
}

// complete notes that the client has a message.
func (s *Session) complete(seq uint64, now time.Time) {
	if seq == 0 {
		return
	}
	s.progress.ack(seq)
	s.touched(now)
	s.lookUp(now)
}

// Congest reports that nothing more should go out until Drained: the transport
// has enough to write, or the client's tenant has been sent what it may be. What
// is on its way stays so, and messages are treated as Deliver says.
func (s *Session) Congest() {
	if s.phase == connected {
		s.congested = true
	}
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
// what a resumed session has to send again [MQTT-4.6.0-1], then what was handed
// to it, then the log, then retained messages.
func (s *Session) pump(now time.Time) {
	if s.phase != connected {
		return
	}
	s.sendAgain(now)
	s.sendHanded(now)
	s.readOn(now)
	s.replayOn(now)
	s.persist(now)
}
