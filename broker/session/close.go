package session

import (
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// end closes the session: what is left to tell the client, then the will
// [MQTT-3.1.2-8] unless it was discarded before or has to wait, then the
// subscriptions end, then the connection. What is in Output is still to be
// written; nothing is added to it any more.
func (s *Session) end(reason Reason, now time.Time) {
	if s.phase == closed {
		return
	}
	if s.v5() && s.phase == connected && reason.Code != 0 {
		s.sendDisconnect(reason) // [MQTT-4.13.2-1]
	}
	last := Effect{Kind: Close, Reason: reason, Will: s.endWill(now)}
	for _, r := range s.rare().replays {
		s.leaveReplay(r)
	}
	if len(s.subscriptions.list) > 0 {
		s.emit(Effect{Kind: Unsubscribe, Filters: s.subscriptions.filters()})
	}
	s.giveBack()
	if s.phase == connected && s.durable() && !s.ledger.fenced {
		last.Record = s.lastRecord(now)
	}
	s.emit(last)
	// Only what is asked about a closed session is kept.
	*s = Session{
		phase: closed, version: s.version, key: s.key, clientID: s.ClientID(),
		drops: s.drops, out: s.out, effects: s.effects,
	}
}

// endWill publishes the will [MQTT-3.1.2-8] [MQTT-3.1.2-10], or returns it if it
// waits for its delay: no longer than the session. [MQTT-3.1.3-9].
func (s *Session) endWill(now time.Time) *broker.Will {
	switch {
	case s.will == nil || s.phase != connected: // before CONNACK it is not the client's
		return nil
	case s.will.Delay == 0 || !s.durable():
		s.emit(Effect{Kind: Publish, Message: s.will.At(now)})
		return nil
	case s.ledger.fenced: // who has the session now decides
		return nil
	}
	w := *s.will
	w.Due = now.Add(w.Delay)
	if end := s.outlives(); end != 0 && end < w.Delay {
		w.Due = now.Add(end)
	}
	return &w
}

// sendDisconnect tells a 5.0 client why the connection ends. [MQTT-3.14.0-1].
func (s *Session) sendDisconnect(reason Reason) {
	p := packet.Disconnect{Version: s.version, Reason: farewell(reason.Code)}
	p.Properties.ServerReference = reason.ServerReference
	if !s.peer.noProblemInfo {
		p.Properties.ReasonString = reason.show()
	}
	before := len(s.out)
	s.out = p.Append(s.out)
	if s.tooLarge(len(s.out) - before) { // [MQTT-3.14.2-3]
		p.Properties.ReasonString = ""
		s.out = p.Append(s.out[:before])
	}
}

// farewell is a reason as a DISCONNECT may say it. [MQTT-3.14.2-1].
func farewell(code packet.ReasonCode) packet.ReasonCode {
	switch code {
	case packet.ServerUnavailableV5:
		return packet.ServerBusy
	case packet.UnsupportedProtocolVersion, packet.ClientIdentifierNotValid:
		return packet.ProtocolError
	case packet.BadUserNameOrPasswordV5:
		return packet.NotAuthorizedV5
	case packet.Banned:
		return packet.AdministrativeAction
	default:
		return code
	}
}

// malformed ends the session for bytes that break the encoding.
func (s *Session) malformed(err error, now time.Time) { s.end(malformation(err), now) }

// malformation is the reason for what a decoder says.
func malformation(err error) Reason {
	if errors.Is(err, packet.ErrTooLarge) {
		return ReasonPacketTooLarge // [MQTT-3.2.2-15]
	}
	reason := ReasonMalformed.With(err.Error())
	if errors.As(err, &reason.Malformed) && reason.Malformed.Reason != 0 {
		reason.Code = reason.Malformed.Reason
	}
	return reason
}

// receiveDisconnect is the one end that a client's will does not survive,
// unless it asks for that. [MQTT-3.14.4-3].
func (s *Session) receiveDisconnect(f packet.Frame, now time.Time) {
	var p packet.Disconnect
	if err := p.Decode(f); err != nil {
		s.malformed(err, now) // [MQTT-3.14.1-1]
		return
	}
	if p.Properties.HasSessionExpiry {
		if s.expiry == 0 && s.maxExpiry != 0 && p.Properties.SessionExpiry != 0 {
			s.end(ReasonProtocolError.With("a session expiry that CONNECT did not have"), now) // section 3.14.2.2.2
			return
		}
		s.expiry = min(p.Properties.SessionExpiry, s.maxExpiry)
	}
	if p.Reason == packet.NormalDisconnection {
		s.will = nil
	}
	s.end(ReasonDisconnected, now)
}

// Lost reports that the network connection has ended.
func (s *Session) Lost(now time.Time) { s.end(ReasonConnectionLost, now) }

// Takeover reports that another connection has taken the session over. The
// will is published, unless it waits and the new connection goes on with the
// session: who takes the record decides that. [MQTT-3.1.4-2] [MQTT-3.1.4-3].
func (s *Session) Takeover(now time.Time) { s.end(ReasonTakenOver, now) }

// Shutdown reports that the server shuts down. The will is not published: it
// tells of a client that died, and this one is well and about to connect to
// another node.
func (s *Session) Shutdown(now time.Time) {
	s.will = nil
	s.end(ReasonShutdown, now)
}

// Redirect asks the client to go to another server, named by reference or any
// that the client knows. 3.1 and 3.1.1 clients are just closed: they reconnect
// through the load balancer. [MQTT-4.11.0-1].
func (s *Session) Redirect(reference string, now time.Time) {
	s.will = nil
	reason := ReasonRedirected
	reason.ServerReference = reference
	s.end(reason, now)
}
