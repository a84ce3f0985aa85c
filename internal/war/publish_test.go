package war_test

import (
	"fmt"
	"strings"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// corners are the last levels of topics that are published to: some of them
// mean something to what is behind MQTT.
var corners = []string{
	"a", "b", "b/c", "b/c/d", "50%", "%", "*", ">", "x.y", ".", "a b", "ü/日本", "", "b/", "/", "b//c", "$odd", "%2E", "..",
	"a\u200bb", "tab\t", "\ufffd", "\U0001f600", "NULL", "b/*/>", "~",
}

// ground is a topic, in full, that the soldier may publish to.
func (q *squad) ground(s *soldier) string {
	corner := pickOf(q.random, corners)
	switch {
	case s.mount != "":
		return fmt.Sprintf("%sroom/%d/%s", s.mount, q.number, corner)
	case !s.wide:
		return fmt.Sprintf("%s/chat/own/%s/%s", q.side.slug, s.user, corner)
	case q.random.IntN(8) == 0:
		return fmt.Sprintf("%s/stock/room/%d/%s", q.side.slug, q.number, corner)
	}
	return fmt.Sprintf("%s/chat/room/%d/%s", q.side.slug, q.number, corner)
}

// say publishes, and expects the message where it has to come.
func (q *squad) say(s *soldier, full string, p packet.Publish) {
	m, allowed := q.mark(s), s.mayPublish(full)
	p.Version, p.Topic, p.Payload = s.version, []byte(s.said(full)), []byte("war "+m.String()+strings.Repeat(".", q.random.IntN(64)))
	q.note("%v publishes %v to %q, QoS %d, retain %t", s, m, full, p.QoS, p.Retain)
	if !q.settle("a publish", func() bool { return len(s.sent) < window }) {
		return
	}
	q.mu.Lock()
	if allowed {
		q.expect(&pub{text: m.String(), asked: true}, full, p.QoS)
	}
	q.mu.Unlock()
	q.transmit(s, full, allowed, p)
}

// transmit sends a publish and waits for nothing.
func (q *squad) transmit(s *soldier, full string, allowed bool, p packet.Publish) {
	if p.QoS > 0 {
		p.PacketID = s.client.nextID()
		q.mu.Lock()
		s.sent[p.PacketID] = &order{topic: full, allowed: allowed}
		q.mu.Unlock()
	} else if !allowed {
		q.war.refuse("PUBLISH of QoS 0, to be dropped")
	}
	if err := s.client.send(p.Append(nil)); err != nil {
		s.lost("PUBLISH", err)
	}
}

// publish is a message of the soldier's own ground.
func publish(q *squad, s *soldier) {
	p := packet.Publish{QoS: byte(q.random.IntN(3)), Retain: q.random.IntN(16) == 0}
	if s.version == packet.V5 && q.random.IntN(4) == 0 {
		p.Properties.ResponseTopic = []byte(q.foe.slug + "/chat/answers") // for its receivers to be refused at
		p.Properties.HasCorrelation, p.Properties.Correlation = true, []byte("war")
	}
	q.say(s, q.ground(s), p)
}

// publishByAlias says the topic once and then its alias alone.
func publishByAlias(q *squad, s *soldier) {
	if s.version != packet.V5 {
		publish(q, s)
		return
	}
	full := q.ground(s)
	hostile := q.random.IntN(3) == 0
	if hostile {
		full = s.full(pickOf(q.random, q.foreignNames()))
	}
	p := packet.Publish{QoS: 1}
	p.Properties.TopicAlias = 1 + uint16(q.random.IntN(8))
	q.say(s, full, p)
	m, allowed := q.mark(s), s.mayPublish(full)
	p.Version, p.Topic, p.Payload = s.version, nil, []byte("war "+m.String())
	q.mu.Lock()
	if allowed {
		q.expect(&pub{text: m.String()}, full, p.QoS)
	}
	q.mu.Unlock()
	if s.client.open() {
		q.transmit(s, full, allowed, p)
	}
}

// intrude publishes to what is the foe's, or looks like it.
func intrude(q *squad, s *soldier) {
	q.say(s, s.full(pickOf(q.random, q.foreignNames())), packet.Publish{
		QoS: byte(q.random.IntN(3)), Retain: q.random.IntN(4) == 0,
	})
}

// keepTopic is one of the topics whose retained messages the squad knows.
func (q *squad) keepTopic() string {
	return fmt.Sprintf("%s/chat/keep/%d/%d", q.side.slug, q.number, q.random.IntN(8))
}

// wideOf is the soldier, or another who may do everything.
func (q *squad) wideOf(s *soldier) *soldier {
	if s.wide && s.muster() {
		return s
	}
	return q.soldiers[0]
}

// retain replaces or removes a retained message, and waits until it is kept.
func retain(q *squad, s *soldier) {
	if s = q.wideOf(s); !s.muster() {
		return
	}
	full := q.keepTopic()
	if q.random.IntN(4) == 0 {
		q.note("%v removes what is retained at %q", s, full)
		q.transmit(s, full, true, packet.Publish{Version: s.version, QoS: 1, Retain: true, Topic: []byte(full)})
		q.retained[full] = ""
	} else {
		q.say(s, full, packet.Publish{QoS: 1, Retain: true})
		q.retained[full] = mark{q.side.slug, s.app, s.id, fmt.Sprint(q.count)}.String()
	}
	q.settle("a retained message", s.done)
}

// recall subscribes where a message is retained, and wants it.
func recall(q *squad, s *soldier) {
	if s = q.wideOf(s); !s.muster() {
		return
	}
	full := q.keepTopic()
	text := q.retained[full]
	q.note("%v reads what is retained at %q: %q", s, full, text)
	q.mu.Lock()
	if s.subs[full] == 0 && text != "" {
		s.expects[text] = &pub{text: text, left: 1, asked: true}
	}
	q.mu.Unlock()
	if !s.subscribe(1, full) || !q.settle("a retained message is read", s.done) {
		return
	}
	if err := s.client.unsubscribe(full); err != nil {
		s.lost("UNSUBSCRIBE", err)
		return
	}
	s.release(full)
}
