package session

import (
	"errors"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// subscribing is a SUBSCRIBE whose SUBACK is not out.
type subscribing struct {
	id        uint16
	settled   bool // nothing is waited for: acknowledge when it is its turn
	requested []packet.Subscription
	codes     []byte   // one for each requested
	added     []string // filters that the session did not have before
}

func (s *Session) receiveSubscribe(f packet.Frame) {
	var p packet.Subscribe
	if err := p.Decode(f); err != nil {
		s.malformed(err)
		return
	}
	if s.findSubscribing(p.PacketID) >= 0 {
		s.end(ReasonProtocolError.with("a packet identifier in use")) // [MQTT-2.3.1-2]
		return
	}
	for _, sub := range p.Subscriptions {
		err := topic.ValidFilter(sub.Filter)
		if err != nil && !errors.Is(err, topic.ErrTooManyLevels) {
			s.end(ReasonTopicFilterInvalid.with(err.Error())) // [MQTT-4.7.1-2] [MQTT-4.7.1-3]
			return
		}
	}
	e := subscribing{id: p.PacketID, requested: p.Subscriptions, codes: make([]byte, len(p.Subscriptions))}
	for i, sub := range p.Subscriptions { // as if they came one by one [MQTT-3.8.4-4]
		var added bool
		e.codes[i], added = packet.SubackFailure, false
		if i < s.limits.MaxFiltersPerSubscribe {
			e.codes[i], added = s.grant(sub) // [MQTT-3.8.4-5]
		}
		if added {
			e.added = append(e.added, sub.Filter)
		}
	}
	e.settled = len(e.added) == 0
	s.subscribing = append(s.subscribing, e)
	if !e.settled {
		s.emit(Effect{Kind: Subscribe, PacketID: e.id, Filters: e.added})
	}
	s.acknowledgeSubscribes()
}

// grant enters one subscription, if the client may have it, and returns the
// code for the SUBACK: at most the QoS that was asked for. [MQTT-3.8.4-6].
func (s *Session) grant(sub packet.Subscription) (code byte, added bool) {
	parsed, err := topic.Parse(sub.Filter)
	refused := err != nil ||
		parsed.Kind != topic.Plain || // not offered yet, and never to be taken for a plain filter
		!s.withinLimits(sub.Filter) ||
		!s.authorizer.MaySubscribe(parsed.Filter)
	if refused {
		return packet.SubackFailure, false
	}
	if len(s.subscriptions.list) >= s.limits.MaxSubscriptions && s.subscriptions.index(sub.Filter) < 0 {
		return packet.SubackFailure, false
	}
	qos := min(sub.QoS, maxQoS)
	return qos, s.subscriptions.set(sub.Filter, qos)
}

func (s *Session) findSubscribing(id uint16) int {
	return slices.IndexFunc(s.subscribing, func(e subscribing) bool { return e.id == id })
}

// Subscribed answers a Subscribe effect: messages to its filters are sure to
// arrive from now on, or err says why they are not, and the filters are taken
// back.
func (s *Session) Subscribed(packetID uint16, err error, now time.Time) {
	s.excuse(now)
	i := s.findSubscribing(packetID)
	if s.phase != connected || i < 0 || s.subscribing[i].settled {
		return
	}
	s.subscribing[i].settled = true
	if err != nil {
		s.takeBack(i)
	}
	s.acknowledgeSubscribes()
}

// takeBack removes the filters that could not be established, unless the
// client itself has removed them in the meantime.
func (s *Session) takeBack(i int) {
	var removed []string
	for _, filter := range s.subscribing[i].added {
		if s.failLater(i, filter) && s.subscriptions.remove(filter) {
			removed = append(removed, filter)
		}
	}
	if len(removed) > 0 {
		s.emit(Effect{Kind: Unsubscribe, Filters: removed})
	}
}

// failLater turns the code of a filter into a failure in the SUBSCRIBE at i
// and in all later ones that relied on it. It is false if a later one has
// added the filter anew and waits for it on its own.
func (s *Session) failLater(i int, filter string) bool {
	for j := i; j < len(s.subscribing); j++ {
		e := &s.subscribing[j]
		if j > i && slices.Contains(e.added, filter) {
			return false
		}
		for k, sub := range e.requested {
			if sub.Filter == filter {
				e.codes[k] = packet.SubackFailure
			}
		}
	}
	return true
}

// acknowledgeSubscribes sends the SUBACKs that are due, in the order of the
// SUBSCRIBEs: one that added nothing relies on those before it. [MQTT-3.8.4-1]
// [MQTT-3.8.4-2].
func (s *Session) acknowledgeSubscribes() {
	n := 0
	for ; n < len(s.subscribing) && s.subscribing[n].settled; n++ {
		e := &s.subscribing[n]
		s.out = packet.Suback{PacketID: e.id, Codes: e.codes}.Append(s.out)
	}
	if s.subscribing = slices.Delete(s.subscribing, 0, n); len(s.subscribing) == 0 {
		s.subscribing = nil // clients subscribe once, at the beginning
	}
}

func (s *Session) receiveUnsubscribe(f packet.Frame) {
	var p packet.Unsubscribe
	if err := p.Decode(f); err != nil {
		s.malformed(err)
		return
	}
	var removed []string
	for _, filter := range p.Filters { // compared character by character [MQTT-3.10.4-1]
		if s.subscriptions.remove(filter) {
			removed = append(removed, filter)
		}
	}
	if len(removed) > 0 {
		s.emit(Effect{Kind: Unsubscribe, Filters: removed})
	}
	// Even if nothing was removed. [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6]
	s.out = packet.Ack{Type: packet.UNSUBACK, PacketID: p.PacketID}.Append(s.out)
}
