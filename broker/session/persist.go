package session

import (
	"errors"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// ledger is what the store knows of a durable session. Changes are numbered; a
// step that relies on one waits until a record that has it is written. A
// session that ends with its connection has no use for it.
type ledger struct {
	change   uint32  // the latest
	written  uint32  // the latest that the store has
	writing  uint32  // the latest that the record on its way has
	token    uint32  // of the last Persist
	asked    bool    // it waits for its answer
	fenced   bool    // the record is another connection's
	failures uint8   // in a row
	due      instant // when to write what nobody waits for, or after failures to try again; zero: there is nothing
}

// step is what waits for a record: a packet to the client, or with a message
// the client's publish on its way to the log.
type step struct {
	need    uint32 // the change that must be written
	kind    packet.Type
	id      uint16
	reason  packet.ReasonCode
	codes   []packet.ReasonCode
	message *broker.Message
}

const (
	// lazy is how long a client's acknowledgements of QoS 1 may be known to this
	// node alone: if it dies they come again. Half as much is added by chance,
	// so that sessions that began together are not written together.
	lazy = 4 * time.Second
	// retryWrite is how long to wait after the first failure of the store, and
	// retryWriteMost how often that doubles: to 8 s.
	retryWrite     = 250 * time.Millisecond
	retryWriteMost = 5
)

// changed numbers a change of the record that something will wait for. It is 0
// for a session without a record, which waits for nothing.
func (s *Session) changed() uint32 {
	if !s.durable() {
		return 0
	}
	s.ledger.change++
	return s.ledger.change
}

// touched notes a change that nobody waits for.
func (s *Session) touched(now time.Time) {
	if l := &s.ledger; l.due == 0 && s.durable() {
		l.due = at(now.Add(s.scatter(lazy)))
	}
}

// scatter adds up to a half to a duration, by what tells sessions apart.
func (s *Session) scatter(d time.Duration) time.Duration {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(s.key) {
		h = (h ^ uint64(s.key[i])) * 1099511628211
	}
	h = (h ^ uint64(s.ledger.token)) * 1099511628211
	return d + time.Duration(h>>34)*(d/2)>>30
}

// await carries a step out as soon as the latest change is written: now, if
// it is.
func (s *Session) await(st step, now time.Time) {
	if st.need = s.ledger.change; st.need == s.ledger.written {
		s.carryOut(&st, now)
		return
	}
	s.own().steps = append(s.own().steps, st)
}

// awaits reports whether such a step waits.
func (s *Session) awaits(kind packet.Type, id uint16) bool {
	return slices.ContainsFunc(s.rare().steps, func(st step) bool { return st.kind == kind && st.id == id && st.message == nil })
}

// persist has the record written, if something has changed and no other is on
// its way: that one's answer leads here again.
func (s *Session) persist(now time.Time) {
	l := &s.ledger
	if l.asked || s.phase != connected {
		return
	}
	if l.due != 0 && at(now) >= l.due {
		l.due = 0
		l.change++
	}
	if l.change == l.written || (l.failures > 0 && l.due != 0) {
		return
	}
	l.token++
	l.asked, l.writing, l.due = true, l.change, 0
	s.emit(Effect{Kind: Persist, Token: l.token, Record: s.record(now)})
}

// nextWrite is when persist has something to do; zero is never.
func (s *Session) nextWrite() time.Time {
	if s.ledger.asked {
		return time.Time{}
	}
	return s.ledger.due.time()
}

// Persisted answers a Persist effect: the record is written, or err says why it
// is not. broker.ErrConflict says that the session is another connection's by
// now, and ends this one. After any other error it is tried again; what waits,
// waits on.
func (s *Session) Persisted(token uint32, err error, now time.Time) {
	l := &s.ledger
	if s.phase != connected || !l.asked || token != l.token {
		return
	}
	s.excuse(now)
	l.asked = false
	switch {
	case errors.Is(err, broker.ErrConflict):
		l.fenced = true
		s.end(ReasonTakenOver, now)
		return
	case err != nil:
		l.due = at(now.Add(s.scatter(retryWrite << l.failures)))
		l.failures = min(l.failures+1, retryWriteMost)
		return
	}
	l.written, l.failures = l.writing, 0
	s.proceed(now)
	s.acknowledge()
	s.acknowledgeSubscribes(now)
	s.pump(now)
}

// proceed carries out the steps whose time has come, in the order in which
// they came up.
func (s *Session) proceed(now time.Time) {
	for s.phase == connected {
		r := s.rare()
		if len(r.steps) == 0 || r.steps[0].need > s.ledger.written {
			return
		}
		st := r.steps[0]
		if r.steps[0], r.steps = (step{}), r.steps[1:]; len(r.steps) == 0 {
			r.steps = nil
		}
		s.carryOut(&st, now)
	}
}

func (s *Session) carryOut(st *step, now time.Time) {
	switch {
	case st.message != nil:
		s.emit(Effect{Kind: Publish, Message: st.message, PacketID: st.id})
	case st.kind == packet.PUBLISH:
		s.sendHeld(st.id, now)
	case st.kind == packet.UNSUBACK:
		s.unsuback(st.id, st.codes, now)
	case st.kind == packet.PUBREL:
		s.pubrel(st.id, st.reason)
	default:
		s.pubcomp(st.id, st.reason)
	}
}

// holds reports whether a message waits for the record before it is sent: a
// QoS 2 one whose identifier must not be forgotten [MQTT-4.3.3-10], and any
// behind it [MQTT-4.6.0-6].
func (s *Session) holds(qos byte) bool { return s.flights.held > 0 || (qos == 2 && s.durable()) }

// hold lets the newest flight wait for the record.
func (s *Session) hold(m *broker.Message, now time.Time) {
	e := &s.flights.list[len(s.flights.list)-1]
	e.held, e.message = true, m
	s.flights.held++
	if e.QoS == 2 {
		s.changed()
	}
	s.await(step{kind: packet.PUBLISH, id: e.PacketID}, now)
}

// sendHeld sends a message that waited for the record.
func (s *Session) sendHeld(id uint16, now time.Time) {
	i := s.flights.index(id)
	if i < 0 || !s.flights.list[i].held {
		return // acknowledged before it was sent, by whatever mistake
	}
	s.flights.list[i].written = true
	s.sendReady(now)
}

// sendReady sends what is held and waits for nothing any more, in order, and has
// QoS 2 messages of share groups taken for good.
func (s *Session) sendReady(now time.Time) {
	blocked := false
	for i := 0; s.flights.held > 0 && i < len(s.flights.list); i++ {
		e := &s.flights.list[i]
		switch {
		case !e.held:
			continue
		case e.written && e.loan != nil && e.QoS == 2 && !e.taking:
			e.taking = true
			s.emit(Effect{Kind: Take, Loan: e.loan})
		}
		if blocked = blocked || !e.written || e.taking != e.taken; !blocked && !s.sendOne(i, now) {
			i--
		}
	}
}

// sendOne sends a message that was held. It is false if the client does not take
// it, and the flight is over.
func (s *Session) sendOne(i int, now time.Time) bool {
	e := &s.flights.list[i]
	m, g := e.message, s.grantAgain(e.message, e)
	g.qos, g.retain = e.QoS, e.Retain
	s.flights.send(i)
	if e.QoS == 2 {
		e.loan = nil
	}
	if !s.writeOwn(m, g, e.PacketID, false, now) {
		s.miss(i, now)
		return false
	}
	return true
}

// miss ends a flight whose message the client does not take, as if it had been
// delivered. [MQTT-3.1.2-25].
func (s *Session) miss(i int, now time.Time) {
	seq, own := s.flights.list[i].Seq, s.flights.list[i].Group == ""
	s.dealtWith(s.flights.list[i].loan)
	s.flights.remove(i)
	if own {
		s.complete(seq, now)
	}
}
