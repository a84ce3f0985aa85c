package session

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// identify gives a QoS 2 message the ID that its packet identifier stands for:
// a new one, which the record must have before the log can have the message,
// or, if an earlier connection gave it to the log and did not learn what became
// of it, the one from then. The log takes an ID once, so the message is stored
// once, whenever the node or the client died. [MQTT-4.3.3-10].
//
// A client sends again what it has not heard of, with DUP [MQTT-4.4.0-1]. One
// without DUP has lost its own state and means another message, which would be
// lost if it were taken for the old one.
func (s *Session) identify(m *broker.Message, p *packet.Publish, now time.Time) {
	if i := s.rare().publishes(p.PacketID); i >= 0 {
		old := s.rare().publishing[i]
		s.published(p.PacketID)
		if p.Dup {
			m.ID, m.Undated = old.ID, true
			s.own().publishing = append(s.own().publishing, old) // among those that are not forgotten first
			return
		}
	}
	if !s.durable() {
		return // there is no record, and no other node that could repeat it
	}
	own := s.own()
	m.ID = s.nextID(now)
	if len(own.publishing) >= maxPublishing {
		own.publishing = slices.Delete(own.publishing, 0, 1)
	}
	own.publishing = append(own.publishing, broker.Publishing{PacketID: p.PacketID, ID: m.ID})
	s.changed()
}

// maxPublishing bounds the QoS 2 messages without an outcome that a session
// remembers: those that a client never came back to are forgotten first.
const maxPublishing = 1024

func (r *seldom) publishes(id uint16) int {
	return slices.IndexFunc(r.publishing, func(p broker.Publishing) bool { return p.PacketID == id })
}

// published ends what identify has begun, and reports whether there was any.
func (s *Session) published(id uint16) bool {
	i := s.rare().publishes(id)
	if i < 0 {
		return false
	}
	own := s.own()
	own.publishing = slices.Delete(own.publishing, i, i+1)
	return true
}

// receivePubrel completes a QoS 2 publish of the client; its packet identifier
// is free again. [MQTT-4.3.3-11].
func (s *Session) receivePubrel(f packet.Frame, now time.Time) {
	var p packet.Ack
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	switch {
	case s.forget(p.PacketID):
		s.changed()
		s.await(step{kind: packet.PUBCOMP, id: p.PacketID}, now)
	case !s.awaits(packet.PUBCOMP, p.PacketID):
		s.pubcomp(p.PacketID, packet.PacketIdentifierNotFound)
	}
}

// forget frees the identifier of a QoS 2 message that the client has released,
// and reports whether it was in use. When the client learns of that the record
// must not have it any more: the next message would be taken for this one.
func (s *Session) forget(id uint16) bool {
	i := slices.Index(s.rare().received, id)
	if i < 0 { // or a node that died before it wrote that has sent PUBREC
		return !s.isIncoming(id, 2) && s.published(id)
	}
	own := s.own()
	own.received = slices.Delete(own.received, i, i+1)
	if i < own.inherited {
		own.inherited--
	}
	return true
}

func (s *Session) pubcomp(id uint16, reason packet.ReasonCode) {
	s.out = packet.Ack{Type: packet.PUBCOMP, Version: s.version, PacketID: id, Reason: reason}.Append(s.out)
}
