package session

import (
	"slices"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// subscription is one filter of a session.
type subscription struct {
	filter string
	qos    byte // granted
}

// subscriptions are a session's filters: most have a handful, so a slice.
type subscriptions struct {
	list []subscription
	// mixed says that not all have the same QoS, so that a message's depends
	// on which of them match.
	mixed bool
	// shrunk says that some filter was removed: a message may then be on its
	// way that matches none any more.
	shrunk bool
}

func (s *subscriptions) index(filter string) int {
	return slices.IndexFunc(s.list, func(sub subscription) bool { return sub.filter == filter })
}

// set adds a filter, or replaces its QoS if it is there. [MQTT-3.8.4-3].
func (s *subscriptions) set(filter string, qos byte) (added bool) {
	i := s.index(filter)
	if i >= 0 {
		s.list[i].qos = qos
	} else {
		s.list = append(s.list, subscription{filter: filter, qos: qos})
	}
	s.compare()
	return i < 0
}

func (s *subscriptions) remove(filter string) bool {
	i := s.index(filter)
	if i < 0 {
		return false
	}
	s.list = slices.Delete(s.list, i, i+1)
	s.shrunk = true
	s.compare()
	return true
}

func (s *subscriptions) compare() {
	s.mixed = slices.ContainsFunc(s.list, func(sub subscription) bool { return sub.qos != s.list[0].qos })
}

// qos is the quality of service that m is delivered with: the highest of the
// subscriptions that match [MQTT-3.3.5-1], and not above m's own. It is false
// if none matches. m was matched by the driver already, so the filters are
// looked at only where that does not settle it.
func (s *subscriptions) qos(m *broker.Message) (byte, bool) {
	if len(s.list) == 0 {
		return 0, false
	}
	if !s.shrunk && (!s.mixed || m.QoS == 0) {
		return min(m.QoS, s.list[0].qos), true
	}
	best, found := byte(0), false
	for i := range s.list {
		sub := &s.list[i]
		if (found && sub.qos <= best) || !topic.Match(sub.filter, m.Topic) {
			continue
		}
		best, found = sub.qos, true
		if best >= m.QoS || !s.mixed {
			break
		}
	}
	return min(m.QoS, best), found
}

// filters lists all filters.
func (s *subscriptions) filters() []string {
	filters := make([]string, len(s.list))
	for i, sub := range s.list {
		filters[i] = sub.filter
	}
	return filters
}
