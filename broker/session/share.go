package session

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// handed is a message that waits for room in the window and cannot be read
// from the log, as it was not logged.
type handed struct{ message *broker.Message }

// maxHanded bounds what waits.
const maxHanded = 64

// Load returns how many QoS 1 and 2 messages are on their way to the client, and
// how many more DeliverShared takes.
func (s *Session) Load() (inflight, room int) {
	inflight = len(s.flights.list)
	if s.phase != connected || s.congested || s.flights.unsent > 0 {
		return inflight, 0
	}
	return inflight, max(0, int(s.peer.receiveMaximum)-inflight)
}

// DeliverShared takes a message that its share group has given to this member.
// It is false when the session cannot take it: another member should. A loan,
// which a message with QoS 0 does not have, is handed back by an effect; the
// session calls none of its methods.
func (s *Session) DeliverShared(filter string, m *broker.Message, loan broker.Loan, congested bool, now time.Time) bool {
	i := s.subscriptions.index(filter)
	if s.phase != connected || i < 0 {
		return false
	}
	s.congested = congested
	sub := &s.subscriptions.list[i]
	g := sub.share(m)
	_, room := s.Load()
	switch {
	case m.Expired(now):
		s.drops.Expired++
		s.dealtWith(loan)
	case g.qos == 0 && congested, g.qos > 0 && room == 0:
		return false
	case g.qos == 0:
		s.write(m, g, nil, 0, now)
		s.dealtWith(loan)
	default:
		s.launchShared(m, sub.Filter, g, loan, now)
		s.persist(now)
	}
	return true
}

// share is how a group's message is delivered.
func (s *subscription) share(m *broker.Message) grant {
	return grant{qos: min(m.QoS, s.QoS), retain: m.Retain && s.RetainAsPublished, id: s.ID}
}

// launchShared sends a message of a group. One with QoS 2 has to be this
// session's for good before.
func (s *Session) launchShared(m *broker.Message, filter string, g grant, loan broker.Loan, now time.Time) {
	id := s.flights.open(flight{
		Flight: broker.Flight{Seq: m.Position.Seq, QoS: g.qos, Retain: g.retain, Group: filter}, loan: loan,
	})
	switch {
	case g.qos == 2 || s.holds(g.qos):
		s.hold(m, now)
	case !s.write(m, g, nil, id, now):
		s.miss(s.flights.index(id), now)
	}
}

// dealtWith tells a group that one of its messages is done with.
func (s *Session) dealtWith(loan broker.Loan) {
	if loan != nil {
		s.emit(Effect{Kind: Done, Loan: loan})
	}
}

// Taken answers a Take effect.
func (s *Session) Taken(loan broker.Loan, now time.Time) {
	i := slices.IndexFunc(s.flights.list, func(e flight) bool { return e.loan == loan })
	if s.phase == connected && i >= 0 {
		s.flights.list[i].taken = true
		s.sendReady(now)
	}
}

// sendHanded sends what waits.
func (s *Session) sendHanded(now time.Time) {
	r := s.rare()
	for len(r.handed) > 0 && s.roomy() && s.flights.unsent == 0 {
		h := r.handed[0]
		if r.handed[0], r.handed = (handed{}), r.handed[1:]; len(r.handed) == 0 {
			r.handed = nil
		}
		if h.message.Expired(now) {
			s.drops.Expired++
			continue
		}
		switch g, ok := s.grantAfter(h.message, false); {
		case !ok:
		case g.qos == 0: // granted less meanwhile
			s.write(h.message, g, nil, 0, now)
		default:
			s.launch(h.message, g, nil, now)
		}
	}
}

// giveBack returns to the groups what the client has not acknowledged (MQTT 5.0
// section 4.8.2). A QoS 2 message that was sent may have arrived and must not
// arrive twice: it stays with this session [MQTT-4.8.2-4], and is lost to the
// group if the session ends. [MQTT-4.8.2-5]. So does one that was taken for that
// purpose, if the session goes on.
func (s *Session) giveBack() {
	s.flights.list = slices.DeleteFunc(s.flights.list, func(e flight) bool {
		if e.loan == nil || (e.taking && s.durable()) {
			return false
		}
		s.emit(Effect{Kind: Return, Filters: []string{e.Group}, Message: e.message, Loan: e.loan})
		return true
	})
}
