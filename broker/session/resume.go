package session

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// record is what outlives the connection.
func (s *Session) record(now time.Time) *broker.Record {
	s.settle(now)
	r := &broker.Record{
		Generation: s.generation, Expiry: s.outlives(), Floor: s.progress.floor, FloorTime: s.progress.since.time(), Acked: slices.Clone(s.progress.acked),
		Truncated: s.rare().truncated.time(), Received: slices.Clone(s.rare().received), Publishing: slices.Clone(s.rare().publishing),
	}
	for i := range s.subscriptions.list {
		if sub := &s.subscriptions.list[i]; sub.begun { // the others have no SUBACK
			r.Subscriptions = append(r.Subscriptions, sub.Subscription)
		}
	}
	for i := range s.flights.list {
		if e := &s.flights.list[i]; e.outlives() {
			r.Inflight = append(r.Inflight, e.Flight)
		}
	}
	r.LastPacketID = s.flights.last
	for _, in := range s.incoming { // the log will have them; the client sends them again
		if in.qos == 2 && in.safe && in.reason < packet.UnspecifiedError {
			r.Received = append(r.Received, in.id)
			r.Publishing = slices.DeleteFunc(r.Publishing, func(p broker.Publishing) bool { return p.PacketID == in.id })
		}
	}
	return r
}

// lastRecord is the record at the end of the connection.
func (s *Session) lastRecord(now time.Time) *broker.Record {
	r := s.record(now)
	if r.Expiry != 0 {
		r.Expires = now.Add(r.Expiry)
	}
	return r
}

// outlives reports whether a flight goes on with the session's next connection:
// QoS 1 messages of share groups go to other members, and what is not in the
// log cannot be sent again. The identifier of a QoS 2 message is not free all
// the same, as the client may hold it.
func (e *flight) outlives() bool {
	return e.Released || (e.QoS == 2 && (e.Seq != 0 || !e.held)) || (e.Seq != 0 && e.Group == "")
}

// resume takes the session over from its last connection. Grants may have
// changed since, so every filter is asked about again. The session is behind
// until it has read what came meanwhile.
func (s *Session) resume(r *broker.Record, retention time.Duration, now time.Time) {
	s.generation = r.Generation
	s.progress = progress{floor: r.Floor, since: at(r.FloorTime), acked: slices.Clone(r.Acked)}
	if n := len(r.Received); n > 0 {
		s.own().received, s.own().inherited = slices.Clone(r.Received), n // [MQTT-4.3.3-10]
	}
	if len(r.Publishing) > 0 {
		s.own().publishing = slices.Clone(r.Publishing)
	}
	s.flights.last = r.LastPacketID
	if !s.lossless {
		s.own().lineage.since = at(now)
	}
	s.reader = reader{behind: true, upTo: r.Floor, since: at(r.FloorTime)}
	for _, sub := range r.Subscriptions {
		parsed, err := topic.Parse(sub.Filter)
		if err != nil || !s.authorizer.MaySubscribe(parsed.Filter) {
			s.emit(Effect{Kind: Denied, Filters: []string{sub.Filter}, Reason: ReasonNotAuthorized})
			continue
		}
		s.subscriptions.list = append(s.subscriptions.list, subscription{
			Subscription: sub, match: parsed.Filter, kind: parsed.Kind, begun: true,
		})
		if sub.Start != unknown {
			s.progress.begun = max(s.progress.begun, sub.Start)
		}
	}
	s.subscriptions.compare()
	s.takeUp(r.Inflight)
	s.truncate(r, retention, now)
	if filters := s.subscriptions.filters(); len(filters) > 0 {
		s.emit(Effect{Kind: Subscribe, Filters: filters})
	} else {
		s.reader.behind, s.reader.ready = s.flights.unsent > 0, true
	}
	s.sendAgain(now)
}

// truncate notes that the log may not have all any more that is owed: it begins
// later than the session has stopped.
func (s *Session) truncate(r *broker.Record, retention time.Duration, now time.Time) {
	if !r.Truncated.IsZero() {
		s.own().truncated = at(r.Truncated)
	}
	owed, _ := s.subscriptions.owed()
	if retention == 0 || len(owed) == 0 || r.FloorTime.IsZero() || now.Sub(r.FloorTime) <= retention {
		return
	}
	s.own().truncated, s.drops.Truncated = at(now), 1
	s.touched(now)
}

// takeUp puts what was on its way back into the window, with the identifiers
// it had. The messages themselves are in the log.
func (s *Session) takeUp(inflight []broker.Flight) {
	var seqs []uint64
	for _, f := range inflight {
		f.Released = f.Released || (f.QoS == 2 && f.Seq == 0) // its message is nowhere
		s.flights.list = append(s.flights.list, flight{Flight: f, unsent: true})
		s.flights.unsent++
		if !f.Released && !slices.Contains(seqs, f.Seq) {
			seqs = append(seqs, f.Seq)
		}
	}
	if len(seqs) > 0 {
		s.emit(Effect{Kind: Fetch, Seqs: seqs})
	}
}

// Fetched answers a Fetch effect: the messages at its sequences, nil for those
// that are gone from the log; or err says why there is no answer, and the
// session ends, to be resumed later.
func (s *Session) Fetched(seqs []uint64, messages []*broker.Message, err error, now time.Time) {
	if s.phase != connected {
		return
	}
	if err != nil {
		s.end(failure(err), now)
		return
	}
	for i, seq := range seqs {
		if messages[i] == nil {
			s.touched(now)
		}
		s.fetched(seq, messages[i])
	}
	s.pump(now)
}

// fetched gives the flights of a sequence their message; those whose message is
// gone are over. Another organization's message is none of theirs: it would mean
// that the sequence was given out again, and the wall does not depend on that. A QoS 2 exchange has to be completed all the same.
func (s *Session) fetched(seq uint64, m *broker.Message) {
	for i := 0; i < len(s.flights.list); i++ {
		e := &s.flights.list[i]
		if !e.unsent || e.Seq != seq || e.Released {
			continue
		}
		if m != nil && topic.InsideWall(topic.Organization(s.key), m.Topic) {
			e.message, e.at = m, m.ID.Time()
			continue
		}
		s.drops.Gone++
		s.abandon(e)
		if e.QoS == 2 {
			e.Released = true
			continue
		}
		s.flights.remove(i)
		i--
	}
}

// abandon notes that the message of a flight is not sent again.
func (s *Session) abandon(e *flight) {
	if e.Group == "" {
		s.progress.ack(e.Seq)
	}
}

// sendAgain sends what was on its way when the last connection ended, in the
// order of the first time, PUBLISH with DUP and PUBREL alike, as fast as the
// window of this connection allows. [MQTT-4.4.0-1] [MQTT-3.3.1-1]
// [MQTT-4.6.0-1].
func (s *Session) sendAgain(now time.Time) {
	for i := 0; s.flights.unsent > 0 && i < len(s.flights.list); i++ {
		e := &s.flights.list[i]
		if !e.unsent {
			continue
		}
		if !s.roomy() || (e.message == nil && !e.Released) {
			return
		}
		m := e.message
		s.flights.send(i)
		if e.Released {
			s.pubrel(e.PacketID, packet.Success)
			continue
		}
		if !s.repeat(m, e, now) {
			s.flights.remove(i)
			i--
		}
	}
}

// repeat sends one message again. One that the client has not seen for sure
// and that has expired meanwhile is not sent. [MQTT-3.3.2-5].
func (s *Session) repeat(m *broker.Message, e *flight, now time.Time) bool {
	if m.Expired(now) && e.QoS == 1 {
		s.drops.Expired++
		s.abandon(e)
		return false
	}
	g := s.grantAgain(m, e)
	g.qos, g.retain = e.QoS, e.Retain
	if !s.writeOwn(m, g, e.PacketID, true, now) {
		s.abandon(e)
		return false
	}
	return true
}

// grantAgain finds the subscription identifiers of a message that is repeated.
func (s *Session) grantAgain(m *broker.Message, e *flight) grant {
	if e.Group == "" {
		g, _ := s.grantAfter(m, false)
		return g
	}
	if i := s.subscriptions.index(e.Group); i >= 0 {
		return s.subscriptions.list[i].share(m)
	}
	return grant{}
}

// resuming reports whether the interest of a resumed session does not stand yet.
func (s *Session) resuming() bool { return s.reader.behind && !s.reader.ready }

// resubscribed starts reading: messages published from now on arrive live, so
// the session is live when it has read up to the log's head.
func (s *Session) resubscribed(head uint64, err error, now time.Time) {
	if err != nil {
		s.end(failure(err), now)
		return
	}
	s.progress.heard = max(s.progress.heard, head)
	s.reader.ready, s.reader.missed = true, max(s.reader.missed, head)
	for i := range s.subscriptions.list {
		if sub := &s.subscriptions.list[i]; sub.Start == unknown {
			sub.Start = s.progress.heard
			s.changed()
			s.progress.begun = max(s.progress.begun, sub.Start)
		}
	}
	for i := range s.rare().subscribing {
		if e := &s.rare().subscribing[i]; e.waits {
			e.waits, e.need = false, s.changed()
		}
	}
	s.acknowledgeSubscribes(now)
	s.pump(now)
}
