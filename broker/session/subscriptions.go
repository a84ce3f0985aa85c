package session

import (
	"math"
	"slices"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// subscription is one filter of a session.
type subscription struct {
	broker.Subscription

	match string // the filter without $share, $queue or $local
	kind  topic.Kind
	begun bool // Start is known: the log's messages after it are owed
}

// unknown is the Start of a subscription that was raised above QoS 0 while a
// resumed session does not know where the log is: nothing is owed yet.
const unknown = math.MaxUint64

// logged reports whether the log keeps messages of this kind of subscription.
func (s *subscription) logged() bool {
	return s.QoS > 0 && (s.kind == topic.Plain || s.kind == topic.Local) && !isServerTopic(s.match)
}

// owed reports whether it keeps them for this one.
func (s *subscription) owed() bool { return s.begun && s.Start != unknown && s.logged() }

// subscriptions are a session's filters: most have a handful, so a slice.
type subscriptions struct {
	list []subscription
	// mixed says that a message's delivery depends on which filters match it:
	// they differ in QoS, or have options or identifiers.
	mixed bool
	// shrunk says that some filter was removed: a message may then be on its
	// way that matches none any more.
	shrunk bool
}

// grant is how a message is delivered to this session.
type grant struct {
	qos    byte
	retain bool     // the RETAIN flag
	id     uint32   // the subscription identifier; 0: none
	ids    []uint32 // all of them, when several filters have one
}

func (s *subscriptions) index(filter string) int {
	return slices.IndexFunc(s.list, func(sub subscription) bool { return sub.Filter == filter })
}

// set adds a filter, or replaces its options if it is there; where the
// messages begin that are owed to it stays as it is. [MQTT-3.8.4-3].
func (s *subscriptions) set(sub subscription) {
	i := s.index(sub.Filter)
	if i >= 0 {
		sub.Start, sub.begun = s.list[i].Start, s.list[i].begun
		s.list[i] = sub
	} else {
		s.list = append(s.list, sub)
	}
	s.compare()
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
	s.mixed = slices.ContainsFunc(s.list, func(sub subscription) bool {
		return sub.QoS != s.list[0].QoS || sub.ID != 0 || sub.NoLocal || sub.RetainAsPublished || sub.kind != topic.Plain
	})
}

// grant is how m, which the driver has matched, is delivered: with the highest
// quality of service of the subscriptions that match [MQTT-3.3.4-2], not above
// m's own, and with all their identifiers [MQTT-3.3.4-3] [MQTT-3.3.4-4]. It is
// false if none matches. The filters are looked at only where the driver's
// match does not settle it.
func (s *Session) grant(m *broker.Message) (grant, bool) {
	subs := &s.subscriptions
	if len(subs.list) == 0 {
		return grant{}, false
	}
	if !subs.shrunk && !subs.mixed {
		return grant{qos: min(m.QoS, subs.list[0].QoS)}, true
	}
	return s.grantAfter(m, false)
}

// grantAfter looks at every filter. Owed says that m comes from the log, where
// each filter has its own beginning and one of them must be what it is kept for.
func (s *Session) grantAfter(m *broker.Message, owed bool) (g grant, found bool) {
	for i := range s.subscriptions.list {
		sub := &s.subscriptions.list[i]
		if !s.wants(sub, m) || (owed && (!sub.begun || m.Position.Seq <= sub.Start)) {
			continue
		}
		found = found || !owed || sub.owed()
		g.qos = max(g.qos, sub.QoS)
		g.retain = g.retain || (sub.RetainAsPublished && m.Retain) // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
		g.note(sub.ID)
	}
	g.qos = min(g.qos, m.QoS)
	return g, found
}

// wants reports whether m is for this subscription.
func (s *Session) wants(sub *subscription, m *broker.Message) bool {
	switch {
	case sub.kind == topic.Share || sub.kind == topic.Queue: // comes by its group alone
	case sub.kind == topic.Local && m.Node != s.node:
	case sub.NoLocal && m.Publisher == s.key: // [MQTT-3.8.3-3]
	default:
		return topic.Match(sub.match, m.Topic)
	}
	return false
}

func (g *grant) note(id uint32) {
	switch {
	case id == 0:
	case g.id == 0:
		g.id = id
	default:
		if g.ids == nil {
			g.ids = []uint32{g.id}
		}
		g.ids = append(g.ids, id)
	}
}

// filters lists all filters.
func (s *subscriptions) filters() []string {
	filters := make([]string, len(s.list))
	for i := range s.list {
		filters[i] = s.list[i].Filter
	}
	return filters
}

// owed lists the filters whose messages the log keeps for this session, and
// where the first of them begins.
func (s *subscriptions) owed() (filters []string, start uint64) {
	start = unknown
	for i := range s.list {
		if sub := &s.list[i]; sub.owed() {
			filters, start = append(filters, sub.match), min(start, sub.Start)
		}
	}
	return filters, start
}
