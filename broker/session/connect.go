package session

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// receiveConnect takes the first packet of the connection.
func (s *Session) receiveConnect(f packet.Frame) {
	if f.Type != packet.CONNECT {
		s.end(ReasonProtocolError.with("the first packet is " + f.Type.String())) // [MQTT-3.1.0-1]
		return
	}
	p := new(packet.Connect)
	switch err := p.Decode(f); {
	case errors.Is(err, packet.ErrUnsupportedVersion):
		s.refuse(packet.UnacceptableProtocolVersion, ReasonUnsupportedVersion.with(p.Version.String())) // [MQTT-3.1.2-2]
		return
	case err != nil:
		s.malformed(err) // [MQTT-3.1.4-1]
		return
	}
	if detail := s.clientIDFlaw(p); detail != "" {
		s.refuse(packet.IdentifierRejected, ReasonClientIDRejected.with(detail)) // [MQTT-3.1.3-9]
		return
	}
	s.phase, s.connect = authenticating, p
	s.emit(Effect{Kind: Authenticate, Connect: p})
}

// clientIDFlaw says what is wrong with the client identifier, or nothing.
func (s *Session) clientIDFlaw(p *packet.Connect) string {
	switch {
	case p.ClientID == "" && !p.Clean:
		return "empty, and no clean session" // [MQTT-3.1.3-7] [MQTT-3.1.3-8]
	case len(p.ClientID) > s.limits.MaxClientID:
		return "too long"
	case strings.ContainsFunc(p.ClientID, unicode.IsControl):
		return "contains a control character"
	}
	return ""
}

// Accept answers the Authenticate effect: the client is who it says, and the
// effect's Connect has its final client identifier. A will that the client may
// not publish refuses it all the same.
func (s *Session) Accept(a Admission, now time.Time) {
	if s.phase != authenticating {
		return
	}
	p := s.connect
	s.key, s.authorizer, s.shard, s.expires = a.Key, a.Authorizer, a.Shard, a.Expires
	s.clientID = suffix(a.Key, p.ClientID)
	if !a.Expires.IsZero() && !now.Before(a.Expires) {
		s.refuse(packet.NotAuthorized, ReasonTokenExpired)
		return
	}
	var will *broker.Message
	if p.Will != nil {
		if reason, ok := s.mayPublish(p.Will.Topic); !ok {
			s.refuse(packet.NotAuthorized, ReasonWillNotAuthorized.with(p.Will.Topic+": "+reason.Name))
			return
		}
		// The log keeps at least one of each message, which is what QoS 1 asks.
		will = s.message(p.Will.Topic, p.Will.Payload, min(p.Will.QoS, maxQoS), p.Will.Retain)
	}
	s.phase, s.connect, s.will = connected, nil, will // [MQTT-3.1.2-8]
	s.keepAlive, s.heard = p.KeepAlive, now
	// Sessions live as long as their connection, so there is never one to
	// resume. [MQTT-3.2.2-1] [MQTT-3.2.2-3]
	s.out = packet.Connack{Code: packet.Accepted}.Append(s.out) // [MQTT-3.1.4-4]
}

// Refuse answers the Authenticate effect: the client gets code, which is not
// packet.Accepted, and the session ends.
func (s *Session) Refuse(code packet.ConnackCode, reason Reason, _ time.Time) {
	if s.phase == authenticating {
		s.refuse(code, reason)
	}
}

func (s *Session) refuse(code packet.ConnackCode, reason Reason) {
	s.out = packet.Connack{Code: code}.Append(s.out) // [MQTT-3.2.2-4]
	s.end(reason)                                    // [MQTT-3.2.2-5]
}

// suffix returns end, as a part of whole if it is one: that saves its memory.
func suffix(whole, end string) string {
	if strings.HasSuffix(whole, end) {
		return whole[len(whole)-len(end):]
	}
	return end
}
