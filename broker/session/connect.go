package session

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// jwtMethod is the only method of enhanced authentication: the client sends a
// device token, at CONNECT and whenever it has a newer one.
const jwtMethod = "JWT"

// receiveConnect takes the first packet of the connection.
func (s *Session) receiveConnect(f packet.Frame) {
	if f.Type != packet.CONNECT {
		s.end(ReasonProtocolError.with("the first packet is "+f.Type.String()), s.heard.time()) // [MQTT-3.1.0-1]
		return
	}
	p := new(packet.Connect)
	err := p.Decode(f)
	s.version = p.Version
	switch {
	case errors.Is(err, packet.ErrUnsupportedVersion):
		s.version = packet.V311                                                     // whose CONNACK everybody reads
		s.refuse(ReasonUnsupportedVersion.with(p.Version.String()), s.heard.time()) // [MQTT-3.1.2-2]
		return
	case err != nil:
		s.badConnect(err)
		return
	}
	s.meet(p)
	if detail := s.clientIDFlaw(p); detail != "" {
		s.refuse(ReasonClientIDRejected.with(detail), s.heard.time()) // [MQTT-3.1.3-9]
		return
	}
	s.own().connect = p
	switch {
	case !p.Properties.HasAuthMethod:
		s.authenticate()
	case p.Properties.AuthMethod != jwtMethod:
		s.refuse(ReasonBadAuthMethod, s.heard.time()) // [MQTT-4.12.0-1]
	case len(p.Properties.AuthData) == 0:
		s.own().authMethod = jwtMethod
		s.challenge()
	default:
		s.own().authMethod = jwtMethod
		s.authenticate()
	}
}

// badConnect answers a CONNECT that cannot be read: 5.0 has a code for it,
// before that the connection closes. [MQTT-3.1.4-1].
func (s *Session) badConnect(err error) {
	reason := malformation(err)
	if s.v5() {
		s.refuse(reason, s.heard.time())
		return
	}
	s.end(reason, s.heard.time())
}

// meet notes what the client says about itself.
func (s *Session) meet(p *packet.Connect) {
	s.peer.receiveMaximum = uint16(s.limits.MaxInflight) //nolint:gosec // within bounds
	if n := p.Properties.ReceiveMaximum; n > 0 {
		s.peer.receiveMaximum = min(n, s.peer.receiveMaximum) // [MQTT-3.3.4-9]
	}
	s.peer.maxPacket = p.Properties.MaximumPacketSize
	s.peer.aliasMaximum = min(p.Properties.TopicAliasMaximum, s.limits.MaxTopicAlias) // [MQTT-3.1.2-26]
	s.peer.noProblemInfo = p.Properties.NoProblemInfo
}

// clientIDFlaw says what is wrong with the client identifier, or nothing.
func (s *Session) clientIDFlaw(p *packet.Connect) string {
	switch {
	case p.ClientID == "" && s.version == packet.V31:
		return "empty" // 3.1 wants 1 to 23 characters; longer ones do no harm
	case p.ClientID == "" && !p.Clean && !s.v5():
		return "empty, and no clean session" // [MQTT-3.1.3-7] [MQTT-3.1.3-8]
	case len(p.ClientID) > s.limits.MaxClientID:
		return "too long"
	case strings.ContainsFunc(p.ClientID, unicode.IsControl):
		return "contains a control character"
	}
	return ""
}

func (s *Session) authenticate() {
	s.phase = authenticating
	s.emit(Effect{Kind: Authenticate, Connect: s.rare().connect})
}

// challenge asks for the token that CONNECT did not bring. [MQTT-4.12.0-2].
func (s *Session) challenge() {
	s.phase = challenged
	s.sendAuth(packet.ContinueAuthentication)
}

func (s *Session) sendAuth(reason packet.ReasonCode) {
	s.out = packet.Auth{Reason: reason, Properties: packet.AuthProperties{AuthMethod: s.rare().authMethod}}.Append(s.out)
}

// receiveChallenged takes the answer to a challenge.
func (s *Session) receiveChallenged(f packet.Frame) {
	if f.Type == packet.DISCONNECT {
		s.end(ReasonDisconnected, s.heard.time())
		return
	}
	if f.Type != packet.AUTH {
		s.refuse(ReasonProtocolError.with("unexpected "+f.Type.String()+" during authentication"), s.heard.time()) // [MQTT-3.1.2-30]
		return
	}
	var p packet.Auth
	switch err := p.Decode(f); {
	case err != nil:
		s.badConnect(err)
	case p.Reason != packet.ContinueAuthentication: // [MQTT-4.12.0-3]
		s.refuse(ReasonProtocolError.with("AUTH does not continue the authentication"), s.heard.time())
	case p.Properties.AuthMethod != s.rare().authMethod: // [MQTT-4.12.0-5]
		s.refuse(ReasonBadAuthMethod, s.heard.time())
	case len(p.Properties.AuthData) == 0:
		s.refuse(ReasonBadCredentials.with("no token"), s.heard.time())
	default:
		s.rare().connect.Properties.AuthData = p.Properties.AuthData
		s.authenticate()
	}
}

// receiveAuth takes a request to renew the credentials, or the token that such
// a request did not bring.
func (s *Session) receiveAuth(f packet.Frame, now time.Time) {
	if !s.v5() || s.rare().authMethod == "" {
		s.end(ReasonProtocolError.with("AUTH without an authentication method"), now) // [MQTT-4.12.1-1]
		return
	}
	var p packet.Auth
	switch err := p.Decode(f); {
	case err != nil:
		s.malformed(err, now)
	case p.Properties.AuthMethod != s.rare().authMethod:
		s.end(ReasonBadAuthMethod, now) // [MQTT-4.12.1-1]
	case p.Reason != packet.Reauthenticate && (p.Reason != packet.ContinueAuthentication || !s.rare().asking):
		s.end(ReasonProtocolError.with("AUTH neither begins nor continues an authentication"), now) // [MQTT-3.15.2-1]
	case len(p.Properties.AuthData) == 0:
		s.own().asking = true
		s.sendAuth(packet.ContinueAuthentication)
	default:
		s.own().asking, s.own().reauth = false, true
		s.emit(Effect{Kind: Reauthenticate, Credential: p.Properties.AuthData})
	}
}

// Reauthenticated answers the Reauthenticate effect: the client has proved
// again who it is, and may stay until expires, or err says why not.
// [MQTT-4.12.1-2].
func (s *Session) Reauthenticated(a Authorizer, expires time.Time, err error, now time.Time) {
	if s.phase != connected || !s.rare().reauth {
		return
	}
	s.own().reauth = false
	s.Alive(now)
	if err != nil {
		s.end(ReasonReauthentication.with(err.Error()), now)
		return
	}
	s.authorizer, s.expires = a, at(expires)
	s.sendAuth(packet.Success)
	s.Regrant(now)
}

// Regrant ends what the client may not do any more: its authorizer answers
// otherwise than before. A subscription ends without a word, as the protocol has
// none for it, unless its SUBACK is still to come.
func (s *Session) Regrant(now time.Time) {
	if s.phase != connected {
		return // what it may do is asked when it comes to that
	}
	var removed []string
	for _, filter := range s.subscriptions.filters() {
		sub := &s.subscriptions.list[s.subscriptions.index(filter)]
		if !s.authorizer.MaySubscribe(sub.match) {
			s.subscriptions.remove(filter)
			removed = append(removed, filter)
			s.refuseLater(filter)
			s.touched(now)
			s.emit(Effect{Kind: Denied, Filters: []string{filter}, Reason: ReasonNotAuthorized})
		}
	}
	s.leave(removed)
	if s.will != nil && !s.authorizer.MayPublish(s.will.Message.Topic) {
		s.emit(Effect{Kind: Denied, Message: &broker.Message{Topic: s.will.Message.Topic}, Reason: ReasonWillNotAuthorized})
		s.emit(Effect{Kind: Disown})
		s.will = nil
	}
}

// Revoke reports that what the client has proved itself with was taken away.
func (s *Session) Revoke(now time.Time) { s.expel(ReasonRevoked, now) }

// Suspend reports that the client's organization is suspended, or gone. Nothing
// more is said in its name: the will is not published.
func (s *Session) Suspend(now time.Time) {
	s.will = nil
	s.expel(ReasonSuspended, now)
}

// expel ends a connection that the client had a right to before.
func (s *Session) expel(reason Reason, now time.Time) {
	if s.phase == authenticating || s.phase == claiming {
		s.refuse(reason, now)
		return
	}
	s.end(reason, now)
}

// Refuse answers the Authenticate effect: the client may not come in, and the
// session ends.
func (s *Session) Refuse(reason Reason, now time.Time) {
	if s.phase == authenticating {
		s.refuse(reason, now)
	}
}

// refuse answers CONNECT with a CONNACK that says why, and ends the session.
// [MQTT-3.2.2-4] [MQTT-3.2.2-5].
func (s *Session) refuse(reason Reason, now time.Time) {
	p := packet.Connack{Version: s.version, Reason: refusal(reason.Code), Code: reason.Code.Connack()}
	if reason.Name == ReasonRate.Name {
		p.Code = packet.BadUserNameOrPassword // 3.1.1 has no code for rates, and the credentials were wrong
	}
	p.Properties.ServerReference = reason.ServerReference
	if !s.peer.noProblemInfo {
		p.Properties.ReasonString = reason.show()
	}
	before := len(s.out)
	s.out = p.Append(s.out)
	if s.tooLarge(len(s.out) - before) { // [MQTT-3.2.2-19]
		p.Properties.ReasonString = ""
		s.out = p.Append(s.out[:before])
	}
	s.end(reason, now)
}

// refusal is a reason as a CONNACK may say it. [MQTT-3.2.2-8].
func refusal(code packet.ReasonCode) packet.ReasonCode {
	switch code {
	case packet.ServerShuttingDown:
		return packet.ServerUnavailableV5
	case packet.MaximumConnectTime, packet.KeepAliveTimeout, packet.SessionTakenOver:
		return packet.NotAuthorizedV5
	case packet.TopicFilterInvalid, packet.TopicAliasInvalid, packet.ReceiveMaximumExceeded:
		return packet.ProtocolError
	default:
		return code
	}
}

// suffix returns end, as a part of whole if it is one: that saves its memory.
func suffix(whole, end string) string {
	if strings.HasSuffix(whole, end) {
		return whole[len(whole)-len(end):]
	}
	return end
}
