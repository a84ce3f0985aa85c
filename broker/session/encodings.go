package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Encodings keeps the encoded variants of one message for all its receivers.
// The zero value is ready; it belongs to one loop, and given another message
// it starts anew.
type Encodings struct {
	message  *broker.Message
	variants [24]*packet.Encoded
}

// variant numbers what makes encodings differ.
func (s *Session) variant(g grant) int {
	v := int(g.qos) * 8
	if g.retain {
		v += 4
	}
	if s.v5() {
		v += 2
	}
	if s.mount != "" {
		v++
	}
	return v
}

// write puts a PUBLISH into Output and reports whether the client can take it.
// What all receivers get alike is encoded once. DUP is 0 for a first attempt.
// [MQTT-3.3.1-1].
func (s *Session) write(m *broker.Message, g grant, e *Encodings, id uint16, now time.Time) bool {
	if e == nil || g.id != 0 || s.peer.aliasMaximum != 0 {
		return s.writeOwn(m, g, id, false, now)
	}
	if e.message != m {
		*e = Encodings{message: m}
	}
	encoded := &e.variants[s.variant(g)]
	if *encoded == nil {
		*encoded = packet.Encode(s.publication(m, g, now))
	}
	if s.tooLarge((*encoded).Len()) {
		s.drops.TooLarge++
		return false
	}
	s.out = (*encoded).AppendTo(s.out, id, false)
	s.count(m)
	return true
}

// writeOwn writes a PUBLISH that is this client's alone.
func (s *Session) writeOwn(m *broker.Message, g grant, id uint16, dup bool, now time.Time) bool {
	p := s.publication(m, g, now)
	p.PacketID, p.Dup = id, dup
	alias, known := s.alias(m.Topic)
	p.Properties.TopicAlias = alias
	if known {
		p.Topic = nil // [MQTT-3.3.2-12]
	}
	before := len(s.out)
	s.out = p.Append(s.out)
	if s.tooLarge(len(s.out) - before) {
		s.out = s.out[:before]
		s.drops.TooLarge++
		return false
	}
	if alias != 0 && !known {
		s.own().told[m.Topic] = alias
	}
	s.count(m)
	return true
}

// count notes that m is on its way.
func (s *Session) count(m *broker.Message) {
	s.sent++
	s.sentBytes += uint32(len(m.Payload)) //nolint:gosec // drained long before that
}

// tooLarge reports whether the client refuses packets of n bytes.
// [MQTT-3.1.2-24].
func (s *Session) tooLarge(n int) bool { return s.peer.maxPacket != 0 && n > int(s.peer.maxPacket) }

// tooMuch takes back a packet, from before on in Output, that the client does
// not take, and ends the session, as it cannot go on without.
func (s *Session) tooMuch(before int, what packet.Type, now time.Time) bool {
	if !s.tooLarge(len(s.out) - before) {
		return false
	}
	s.out = s.out[:before]
	s.end(ReasonPacketTooLarge.With("the "+what.String()+" is larger than the client takes"), now)
	return true
}

// alias returns the number for a topic, if there is one, and whether the
// client knows it. The first topics get them: most clients hear of few.
func (s *Session) alias(name string) (alias uint16, known bool) {
	if s.peer.aliasMaximum == 0 {
		return 0, false
	}
	own := s.own()
	if alias, known = own.told[name]; known {
		return alias, true
	}
	if len(own.told) >= int(s.peer.aliasMaximum) {
		return 0, false // [MQTT-3.3.2-9]
	}
	if own.told == nil {
		own.told = make(map[string]uint16)
	}
	return uint16(len(own.told) + 1), false //nolint:gosec // below aliasMaximum
}

// publication is m as this client sees it.
func (s *Session) publication(m *broker.Message, g grant, now time.Time) packet.Publish {
	p := packet.Publish{
		Version: s.version, QoS: g.qos, Retain: g.retain, Topic: []byte(s.bare(m.Topic)), Payload: m.Payload,
	}
	if !s.v5() {
		return p
	}
	props := &p.Properties
	if m.UTF8 {
		props.PayloadFormat = 1
	}
	if m.Expires != 0 {
		props.HasMessageExpiry, props.MessageExpiry = true, secondsLeft(m.Expires, now) // [MQTT-3.3.2-6]
	}
	props.ContentType = []byte(m.ContentType)
	if m.ResponseTopic != "" {
		props.ResponseTopic = []byte(s.bare(m.ResponseTopic))
	}
	props.HasCorrelation, props.Correlation = m.Correlation != nil, m.Correlation
	props.User = m.User
	props.SubscriptionIDs = g.ids
	if g.id != 0 && g.ids == nil {
		props.SubscriptionIDs = []uint32{g.id}
	}
	return p
}

// secondsLeft rounds up, to 1 at least: the message has not expired yet.
func secondsLeft(expires int64, now time.Time) uint32 {
	ms := max(expires-now.UnixMilli(), 1)
	return uint32(min((ms+999)/1000, int64(never-1)))
}
