package session

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// maxQoS is the highest quality of service there is so far.
const maxQoS byte = 1

// incoming is a QoS 1 PUBLISH of the client whose PUBACK is not out.
type incoming struct {
	id   uint16
	safe bool // the log has it, or it was dropped: acknowledge when it is its turn
}

func (s *Session) receivePublish(f packet.Frame) {
	var p packet.Publish
	if err := p.Decode(f); err != nil {
		s.malformed(err)
		return
	}
	if p.QoS > maxQoS {
		s.end(ReasonQoSNotSupported)
		return
	}
	// Until its PUBACK is out, a DUP is the same message again. One without
	// DUP breaks [MQTT-2.3.1-2], but devices do it (they have a single packet
	// identifier and do not wait): it counts as a message of its own.
	if p.Dup && s.isIncoming(p.PacketID) { // [MQTT-4.3.2-2]
		return
	}
	name := string(p.Topic)
	reason, allowed := s.mayPublish(name)
	if p.QoS > 0 {
		s.incoming = append(s.incoming, incoming{id: p.PacketID, safe: !allowed})
	}
	if !allowed {
		s.deny(name, p.QoS, reason)
		return
	}
	m := s.message(name, bytes.Clone(p.Payload), p.QoS, p.Retain)
	s.emit(Effect{Kind: Publish, Message: m, PacketID: p.PacketID})
}

func (s *Session) isIncoming(id uint16) bool {
	return slices.ContainsFunc(s.incoming, func(in incoming) bool { return in.id == id })
}

// mayPublish says whether the client may publish to a valid topic name, and if
// not, why.
func (s *Session) mayPublish(name string) (Reason, bool) {
	if !s.withinLimits(name) {
		return ReasonTopicLimit, false
	}
	if !s.authorizer.MayPublish(name) {
		return ReasonNotAuthorized, false
	}
	return Reason{}, true
}

// withinLimits bounds a topic name or filter.
func (s *Session) withinLimits(topic string) bool {
	return len(topic) <= s.limits.MaxTopicBytes && strings.Count(topic, "/") < s.limits.MaxTopicLevels
}

// deny drops a publish. MQTT 3.1.1 has no way to say so: a server acknowledges
// or closes [MQTT-3.3.5-2], and closing would make a device that is not
// allowed one topic lose all others, over and over.
func (s *Session) deny(name string, qos byte, reason Reason) {
	s.emit(Effect{Kind: Denied, Message: s.message(name, nil, qos, false), Reason: reason})
	s.acknowledge()
}

// message returns a message of this client. The payload is kept.
func (s *Session) message(name string, payload []byte, qos byte, retain bool) *broker.Message {
	return &broker.Message{
		Topic: name, Payload: payload, QoS: qos, Retain: retain,
		Publisher: s.key, Position: broker.Position{Shard: s.shard},
	}
}

// Published answers a Publish effect that has a packet identifier: the message
// is safe, or err says why it is not. A 3.1.1 client has no other way to learn
// of an error, and would not send the message again on this connection: so an
// error ends the session.
func (s *Session) Published(packetID uint16, err error, now time.Time) {
	if s.phase != connected {
		return
	}
	s.excuse(now)
	i := slices.Index(s.incoming, incoming{id: packetID})
	if i < 0 {
		return
	}
	if err != nil {
		s.end(failure(err))
		return
	}
	s.incoming[i].safe = true
	s.acknowledge()
}

// acknowledge sends the PUBACKs that are due, in the order of the publishes,
// whatever order the log answered in. [MQTT-4.6.0-2] [MQTT-4.3.2-2].
func (s *Session) acknowledge() {
	n := 0
	for ; n < len(s.incoming) && s.incoming[n].safe; n++ {
		s.out = packet.Ack{Type: packet.PUBACK, PacketID: s.incoming[n].id}.Append(s.out)
	}
	s.incoming = slices.Delete(s.incoming, 0, n)
}
