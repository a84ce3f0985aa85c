// Package session is the server's side of one MQTT client: the protocol's
// state machine without sockets, clocks, locks or goroutines. Packets and
// events go in by method; bytes to write (Output) and things to do (Effects)
// come out. DESIGN.md has the picture.
package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// phase is how far a session has come. It only ever goes forward.
type phase uint8

const (
	awaitingConnect phase = iota // nothing but a CONNECT is allowed
	authenticating               // the driver has an Authenticate effect to answer
	connected                    // CONNACK 0 was sent
	closed                       // a Close effect was emitted; nothing happens any more
)

// Session is one client's connection. It is not safe for concurrent use, and
// it never reads the clock: every event brings its time, which must not go
// backwards. After each call its driver takes Output and Effects and looks at
// Deadline.
type Session struct {
	limits Limits

	phase     phase
	congested bool   // the transport has enough to write; set by Deliver, cleared by Drained
	keepAlive uint16 // seconds; 0: off
	shard     uint16
	heard     time.Time // the last sign of life; before CONNACK, the beginning
	expires   time.Time // of the credentials; zero: never

	connect    *packet.Connect // until Accept
	key        string
	clientID   string
	authorizer Authorizer
	will       *broker.Message

	subscriptions subscriptions
	subscribing   []subscribing // SUBSCRIBEs without a SUBACK, oldest first
	incoming      []incoming    // QoS 1 publishes without a PUBACK, oldest first
	window        window        // outgoing QoS 1 without a PUBACK
	pending       queue         // outgoing QoS 1 that waits for the window or the transport

	drops   Drops
	out     []byte
	effects []Effect
}

// New returns the session of a connection that was opened at now.
func New(limits Limits, now time.Time) *Session {
	return &Session{limits: limits.sane(), heard: now}
}

// Receive takes one packet from the client. It keeps nothing of f. Feed it
// only while Wants, else the bounds of Limits are exceeded; before Accept that
// would be a mistake of the driver and ends the session.
func (s *Session) Receive(f packet.Frame, now time.Time) {
	switch s.phase {
	case awaitingConnect:
		s.receiveConnect(f)
	case authenticating:
		s.end(ReasonInternal)
	case connected:
		s.heard = now
		s.receive(f, now)
	case closed:
	}
}

func (s *Session) receive(f packet.Frame, now time.Time) {
	switch f.Type {
	case packet.PUBLISH:
		s.receivePublish(f)
	case packet.PUBACK:
		s.receivePuback(f, now)
	case packet.SUBSCRIBE:
		s.receiveSubscribe(f)
	case packet.UNSUBSCRIBE:
		s.receiveUnsubscribe(f)
	case packet.PINGREQ:
		s.receivePingreq(f)
	case packet.DISCONNECT:
		s.receiveDisconnect(f)
	case packet.CONNECT:
		s.end(ReasonProtocolError.with("a second CONNECT")) // [MQTT-3.1.0-2]
	default:
		// What only a server sends, and the steps of QoS 2. [MQTT-4.8.0-1]
		s.end(ReasonProtocolError.with("unexpected " + f.Type.String()))
	}
}

// Malformed reports that the client's bytes cannot be cut into packets, as
// packet.Split said. The session ends without an answer. [MQTT-4.8.0-1].
func (s *Session) Malformed(err error, _ time.Time) { s.malformed(err) }

// Wants reports whether packets may be fed now: not before a CONNECT has been
// answered, and not while too much waits for the driver's answers.
func (s *Session) Wants() bool {
	switch s.phase {
	case awaitingConnect:
		return true
	case connected:
		return len(s.incoming) < s.limits.MaxUnacknowledged && len(s.subscribing) < s.limits.MaxUnacknowledged
	default:
		return false
	}
}

// Output drains the bytes to write. They are valid until the next call of any
// method but Effects.
func (s *Session) Output() []byte {
	out := s.out
	if cap(out) > keepOutput {
		s.out = nil
	} else {
		s.out = out[:0]
	}
	return out
}

// keepOutput is the output buffer in bytes that a session keeps: room for a
// few small messages.
const keepOutput = 512

// Effects drains what the driver has to do, in order. The slice is the
// caller's.
func (s *Session) Effects() []Effect {
	effects := s.effects
	s.effects = nil // kept, it would keep the last message's payload with it
	return effects
}

// Drops drains the count of messages that were not delivered.
func (s *Session) Drops() Drops {
	drops := s.drops
	s.drops = Drops{}
	return drops
}

// Key is the session's key as Accept said it, empty before.
func (s *Session) Key() string { return s.key }

// ClientID is the client identifier, empty before CONNECT.
func (s *Session) ClientID() string {
	if s.connect != nil {
		return s.connect.ClientID
	}
	return s.clientID
}

// Connected reports whether the client was accepted and is not gone yet.
func (s *Session) Connected() bool { return s.phase == connected }

// Closed reports whether the session has ended.
func (s *Session) Closed() bool { return s.phase == closed }

func (s *Session) emit(e Effect) { s.effects = append(s.effects, e) }

// release gives back the small buffers of a connection that has nothing to
// say: most connections are idle most of the time.
func (s *Session) release() {
	if len(s.out) == 0 {
		s.out = nil
	}
	if len(s.incoming) == 0 {
		s.incoming = nil
	}
	s.window.release()
}
