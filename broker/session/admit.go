package session

import (
	"math"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// never is the session expiry interval that means so, and so does MaxExpiry
// from there on.
const never = math.MaxUint32

// Accept answers the Authenticate effect: the client is who it says, and the
// effect's Connect has its final client identifier. A will that the client may
// not publish refuses it all the same.
func (s *Session) Accept(a Admission, now time.Time) {
	if s.phase != authenticating {
		return
	}
	p := s.own().connect
	s.key, s.authorizer, s.shard, s.expires = a.Key, a.Authorizer, a.Shard, at(a.Expires)
	s.node, s.mount, s.lossless = a.Node, a.Mount, a.Lossless
	s.clientID = suffix(a.Key, p.ClientID)
	will, reason := s.takeWill(p.Will)
	if passed(a.Expires, now) {
		reason = ReasonTokenExpired
	}
	if reason.Name != "" {
		s.reject(reason, a.Record, now)
		return
	}
	record := a.Record
	if p.Clean { // [MQTT-3.1.2-4] [MQTT-3.1.2-6]
		record = nil
	}
	s.settleExpiry(p, a.MaxExpiry)
	s.keepAlive, s.heard = s.grantKeepAlive(p.KeepAlive), at(now)
	before := len(s.out)
	s.out = s.connack(p, a, record != nil).Append(s.out) // [MQTT-3.1.4-4] [MQTT-3.1.4-5]
	if s.tooMuch(before, packet.CONNACK, now) {
		s.keep(a.Record)
		return
	}
	s.will = will // [MQTT-3.1.2-8]
	s.phase, s.own().connect = connected, nil
	if record != nil {
		s.resume(record, now)
	}
}

// reject refuses a client that was accepted. Its session is none the worse for
// that.
func (s *Session) reject(reason Reason, record *broker.Record, now time.Time) {
	s.refuse(reason, now)
	s.keep(record)
}

// keep puts a record that was not used into the Close effect.
func (s *Session) keep(record *broker.Record) { s.effects[len(s.effects)-1].Record = record }

// settleExpiry decides how long the session outlives its connection.
func (s *Session) settleExpiry(p *packet.Connect, most time.Duration) {
	s.maxExpiry = never
	if seconds := int64(most / time.Second); seconds < never {
		s.maxExpiry = uint32(max(seconds, 0))
	}
	switch {
	case s.v5():
		s.expiry = min(p.Properties.SessionExpiry, s.maxExpiry)
	case !p.Clean:
		s.expiry = s.maxExpiry
	}
}

// grantKeepAlive bounds the keep alive of clients that can be told so.
func (s *Session) grantKeepAlive(asked uint16) uint16 {
	most := s.limits.MaxKeepAlive
	if s.v5() && most != 0 && (asked == 0 || asked > most) {
		return most
	}
	return asked
}

// connack tells the client what it may expect.
func (s *Session) connack(p *packet.Connect, a Admission, present bool) packet.Connack {
	ack := packet.Connack{Version: s.version, SessionPresent: present} // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
	if !s.v5() {
		return ack
	}
	props := &ack.Properties
	if s.expiry != p.Properties.SessionExpiry {
		props.HasSessionExpiry, props.SessionExpiry = true, s.expiry
	}
	props.ReceiveMaximum = uint16(min(s.limits.MaxReceive, math.MaxUint16)) //nolint:gosec // within bounds
	props.MaximumPacketSize = uint32(s.limits.MaxPacket)                    //nolint:gosec // within bounds
	props.TopicAliasMaximum = s.limits.MaxTopicAlias
	if a.Assigned {
		props.AssignedClientID = p.ClientID // [MQTT-3.2.2-16]
	}
	if s.keepAlive != p.KeepAlive {
		props.HasServerKeepAlive, props.ServerKeepAlive = true, s.keepAlive // [MQTT-3.1.2-21]
	}
	if p.Properties.RequestResponseInfo {
		props.ResponseInfo = strings.TrimPrefix(a.ResponseInfo, s.mount) // [MQTT-3.1.2-28]
	}
	props.AuthMethod = s.rare().authMethod // [MQTT-4.12.0-5]
	return ack
}

// will is the message that is published when the client is lost.
type will struct {
	message *broker.Message
	delay   uint32 // seconds
	expiry  uint32 // seconds from its publishing; 0: none
}

// takeWill checks a CONNECT's will; a Reason with a name refuses it.
func (s *Session) takeWill(w *packet.Will) (*will, Reason) {
	if w == nil {
		return nil, Reason{}
	}
	name := s.full(w.Topic)
	if reason, ok := s.mayPublish(name); !ok {
		return nil, ReasonWillNotAuthorized.with(name + ": " + reason.Name)
	}
	props := &w.Properties
	m := s.message(name, w.Payload, w.QoS, w.Retain)
	m.UTF8 = props.PayloadFormat == 1
	if m.UTF8 && !validText(w.Payload) {
		return nil, ReasonPayloadFormat.with("the will")
	}
	m.ContentType, m.User = props.ContentType, props.User
	m.Correlation = props.CorrelationData
	if props.ResponseTopic != "" {
		m.ResponseTopic = s.full(props.ResponseTopic)
	}
	out := &will{message: m, delay: props.DelayInterval}
	if props.HasMessageExpiry {
		out.expiry = max(props.MessageExpiry, 1)
	}
	return out, Reason{}
}

// publishWill publishes the will now. [MQTT-3.1.2-8] [MQTT-3.1.2-10].
func (s *Session) publishWill(now time.Time) {
	s.emit(Effect{Kind: Publish, Message: s.will.at(now)})
	s.will = nil
}

// at is the will's message, published at t.
func (w *will) at(t time.Time) *broker.Message {
	if w.expiry != 0 {
		w.message.Expires = t.Add(time.Duration(w.expiry) * time.Second).UnixMilli()
	}
	return w.message
}
