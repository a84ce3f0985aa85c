package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// handed is a message of a share group that waits for room in the window.
type handed struct {
	message *broker.Message
	filter  string
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
		s.write(m, grant{id: sub.ID}, nil, 0, m.Retain && sub.RetainAsPublished, now)
	case len(s.handed) == 0 && s.mayFly():
		s.launchShared(m, sub, now)
	case len(s.handed) < maxHanded:
		s.handed = append(s.handed, handed{message: m, filter: filter})
	default:
		return false
	}
	return true
}

// launchShared sends a message of a group. It is kept until the client has it,
// as it goes to another member if this one is lost. [MQTT-4.8.2-4] [MQTT-4.8.2-5].
func (s *Session) launchShared(m *broker.Message, sub *subscription, now time.Time) {
	qos := min(m.QoS, sub.QoS)
	id := s.flights.open(flight{
		Flight: broker.Flight{Seq: m.Position.Seq, QoS: qos}, message: m, group: sub.Filter,
	})
	g := grant{qos: qos, id: sub.ID}
	if !s.write(m, g, nil, id, m.Retain && sub.RetainAsPublished, now) {
		s.flights.remove(s.flights.index(id))
	}
}

// sendHanded sends what waits.
func (s *Session) sendHanded(now time.Time) {
	for len(s.handed) > 0 && s.roomy() && s.flights.unsent == 0 {
		h := s.handed[0]
		s.handed = s.handed[1:]
		i := s.subscriptions.index(h.filter)
		switch {
		case i < 0:
			s.emit(Effect{Kind: Return, Filters: []string{h.filter}, Message: h.message})
		case h.message.Expired(now):
			s.drops.Expired++
		default:
			s.launchShared(h.message, &s.subscriptions.list[i], now)
		}
	}
	if len(s.handed) == 0 {
		s.handed = nil
	}
}

// giveBack returns what the client has not acknowledged to its groups. A QoS 2
// message that was sent may have arrived and must not arrive twice: it stays
// with this session, and is lost to the group if the session ends.
// [MQTT-4.8.2-6].
func (s *Session) giveBack() {
	for i := range s.flights.list {
		if e := &s.flights.list[i]; e.group != "" && e.QoS == 1 {
			s.emit(Effect{Kind: Return, Filters: []string{e.group}, Message: e.message})
		}
	}
	for _, h := range s.handed {
		s.emit(Effect{Kind: Return, Filters: []string{h.filter}, Message: h.message})
	}
	s.handed = nil
}
