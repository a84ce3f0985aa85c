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
	at        instant // when it came
	need      uint32  // the change that must be written
	settled   bool    // no answer is waited for: acknowledge when it is its turn
	waits     bool    // but until the interest of a resumed session stands
	requested []string
	codes     []byte   // one for each requested
	added     []string // filters that the session did not have before
	altered   bool     // a filter that it had has other options
	replays   []*replay
}

func (s *Session) receiveSubscribe(f packet.Frame, now time.Time) {
	var p packet.Subscribe
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	if s.findSubscribing(p.PacketID) >= 0 {
		s.end(ReasonProtocolError.With("a packet identifier in use"), now) // [MQTT-2.2.1-3]
		return
	}
	if reason := s.flaw(&p); reason.Name != "" {
		s.end(reason, now)
		return
	}
	e := subscribing{id: p.PacketID, at: at(now), codes: make([]byte, len(p.Subscriptions))}
	for i, sub := range p.Subscriptions { // as if they came one by one [MQTT-3.8.4-5]
		sub.Filter = s.fullFilter(sub.Filter)
		e.requested = append(e.requested, sub.Filter)
		s.enter(&e, i, sub, p.Properties.SubscriptionID, now)
	}
	e.settled = len(e.added) == 0
	if e.altered {
		s.changed()
	}
	e.need = s.ledger.change // also what an earlier one, or the resume, has changed
	s.own().subscribing = append(s.own().subscribing, e)
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
			return ReasonTopicFilterInvalid.With(err.Error()) // [MQTT-4.7.1-2] [MQTT-4.7.1-3]
		}
		if parsed, err := topic.Parse(sub.Filter); err == nil && sub.NoLocal && parsed.Kind == topic.Share {
			return ReasonProtocolError.With("no local on a shared subscription") // [MQTT-3.8.3-4]
		}
	}
	return Reason{}
}

// enter takes one filter of a SUBSCRIBE in, or notes why not.
func (s *Session) enter(e *subscribing, i int, asked packet.Subscription, id uint32, now time.Time) {
	old := s.subscriptions.index(asked.Filter)
	sub, code := s.allow(asked, id)
	full := old < 0 && len(s.subscriptions.list) >= s.limits.MaxSubscriptions
	if i >= s.limits.MaxFiltersPerSubscribe || (full && code < packet.UnspecifiedError) {
		code = packet.QuotaExceeded
	}
	if code >= packet.UnspecifiedError {
		e.codes[i] = s.failed(code) // [MQTT-3.8.4-6]
		s.emit(Effect{Kind: Denied, Filters: []string{asked.Filter}, Reason: refusals[code]})
		return
	}
	e.codes[i] = sub.QoS // [MQTT-3.8.4-7] [MQTT-3.8.4-8]
	if sub.replays(old < 0) {
		e.replays = append(e.replays, &replay{sub: sub})
	}
	if old < 0 {
		s.subscriptions.set(sub)
		e.added = append(e.added, sub.Filter)
		return
	}
	s.replace(e, old, sub, now)
}

// replace gives a filter that is there new options. Where it is raised above
// QoS 0, the log has kept nothing for it up to now.
func (s *Session) replace(e *subscribing, i int, sub subscription, now time.Time) {
	old := &s.subscriptions.list[i]
	raised := old.begun && !old.owed() && sub.logged()
	sub.Start = old.Start
	e.altered = e.altered || old.Subscription != sub.Subscription
	s.subscriptions.set(sub)
	switch {
	case !raised:
	case s.resuming(): // where the log is will be known soon
		s.subscriptions.list[i].Start, e.waits = unknown, true
	default:
		s.owe(i, s.progress.heard, at(now))
	}
}

// refusals says in a reason's words why a filter was refused.
var refusals = map[packet.ReasonCode]Reason{
	packet.TopicFilterInvalid: ReasonTopicFilterInvalid,
	packet.NotAuthorizedV5:    ReasonNotAuthorized,
	packet.QuotaExceeded:      ReasonQuota,
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
	if code == packet.QuotaExceeded || code == packet.NotAuthorizedV5 {
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
	case !s.withinLimits(parsed.Filter) || len(asked.Filter) > s.limits.MaxTopicBytes:
		return subscription{}, packet.TopicFilterInvalid
	case !s.authorizer.MaySubscribe(parsed.Filter):
		return subscription{}, packet.NotAuthorizedV5
	}
	qos := min(asked.QoS, maxQoS)
	if s.foreign(parsed.Filter) {
		if parsed.Kind == topic.Share || parsed.Kind == topic.Queue {
			return subscription{}, packet.NotAuthorizedV5 // its messages are in another organization's log
		}
		qos = 0
	}
	return subscription{
		Subscription: broker.Subscription{
			Filter: asked.Filter, QoS: qos, ID: id,
			NoLocal: asked.NoLocal, RetainAsPublished: asked.RetainAsPublished, RetainHandling: asked.RetainHandling,
		},
		match: parsed.Filter, kind: parsed.Kind,
	}, packet.Success
}

// foreign reports whether a name or filter of a client above the wall is not
// wholly of its own organization: the session reads one stream of the log, its
// organization's.
func (s *Session) foreign(filterOrName string) bool {
	_, above := s.authorizer.(Above)
	return above && !isServerTopic(filterOrName) && !topic.InsideWall(topic.Organization(s.key), filterOrName)
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
	return slices.IndexFunc(s.rare().subscribing, func(e subscribing) bool { return e.id == id })
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
		s.resubscribed(head, err, now)
		return
	}
	i := s.findSubscribing(packetID)
	if i < 0 || s.rare().subscribing[i].settled {
		return
	}
	s.rare().subscribing[i].settled = true
	if err != nil {
		s.takeBack(i, failure(err).Code)
	} else {
		s.begin(i, head, now)
	}
	s.acknowledgeSubscribes(now)
	s.pump(now)
}

// begin notes where the messages begin that are owed to the new filters of a
// SUBSCRIBE.
func (s *Session) begin(i int, head uint64, now time.Time) {
	s.progress.heard = max(s.progress.heard, head)
	for _, filter := range s.rare().subscribing[i].added {
		if k := s.subscriptions.index(filter); k >= 0 && !s.addedLater(i, filter) {
			s.owe(k, head, s.rare().subscribing[i].at)
			s.rare().subscribing[i].need = s.changed()
			if !s.lossless {
				s.reader.second = at(now.Add(s.scatter(secondLook)))
			}
		}
	}
	if s.progress.early > head {
		s.fallBehind(s.progress.early)
	}
}

// addedLater reports whether a SUBSCRIBE after i has added the filter anew and
// waits for it on its own.
func (s *Session) addedLater(i int, filter string) bool {
	return slices.ContainsFunc(s.rare().subscribing[i+1:], func(e subscribing) bool { return slices.Contains(e.added, filter) })
}

// owe makes the messages of the log after a sequence owed to a subscription, but
// for those that the session has read past already: they are older than the
// SUBACK. The first subscription that is owed something begins the session's
// own progress. Nothing after the sequence is older than since.
func (s *Session) owe(k int, after uint64, since instant) {
	sub, r := &s.subscriptions.list[k], &s.reader
	sub.begun = false
	others, _ := s.subscriptions.owed()
	sub.Start, sub.begun = after, true
	s.progress.begun = max(s.progress.begun, after)
	if !sub.owed() {
		return
	}
	r.stale = true
	if len(others) == 0 && !r.behind {
		s.progress.newest = max(s.progress.newest, sub.Start)
		s.settleFloor(sub.Start, since)
	}
}

// takeBack removes the filters that could not be established, unless the
// client itself has removed them in the meantime.
func (s *Session) takeBack(i int, code packet.ReasonCode) {
	var removed []string
	for _, filter := range s.rare().subscribing[i].added {
		if s.failLater(i, filter, code) && s.subscriptions.remove(filter) {
			removed = append(removed, filter)
		}
	}
	s.leave(removed)
}

// leave ends the interest in filters that were removed.
func (s *Session) leave(filters []string) {
	if len(filters) > 0 {
		s.emit(Effect{Kind: Unsubscribe, Filters: filters})
	}
}

// refuseLater lets a SUBACK that is still to come say that a filter is not
// granted, as its subscription has ended meanwhile.
func (s *Session) refuseLater(filter string) {
	for i := range s.rare().subscribing {
		if slices.Contains(s.rare().subscribing[i].added, filter) {
			s.failLater(i, filter, packet.NotAuthorizedV5)
		}
	}
}

// failLater turns the code of a filter into a failure in the SUBSCRIBE at i
// and in all later ones that relied on it. It is false if a later one has
// added the filter anew and waits for it on its own.
func (s *Session) failLater(i int, filter string, code packet.ReasonCode) bool {
	for j := i; j < len(s.rare().subscribing); j++ {
		e := &s.rare().subscribing[j]
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
	n, r := 0, s.rare()
	for ; n < len(r.subscribing) && r.subscribing[n].settled && !r.subscribing[n].waits && r.subscribing[n].need <= s.ledger.written; n++ {
		e := &r.subscribing[n]
		before := len(s.out)
		s.out = packet.Suback{Version: s.version, PacketID: e.id, Codes: e.codes}.Append(s.out)
		if s.tooMuch(before, packet.SUBACK, now) {
			return
		}
		for _, r := range e.replays {
			s.startReplay(r)
		}
	}
	if n == 0 {
		return
	}
	if r.subscribing = slices.Delete(r.subscribing, 0, n); len(r.subscribing) == 0 {
		r.subscribing = nil // clients subscribe once, at the beginning
	}
	s.pump(now)
}

// Subscribing reports whether some SUBSCRIBE has no SUBACK yet.
func (s *Session) Subscribing() bool { return len(s.rare().subscribing) > 0 }

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
	s.leave(removed)
	if len(removed) > 0 {
		s.changed()
	}
	s.await(step{kind: packet.UNSUBACK, id: p.PacketID, codes: codes}, now)
}

// unsuback answers an UNSUBSCRIBE, even if nothing was removed.
// [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6].
func (s *Session) unsuback(id uint16, codes []packet.ReasonCode, now time.Time) {
	before := len(s.out)
	s.out = packet.Unsuback{Version: s.version, PacketID: id, Codes: codes}.Append(s.out)
	s.tooMuch(before, packet.UNSUBACK, now)
}
