package session

import (
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// end closes the session: the will goes out [MQTT-3.1.2-8] unless it was
// discarded before, then the subscriptions end, then the connection. What is
// in Output is still to be written; nothing is added to it any more.
func (s *Session) end(reason Reason) {
	if s.phase == closed {
		return
	}
	if s.will != nil {
		s.emit(Effect{Kind: Publish, Message: s.will}) // [MQTT-3.1.2-10]
	}
	if len(s.subscriptions.list) > 0 {
		s.emit(Effect{Kind: Unsubscribe, Filters: s.subscriptions.filters()})
	}
	s.emit(Effect{Kind: Close, Reason: reason})
	// Only what is asked about a closed session is kept.
	*s = Session{
		phase: closed, key: s.key, clientID: s.ClientID(),
		drops: s.drops, out: s.out, effects: s.effects,
	}
}

// malformed ends the session for bytes that break the encoding.
func (s *Session) malformed(err error) {
	if errors.Is(err, packet.ErrTooLarge) {
		s.end(ReasonPacketTooLarge)
		return
	}
	s.end(ReasonMalformed.with(err.Error()))
}

// receiveDisconnect is the one end that a client's will does not survive.
// [MQTT-3.14.4-3].
func (s *Session) receiveDisconnect(f packet.Frame) {
	var p packet.Disconnect
	if err := p.Decode(f); err != nil {
		s.malformed(err) // [MQTT-3.14.1-1]
		return
	}
	s.will = nil
	s.end(ReasonDisconnected)
}

// Lost reports that the network connection has ended.
func (s *Session) Lost(_ time.Time) { s.end(ReasonConnectionLost) }

// Takeover reports that another connection has taken the session over. The
// will is published, as this one ends without a DISCONNECT. [MQTT-3.1.4-2].
func (s *Session) Takeover(_ time.Time) { s.end(ReasonTakenOver) }

// Shutdown reports that the server shuts down. The will is not published: it
// tells of a client that died, and this one is well and about to connect to
// another node.
func (s *Session) Shutdown(_ time.Time) {
	s.will = nil
	s.end(ReasonShutdown)
}
