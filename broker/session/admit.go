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
// not publish refuses it all the same. Otherwise a Claim follows.
func (s *Session) Accept(a Admission, now time.Time) {
	if s.phase != authenticating {
		return
	}
	p := s.own().connect
	s.key, s.authorizer, s.shard, s.expires = a.Key, a.Authorizer, a.Shard, at(a.Expires)
	s.node, s.mount, s.lossless, s.nextID = a.Node, a.Mount, a.Lossless, a.NextID
	s.clientID = suffix(a.Key, p.ClientID)
	will, reason := s.takeWill(p.Will)
	if passed(a.Expires, now) {
		reason = ReasonTokenExpired
	}
	if reason.Name != "" {
		s.refuse(reason, now)
		return
	}
	s.settleExpiry(p, a.MaxExpiry)
	if s.will = will; will != nil {
		will.Durable = s.durable()
	}
	s.phase, s.own().admission = claiming, &a
	s.emit(Effect{Kind: Claim, Clean: p.Clean, Durable: s.durable(), Expiry: s.outlives(), Will: will})
}

// Claimed answers the Claim effect: the session is this connection's, and
// record is what the last one left of it, nil if there is nothing; or err says
// why not. [MQTT-3.1.2-4] [MQTT-3.1.2-6].
func (s *Session) Claimed(record *broker.Record, err error, now time.Time) {
	if s.phase != claiming {
		return
	}
	if err != nil {
		s.refuse(failure(err), now)
		return
	}
	p, a := s.rare().connect, s.rare().admission
	s.generation = a.Generation
	s.keepAlive, s.heard = s.grantKeepAlive(p.KeepAlive), at(now)
	before := len(s.out)
	s.out = s.connack(p, a, record != nil).Append(s.out) // [MQTT-3.1.4-4] [MQTT-3.1.4-5]
	if s.tooMuch(before, packet.CONNACK, now) {
		s.keep(record, now)
		return
	}
	s.phase, s.own().connect, s.own().admission = connected, nil, nil // [MQTT-3.1.2-8]
	if record != nil {
		s.resume(record, a.Retention, now)
		return
	}
	// The client knows of the session now, and must find it again even if there
	// is nothing in it. [MQTT-3.2.2-2]
	s.touched(now)
}

// keep puts a record that was not used into the Close effect: the session is
// none the worse for a connection that came to nothing.
func (s *Session) keep(record *broker.Record, now time.Time) {
	if record == nil {
		return
	}
	r := *record
	if r.Expires.IsZero() && r.Expiry > 0 {
		r.Expires = now.Add(r.Expiry)
	}
	s.effects[len(s.effects)-1].Record = &r
}

// durable reports whether the session outlives its connection.
func (s *Session) durable() bool { return s.expiry > 0 }

// outlives is how long it does; 0 is for ever.
func (s *Session) outlives() time.Duration {
	if s.expiry == never {
		return 0
	}
	return time.Duration(s.expiry) * time.Second
}

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
func (s *Session) connack(p *packet.Connect, a *Admission, present bool) packet.Connack {
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

// takeWill checks a CONNECT's will; a Reason with a name refuses it.
func (s *Session) takeWill(w *packet.Will) (*broker.Will, Reason) {
	if w == nil {
		return nil, Reason{}
	}
	name := s.full(w.Topic)
	if reason, ok := s.mayPublish(name); !ok || s.foreign(name) {
		return nil, ReasonWillNotAuthorized.With(name + ": " + reason.Name)
	}
	if !s.mayCarry(len(w.Payload)) {
		return nil, ReasonPayload.With("the will")
	}
	props := &w.Properties
	m := s.message(name, w.Payload, w.QoS, w.Retain)
	m.UTF8 = props.PayloadFormat == 1
	if m.UTF8 && !validText(w.Payload) {
		return nil, ReasonPayloadFormat.With("the will")
	}
	m.ContentType, m.User = props.ContentType, props.User
	m.Correlation = props.CorrelationData
	if props.ResponseTopic != "" {
		m.ResponseTopic = s.full(props.ResponseTopic)
	}
	out := &broker.Will{Message: m, Delay: time.Duration(props.DelayInterval) * time.Second}
	if props.HasMessageExpiry {
		out.Lifetime = time.Duration(max(props.MessageExpiry, 1)) * time.Second
	}
	return out, Reason{}
}
