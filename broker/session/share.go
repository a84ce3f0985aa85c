package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// handed is a message that waits for room in the window and cannot be read
// from the log by this session: a share group's, or one that was not logged.
type handed struct {
	message *broker.Message
	filter  string // the group's; empty: none
}

// maxHanded bounds what waits: beyond it another member does better.
const maxHanded = 64

// DeliverShared takes a message that its share group has given to this member.
// It is false when the session cannot take it: another member should.
func (s *Session) DeliverShared(filter string, m *broker.Message, congested bool, now time.Time) bool {
	i := s.subscriptions.index(filter)
	if s.phase != connected || i < 0 {
		return false
	}
	s.congested = congested
	sub := &s.subscriptions.list[i]
	qos := min(m.QoS, sub.QoS)
	switch {
	case m.Expired(now):
		s.drops.Expired++
	case qos == 0 && congested:
		return false
	case qos == 0:
		s.write(m, sub.share(m), nil, 0, now)
	case len(s.rare().handed) == 0 && s.flights.unsent == 0 && s.mayFly():
		s.launchShared(m, sub, now)
		s.persist(now)
	case len(s.rare().handed) < maxHanded:
		s.own().handed = append(s.own().handed, handed{message: m, filter: filter})
	default:
		return false
	}
	return true
}

// share is how a group's message is delivered.
func (s *subscription) share(m *broker.Message) grant {
	return grant{qos: min(m.QoS, s.QoS), retain: m.Retain && s.RetainAsPublished, id: s.ID}
}

// launchShared sends a message of a group. With QoS 1 it is kept until the
// client has it, as it goes to another member if this one is lost.
func (s *Session) launchShared(m *broker.Message, sub *subscription, now time.Time) {
	g := sub.share(m)
	if g.qos == 0 { // granted less meanwhile
		s.write(m, g, nil, 0, now)
		return
	}
	f := flight{Flight: broker.Flight{Seq: m.Position.Seq, QoS: g.qos, Retain: g.retain, Group: sub.Filter}}
	if g.qos == 1 {
		f.message = m
	}
	id := s.flights.open(f)
	switch {
	case s.holds(g.qos):
		s.hold(m, now)
	case !s.write(m, g, nil, id, now):
		s.miss(s.flights.index(id), now)
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
		if h.filter != "" {
			s.launchShared(h.message, &s.subscriptions.list[s.subscriptions.index(h.filter)], now)
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

// returnHanded gives a group back what waits for the subscription that ended.
func (s *Session) returnHanded() {
	r := s.rare()
	var kept []handed
	for _, h := range r.handed {
		if h.filter == "" || s.subscriptions.index(h.filter) >= 0 {
			kept = append(kept, h)
			continue
		}
		s.emit(Effect{Kind: Return, Filters: []string{h.filter}, Message: h.message})
	}
	if len(kept) < len(r.handed) {
		r.handed = kept
	}
}

// giveBack returns what the client has not acknowledged to its groups
// (MQTT 5.0 section 4.8.2). A QoS 2 message that was sent may have arrived and
// must not arrive twice: it stays with this session [MQTT-4.8.2-4], and is lost
// to the group if the session ends. [MQTT-4.8.2-5].
func (s *Session) giveBack() {
	for i := range s.flights.list {
		if e := &s.flights.list[i]; e.Group != "" && (e.QoS == 1 || (e.held && e.Seq == 0)) {
			s.emit(Effect{Kind: Return, Filters: []string{e.Group}, Message: e.message})
		}
	}
	for _, h := range s.rare().handed {
		if h.filter != "" {
			s.emit(Effect{Kind: Return, Filters: []string{h.filter}, Message: h.message})
		}
	}
}
