package session

import (
	"errors"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// maxQoS is the highest quality of service.
const maxQoS byte = 2

// subscribing is a SUBSCRIBE whose SUBACK is not out.
type subscribing struct {
	id        uint16
	settled   bool // nothing is waited for: acknowledge when it is its turn
	requested []string
	codes     []byte   // one for each requested
	added     []string // filters that the session did not have before
	replays   []*replay
}

func (s *Session) receiveSubscribe(f packet.Frame, now time.Time) {
	var p packet.Subscribe
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	if s.findSubscribing(p.PacketID) >= 0 {
		s.end(ReasonProtocolError.with("a packet identifier in use"), now) // [MQTT-2.2.1-3]
		return
	}
	if reason := s.flaw(&p); reason.Name != "" {
		s.end(reason, now)
		return
	}
	e := subscribing{id: p.PacketID, codes: make([]byte, len(p.Subscriptions))}
	for i, sub := range p.Subscriptions { // as if they came one by one [MQTT-3.8.4-5]
		sub.Filter = s.fullFilter(sub.Filter)
		e.requested = append(e.requested, sub.Filter)
		s.enter(&e, i, sub, p.Properties.SubscriptionID)
	}
	e.settled = len(e.added) == 0
	s.subscribing = append(s.subscribing, e)
	if !e.settled {
		s.emit(Effect{Kind: Subscribe, PacketID: e.id, Filters: e.added})
	}
	s.acknowledgeSubscribes(now)
}

// flaw finds what makes the whole SUBSCRIBE an error of the protocol.
func (s *Session) flaw(p *packet.Subscribe) Reason {
	for _, sub := range p.Subscriptions {
		err := topic.ValidFilter(sub.Filter)
		if err != nil && !errors.Is(err, topic.ErrTooManyLevels) && !s.v5() {
			return ReasonTopicFilterInvalid.with(err.Error()) // [MQTT-4.7.1-2] [MQTT-4.7.1-3]
		}
		if parsed, err := topic.Parse(sub.Filter); err == nil && sub.NoLocal && parsed.Kind == topic.Share {
			return ReasonProtocolError.with("no local on a shared subscription") // [MQTT-3.8.3-4]
		}
	}
	return Reason{}
}

// enter takes one filter of a SUBSCRIBE in, or notes why not.
func (s *Session) enter(e *subscribing, i int, asked packet.Subscription, id uint32) {
	sub, code := s.allow(asked, id)
	if i >= s.limits.MaxFiltersPerSubscribe || (code < packet.UnspecifiedError && s.isFull(sub.Filter)) {
		code = packet.QuotaExceeded
	}
	if code >= packet.UnspecifiedError {
		e.codes[i] = s.failed(code) // [MQTT-3.8.4-6]
		s.emit(Effect{Kind: Denied, Filters: []string{asked.Filter}, Reason: refusals[code]})
		return
	}
	e.codes[i] = sub.QoS // [MQTT-3.8.4-7] [MQTT-3.8.4-8]
	added := s.subscriptions.set(sub)
	s.shared = s.shared || sub.kind == topic.Share || sub.kind == topic.Queue
	if added {
		e.added = append(e.added, sub.Filter)
	}
	if sub.replays(added) {
		e.replays = append(e.replays, newReplay(&sub))
	}
}

// refusals says in a reason's words why a filter was refused.
var refusals = map[packet.ReasonCode]Reason{
	packet.TopicFilterInvalid: ReasonTopicFilterInvalid,
	packet.NotAuthorizedV5:    ReasonNotAuthorized,
	packet.QuotaExceeded:      ReasonQuota,
}

// isFull reports whether one more filter would be too many.
func (s *Session) isFull(filter string) bool {
	return len(s.subscriptions.list) >= s.limits.MaxSubscriptions && s.subscriptions.index(filter) < 0
}

// failed is a refusal as the client's version knows it: before 5.0 there is
// one, and 3.1 has none, but its clients take this one well.
func (s *Session) failed(code packet.ReasonCode) byte {
	if s.v5() {
		return byte(code)
	}
	return packet.SubackFailure
}

// subackCode is a reason as a SUBACK may say it.
func subackCode(code packet.ReasonCode) packet.ReasonCode {
	if code == packet.QuotaExceeded {
		return code
	}
	return packet.UnspecifiedError
}

// allow makes a subscription of what was asked for, or says why not.
func (s *Session) allow(asked packet.Subscription, id uint32) (subscription, packet.ReasonCode) {
	parsed, err := topic.Parse(asked.Filter)
	switch {
	case err != nil:
		return subscription{}, packet.TopicFilterInvalid
	case !s.withinLimits(asked.Filter):
		return subscription{}, packet.TopicFilterInvalid
	case !s.authorizer.MaySubscribe(parsed.Filter):
		return subscription{}, packet.NotAuthorizedV5
	}
	return subscription{
		Subscription: broker.Subscription{
			Filter: asked.Filter, QoS: min(asked.QoS, maxQoS), ID: id,
			NoLocal: asked.NoLocal, RetainAsPublished: asked.RetainAsPublished, RetainHandling: asked.RetainHandling,
		},
		match: parsed.Filter, kind: parsed.Kind,
	}, packet.Success
}

// replays says whether retained messages are sent for a SUBSCRIBE.
// [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11].
func (s *subscription) replays(added bool) bool {
	switch {
	case s.kind == topic.Share || s.kind == topic.Queue: // MQTT 5.0 section 4.8.2
		return false
	case s.RetainHandling == 1:
		return added
	default:
		return s.RetainHandling == 0
	}
}

func (s *Session) findSubscribing(id uint16) int {
	return slices.IndexFunc(s.subscribing, func(e subscribing) bool { return e.id == id })
}

// Subscribed answers a Subscribe effect: messages to its filters are sure to
// arrive from now on, and head was the log's last sequence then; or err says
// why they are not, and the filters are taken back.
func (s *Session) Subscribed(packetID uint16, head uint64, err error, now time.Time) {
	if s.phase != connected {
		return
	}
	s.excuse(now)
	if packetID == 0 {
		s.resubscribed(err, now)
		return
	}
	i := s.findSubscribing(packetID)
	if i < 0 || s.subscribing[i].settled {
		return
	}
	s.subscribing[i].settled = true
	if err != nil {
		s.takeBack(i, failure(err).Code)
	} else {
		s.begin(s.subscribing[i].added, head, now)
	}
	s.acknowledgeSubscribes(now)
}

// begin notes where the messages begin that are owed to new filters. For the
// first ones that is where the session itself begins.
func (s *Session) begin(added []string, head uint64, now time.Time) {
	if s.progress.floor == 0 {
		s.progress.rise(head, now)
		s.progress.newest = max(s.progress.newest, head)
	}
	for i := range s.subscriptions.list {
		if sub := &s.subscriptions.list[i]; slices.Contains(added, sub.Filter) {
			sub.Start = head
		}
	}
}

// takeBack removes the filters that could not be established, unless the
// client itself has removed them in the meantime.
func (s *Session) takeBack(i int, code packet.ReasonCode) {
	var removed []string
	for _, filter := range s.subscribing[i].added {
		if s.failLater(i, filter, code) && s.subscriptions.remove(filter) {
			removed = append(removed, filter)
		}
	}
	s.subscribing[i].replays = nil
	if len(removed) > 0 {
		s.emit(Effect{Kind: Unsubscribe, Filters: removed})
	}
}

// failLater turns the code of a filter into a failure in the SUBSCRIBE at i
// and in all later ones that relied on it. It is false if a later one has
// added the filter anew and waits for it on its own.
func (s *Session) failLater(i int, filter string, code packet.ReasonCode) bool {
	for j := i; j < len(s.subscribing); j++ {
		e := &s.subscribing[j]
		if j > i && slices.Contains(e.added, filter) {
			return false
		}
		for k, requested := range e.requested {
			if requested == filter {
				e.codes[k] = s.failed(subackCode(code))
			}
		}
	}
	return true
}

// acknowledgeSubscribes sends the SUBACKs that are due, in the order of the
// SUBSCRIBEs: one that added nothing relies on those before it. [MQTT-3.8.4-1]
// [MQTT-3.8.4-2]. Retained messages follow.
func (s *Session) acknowledgeSubscribes(now time.Time) {
	n := 0
	for ; n < len(s.subscribing) && s.subscribing[n].settled; n++ {
		e := &s.subscribing[n]
		s.out = packet.Suback{Version: s.version, PacketID: e.id, Codes: e.codes}.Append(s.out)
		for _, r := range e.replays {
			s.startReplay(r)
		}
	}
	if s.subscribing = slices.Delete(s.subscribing, 0, n); len(s.subscribing) == 0 {
		s.subscribing = nil // clients subscribe once, at the beginning
	}
	s.pump(now)
}

func (s *Session) receiveUnsubscribe(f packet.Frame, now time.Time) {
	var p packet.Unsubscribe
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	var removed []string
	codes := make([]packet.ReasonCode, len(p.Filters)) // [MQTT-3.11.3-1] [MQTT-3.11.3-2]
	for i, filter := range p.Filters {                 // compared character by character [MQTT-3.10.4-1]
		filter = s.fullFilter(filter)
		if s.subscriptions.remove(filter) {
			removed = append(removed, filter)
			continue
		}
		codes[i] = packet.NoSubscriptionExisted
	}
	if len(removed) > 0 {
		s.emit(Effect{Kind: Unsubscribe, Filters: removed})
	}
	// Even if nothing was removed. [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6]
	s.out = packet.Unsuback{Version: s.version, PacketID: p.PacketID, Codes: codes}.Append(s.out)
}
