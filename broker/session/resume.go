package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// record is what outlives the connection.
func (s *Session) record(now time.Time) *broker.Record {
	r := &broker.Record{
		Floor: s.progress.floor, FloorTime: s.progress.since, Acked: s.progress.acked,
		Received: s.received,
	}
	for i := range s.subscriptions.list {
		r.Subscriptions = append(r.Subscriptions, s.subscriptions.list[i].Subscription)
	}
	for i := range s.flights.list {
		// What came by a share group goes back to it, but for QoS 2, which is
		// finished with whom it was begun. [MQTT-4.8.2-4]
		if e := &s.flights.list[i]; e.group == "" || e.QoS == 2 {
			r.Inflight = append(r.Inflight, e.Flight)
		}
	}
	r.LastPacketID = s.flights.last
	for _, in := range s.incoming { // the log will have them; the client sends them again
		if in.qos == 2 && in.safe && in.reason < packet.UnspecifiedError {
			r.Received = append(r.Received, in.id)
		}
	}
	if s.expiry != never {
		r.Expires = now.Add(time.Duration(s.expiry) * time.Second)
	}
	if s.will != nil {
		r.WillAt = now.Add(time.Duration(min(s.will.delay, s.expiry)) * time.Second) // [MQTT-3.1.3-9]
		r.Will = s.will.at(r.WillAt)
	}
	return r
}

// resume takes the session over from its last connection. Grants may have
// changed since, so every filter is asked about again. The session is behind
// until it has read what came meanwhile.
func (s *Session) resume(r *broker.Record, now time.Time) {
	s.progress = progress{floor: r.Floor, since: r.FloorTime, acked: r.Acked}
	s.received = r.Received // [MQTT-4.3.3-10]
	s.flights.last = r.LastPacketID
	s.reader = reader{behind: true, upTo: r.Floor}
	for _, sub := range r.Subscriptions {
		parsed, err := topic.Parse(sub.Filter)
		if err != nil || !s.authorizer.MaySubscribe(parsed.Filter) {
			continue
		}
		s.subscriptions.set(subscription{Subscription: sub, match: parsed.Filter, kind: parsed.Kind})
		s.shared = s.shared || parsed.Kind == topic.Share || parsed.Kind == topic.Queue
	}
	s.takeUp(r.Inflight)
	if filters := s.subscriptions.filters(); len(filters) > 0 {
		s.emit(Effect{Kind: Subscribe, Filters: filters})
	} else {
		s.reader = reader{ready: true}
	}
	s.sendAgain(now)
}

// takeUp puts what was on its way back into the window, with the identifiers
// it had. The messages themselves are in the log.
func (s *Session) takeUp(inflight []broker.Flight) {
	var seqs []uint64
	for _, f := range inflight {
		s.flights.list = append(s.flights.list, flight{Flight: f, unsent: true})
		s.flights.unsent++
		if !f.Released {
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
		s.fetched(seq, messages[i])
	}
	s.pump(now)
}

// fetched finds the flight of a message; one whose message is gone is over. A
// QoS 2 exchange has to be completed all the same.
func (s *Session) fetched(seq uint64, m *broker.Message) {
	for i := range s.flights.list {
		e := &s.flights.list[i]
		if !e.unsent || e.Seq != seq || e.Released {
			continue
		}
		if m != nil {
			e.message, e.at = m, m.ID.Time()
			return
		}
		s.drops.Gone++
		s.progress.ack(seq)
		if e.QoS == 2 {
			e.Released = true
			return
		}
		s.flights.remove(i)
		s.flights.unsent--
		return
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
		if s.flights.len() >= s.peer.receiveMaximum || (e.message == nil && !e.Released) {
			return
		}
		e.unsent = false
		s.flights.unsent--
		if e.Released {
			s.pubrel(e.PacketID, packet.Success)
			continue
		}
		m := e.message
		e.message = nil
		if !s.repeat(m, e, now) {
			s.flights.remove(i)
			i--
		}
	}
}

// repeat sends one message again. One that the client has not seen for sure
// and that has expired meanwhile is not sent. [MQTT-3.3.2-5].
func (s *Session) repeat(m *broker.Message, e *flight, now time.Time) bool {
	seq, qos := e.Seq, e.QoS
	if m.Expired(now) && qos == 1 {
		s.drops.Expired++
		s.progress.ack(seq)
		return false
	}
	g, _ := s.grantAfter(m, false)
	g.qos = qos
	if !s.writeOwn(m, g, e.PacketID, m.Retain && g.retain, true, now) {
		s.progress.ack(seq)
		return false
	}
	return true
}

// resubscribed starts reading: messages published from now on arrive live.
func (s *Session) resubscribed(err error, now time.Time) {
	if err != nil {
		s.end(failure(err), now)
		return
	}
	s.reader.ready = true
	s.pump(now)
}
