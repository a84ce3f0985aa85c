package war_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// rest waits until the soldier waits for nothing and the server has read all
// that it has sent: QoS 0 that is on its way would be lost with the connection.
func (q *squad) rest(before string, s *soldier) bool {
	if !q.settle(before, s.done) {
		return false
	}
	if err := s.client.ping(); err != nil {
		s.lost("PINGREQ", err)
		return false
	}
	return true
}

// rejoin leaves and comes back, with a word or without. What is said meanwhile
// waits for those with a session.
func rejoin(q *squad, s *soldier) {
	if !q.rest("a disconnect", s) {
		return
	}
	q.note("%v leaves", s)
	s.leaving = true
	if q.random.IntN(2) == 0 {
		s.client.leave()
	} else {
		s.client.drop()
	}
	s.gone()
	if s.durable {
		speaker := q.soldiers[q.random.IntN(2)]
		if speaker != s && speaker.muster() {
			for range q.random.IntN(4) {
				publish(q, speaker)
			}
		}
	}
	q.note("%v comes back", s)
	s.enter(nil)
}

// replace connects while the soldier is connected: it takes its own session
// over, and no other's.
func replace(q *squad, s *soldier) {
	if !q.rest("a takeover", s) {
		return
	}
	q.note("%v takes its session over", s)
	old := s.client
	s.leaving = true
	s.gone()
	if !s.enter(nil) {
		return
	}
	select {
	case <-old.gone:
	case <-time.After(patience):
		q.war.violate("takeover", "%v: the former connection stands", s)
		return
	}
	if s.version == packet.V5 && old.farewell != packet.SessionTakenOver {
		q.war.violate("takeover", "%v: the former connection ended with %v", s, old.farewell)
	}
}

// die ends with a will that has to be heard.
func die(q *squad, s *soldier) {
	if !q.rest("a death", s) {
		return
	}
	s.leaving = true
	s.client.leave()
	s.gone()
	full := q.ground(s)
	m := q.mark(s)
	will := &packet.Will{Topic: s.said(full), Payload: []byte("will " + m.String()), QoS: byte(q.random.IntN(3)), Retain: q.random.IntN(8) == 0}
	q.note("%v dies with the will %v for %q", s, m, full)
	if !s.enter(will) {
		return
	}
	s.leaving = true
	s.gone()
	q.mu.Lock()
	p := &pub{text: m.String(), asked: true}
	q.expect(p, full, will.QoS)
	q.mu.Unlock()
	s.client.drop()
	if q.settle("a will", func() bool { return q.heard(m.String()) }) {
		s.enter(nil)
	}
}

// heard says that everybody who is connected has a message; it needs mu.
func (q *squad) heard(text string) bool {
	for _, s := range q.soldiers {
		if s.online && s.expects[text] != nil {
			return false
		}
	}
	for _, g := range q.groups {
		if g.expects[text] != nil {
			return false
		}
	}
	return true
}

// bequeath connects with a will for the foe.
func bequeath(q *squad, s *soldier) {
	d := s.door(nil)
	d.id, d.clean, d.expiry = "heir-"+fmt.Sprint(q.number), true, 0
	full := s.full(pickOf(q.random, q.foreignNames()))
	m := q.mark(s)
	d.will = &packet.Will{Topic: s.said(full), Payload: []byte("will " + m.String()), QoS: byte(q.random.IntN(3)), Retain: q.random.IntN(2) == 0}
	q.note("%v connects as %s with the will %v for %q", s, d.id, m, full)
	c, ack, err := dial(q.war.server.mqtt, d, s.received, func(packet.Ack) {})
	if c != nil {
		defer c.drop()
	}
	switch {
	case err == nil && !refused(ack) && !s.mayPublish(full):
		q.war.violate("crossing", "%v may leave a will for %q", s, full)
	case err != nil:
		q.war.refuse("will, closed")
	case refused(ack):
		q.war.refuse(fmt.Sprintf("will, CONNACK %v %v", ack.Code, ack.Reason))
	}
}

// tune subscribes to more of the own ground, and gives it up again later.
func tune(q *squad, s *soldier) {
	filter := fmt.Sprintf("room/%d/%s", q.number, pickOf(q.random, []string{"b/#", "+/c", "#", "50%", "x.y", "ü/+"}))
	switch {
	case s.mount != "":
	case s.wide:
		filter = q.side.slug + "/chat/" + filter
	default:
		filter = fmt.Sprintf("%s/chat/own/%s/b/#", q.side.slug, s.user)
	}
	full := s.full(filter)
	q.mu.Lock()
	_, has := s.subs[full]
	q.mu.Unlock()
	if !has || len(s.shares) > 0 {
		if len(s.shares) == 0 {
			q.note("%v tunes in to %q", s, full)
			s.subscribe(byte(q.random.IntN(3)), filter)
		}
		return
	}
	if slices.Contains(s.home, filter) {
		return
	}
	if !q.settle("an unsubscribe", s.done) {
		return
	}
	q.note("%v tunes out of %q", s, full)
	if err := s.client.unsubscribe(filter); err != nil {
		s.lost("UNSUBSCRIBE", err)
		return
	}
	s.release(filter)
}
