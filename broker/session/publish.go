package session

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// incoming is a PUBLISH of the client with QoS 1 or 2 whose PUBACK or PUBREC
// is not out.
type incoming struct {
	id     uint16
	qos    byte
	safe   bool   // the log has it, or it was dropped: acknowledge when it is its turn
	need   uint32 // the change that must be written before
	reason packet.ReasonCode
	why    string
}

func (s *Session) receivePublish(f packet.Frame, now time.Time) {
	var p packet.Publish
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	name, ok := s.resolve(&p, now)
	if !ok {
		return
	}
	if len(p.Properties.SubscriptionIDs) > 0 {
		s.end(ReasonProtocolError.With("a client sends no subscription identifier"), now) // [MQTT-3.3.4-6]
		return
	}
	if p.QoS > 0 && s.again(&p, now) {
		return
	}
	s.accept(&p, s.full(name), now)
}

// again deals with a packet identifier that is in use, and with too many.
// Until a QoS 1 message's PUBACK is out, a DUP is the same message again; one
// without DUP breaks [MQTT-2.2.1-3], but devices do it (they have a single
// packet identifier and do not wait): it counts as a message of its own. With
// QoS 2 the identifier is the message until PUBREL. [MQTT-4.3.3-9].
func (s *Session) again(p *packet.Publish, now time.Time) bool {
	if p.QoS == 2 && slices.Contains(s.rare().received, p.PacketID) {
		s.sendAck(packet.PUBREC, p.PacketID, packet.Success, "") // [MQTT-4.3.3-10]
		return true
	}
	if (p.Dup || p.QoS == 2) && s.isIncoming(p.PacketID, p.QoS) {
		return true
	}
	// The receive maximum is a connection's. Before 5.0 there is none but the
	// number of packet identifiers.
	own := len(s.rare().received) - s.rare().inherited
	if s.v5() && len(s.incoming)+own >= s.limits.MaxReceive {
		s.end(ReasonReceiveMaximum, now) // [MQTT-3.3.4-7] [MQTT-3.3.4-8]
		return true
	}
	return false
}

func (s *Session) isIncoming(id uint16, qos byte) bool {
	return slices.ContainsFunc(s.incoming, func(in incoming) bool { return in.id == id && in.qos == qos })
}

// accept takes a message in, or says why not.
func (s *Session) accept(p *packet.Publish, name string, now time.Time) {
	reason, allowed := s.mayPublish(name)
	switch {
	case !allowed:
	case p.Properties.PayloadFormat == 1 && !validText(p.Payload):
		reason, allowed = ReasonPayloadFormat, false
	case !s.mayCarry(len(p.Payload)):
		reason, allowed = ReasonPayload, false
	case !s.affords(len(p.Payload), p.QoS, now):
		reason, allowed = ReasonPublishRate, false
	}
	if !allowed {
		s.deny(p, name, reason, now)
		return
	}
	m := s.message(name, bytes.Clone(p.Payload), p.QoS, p.Retain)
	s.properties(m, &p.Properties, now)
	if p.QoS == 0 {
		s.emit(Effect{Kind: Publish, Message: m})
		return
	}
	m.Previous = s.previous(name, now)
	s.incoming = append(s.incoming, incoming{id: p.PacketID, qos: p.QoS})
	if p.QoS == 2 {
		s.identify(m, p, now)
	}
	s.hand(step{kind: packet.PUBLISH, id: p.PacketID, message: m}, now)
}

// hand gives a message to the bus, as soon as the record has the identifiers of
// all QoS 2 messages up to it: the client's order holds. [MQTT-4.6.0-5].
func (s *Session) hand(st step, now time.Time) {
	if slices.ContainsFunc(s.rare().steps, func(st step) bool { return st.message != nil }) || st.message.QoS == 2 {
		s.await(st, now)
		return
	}
	s.carryOut(&st, now)
}

// properties takes over what travels with a message. [MQTT-3.3.2-4]
// [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20].
func (s *Session) properties(m *broker.Message, p *packet.PublishProperties, now time.Time) {
	m.UTF8 = p.PayloadFormat == 1
	m.ContentType = string(p.ContentType)
	if p.HasCorrelation {
		m.Correlation = append([]byte{}, p.Correlation...)
	}
	m.User = bytes.Clone(p.User)
	if len(p.ResponseTopic) > 0 {
		m.ResponseTopic = s.full(string(p.ResponseTopic))
	}
	if p.HasMessageExpiry {
		m.Expires = now.Add(time.Duration(p.MessageExpiry) * time.Second).UnixMilli()
	}
}

// mayPublish says whether the client may publish to a valid topic name, and if
// not, why.
func (s *Session) mayPublish(name string) (Reason, bool) {
	if !s.withinLimits(name) {
		return ReasonTopicLimit, false
	}
	if !s.authorizer.MayPublish(name) || (s.mount != "" && strings.HasPrefix(s.bare(name), "$")) {
		return ReasonNotAuthorized, false // mounted, no $ would hide it from # [MQTT-4.7.2-1]
	}
	return Reason{}, true
}

// deny drops a publish. 5.0 has a code for it in the acknowledgement. 3.1.1
// has no way to say so: a server acknowledges or closes [MQTT-3.3.5-2], and
// closing would make a device that is not allowed one topic lose all others,
// over and over.
func (s *Session) deny(p *packet.Publish, name string, reason Reason, now time.Time) {
	s.emit(Effect{Kind: Denied, Message: s.message(name, nil, p.QoS, false), Reason: reason})
	if p.QoS == 0 {
		if reason.Name == ReasonPayloadFormat.Name && s.v5() {
			s.end(reason, now)
		}
		return
	}
	s.incoming = append(s.incoming, incoming{id: p.PacketID, qos: p.QoS})
	s.fail(&s.incoming[len(s.incoming)-1], reason, reason.Code)
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
// is safe, or err says why it is not. A 5.0 client is told so if it can do
// something about it. A 3.1.1 client has no other way to learn of an error,
// and would not send the message again on this connection: so an error ends
// the session, and so does one of our own for a 5.0 client.
func (s *Session) Published(packetID uint16, err error, now time.Time) {
	if s.phase != connected {
		return
	}
	s.excuse(now)
	i := slices.IndexFunc(s.incoming, func(in incoming) bool { return in.id == packetID && !in.safe })
	if i < 0 {
		return
	}
	if err != nil {
		reason := failure(err)
		switch {
		case reason.Name == ReasonNotAuthorized.Name: // found out only now, and no more than any other denial
			s.fail(&s.incoming[i], reason, reason.Code)
		case !s.v5() || !reason.ofPublish():
			s.end(reason, now)
			return
		default:
			s.fail(&s.incoming[i], reason, packet.QuotaExceeded)
		}
	}
	s.incoming[i].safe = true
	s.acknowledge()
	s.persist(now)
}

// fail makes an acknowledgement one that says why not. With QoS 2 that frees the
// packet identifier, so the record must not have it any more: the next message
// would be taken for this one.
func (s *Session) fail(in *incoming, reason Reason, code packet.ReasonCode) {
	in.safe, in.reason, in.why = true, code, reason.show()
	if in.qos == 2 && s.published(in.id) {
		in.need = s.changed()
	}
}

// acknowledge sends the PUBACKs and PUBRECs that are due, in the order of the
// publishes, whatever order the log answered in. [MQTT-4.6.0-2] [MQTT-4.6.0-3].
func (s *Session) acknowledge() {
	n := 0
	for ; n < len(s.incoming) && s.incoming[n].safe && s.incoming[n].need <= s.ledger.written; n++ {
		in := &s.incoming[n]
		kind := packet.PUBACK // [MQTT-3.3.4-1] [MQTT-4.3.2-4]
		if in.qos == 2 {
			kind = packet.PUBREC // [MQTT-4.3.3-8]
			s.published(in.id)
			if in.reason < packet.UnspecifiedError {
				s.own().received = append(s.own().received, in.id) // [MQTT-4.3.3-9]
			}
		}
		s.sendAck(kind, in.id, in.reason, in.why)
	}
	s.incoming = slices.Delete(s.incoming, 0, n)
}

// sendAck writes an acknowledgement; only 5.0 has the reason. [MQTT-3.4.2-1].
func (s *Session) sendAck(kind packet.Type, id uint16, reason packet.ReasonCode, why string) {
	ack := packet.Ack{Type: kind, Version: s.version, PacketID: id, Reason: reason}
	if reason >= packet.UnspecifiedError && !s.peer.noProblemInfo { // [MQTT-3.1.2-29]
		ack.Properties.ReasonString = why
	}
	before := len(s.out)
	s.out = ack.Append(s.out)
	if s.tooLarge(len(s.out) - before) { // [MQTT-3.4.2-2]
		ack.Properties.ReasonString = ""
		s.out = ack.Append(s.out[:before])
	}
}

// resolve returns the topic of a PUBLISH, by its alias if it has one.
// [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-12].
func (s *Session) resolve(p *packet.Publish, now time.Time) (string, bool) {
	alias := p.Properties.TopicAlias
	name := string(p.Topic)
	if alias == 0 {
		return s.checkName(name, now)
	}
	if alias > s.limits.MaxTopicAlias {
		s.end(ReasonTopicAlias, now)
		return "", false
	}
	if name == "" {
		known := s.rare().aliases
		if int(alias) > len(known) || known[alias-1] == "" {
			s.end(ReasonTopicAlias.With("unknown"), now)
			return "", false
		}
		return known[alias-1], true
	}
	if _, ok := s.checkName(name, now); !ok {
		return "", false
	}
	own := s.own()
	for len(own.aliases) < int(alias) {
		own.aliases = append(own.aliases, "")
	}
	own.aliases[alias-1] = name
	return name, true
}

// checkName refuses names with wildcards, which no alias may stand for.
func (s *Session) checkName(name string, now time.Time) (string, bool) {
	switch err := topic.ValidName(name); err {
	case nil, topic.ErrTooManyLevels: //nolint:errorlint // the package returns its own values bare
		return name, true
	default:
		s.end(ReasonTopicNameInvalid.With(err.Error()), now) // [MQTT-3.3.2-2]
		return "", false
	}
}
