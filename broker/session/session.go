// Package session is the server's side of one MQTT client: the protocol's
// state machine without sockets, clocks, locks or goroutines. Packets and
// events go in by method; bytes to write (Output) and things to do (Effects)
// come out. DESIGN.md has the picture.
package session

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// phase is how far a session has come. It only ever goes forward, but for a
// challenge, which leads back to authenticating.
type phase uint8

const (
	awaitingConnect phase = iota // nothing but a CONNECT is allowed
	challenged                   // an AUTH with the client's token is awaited
	authenticating               // the driver has an Authenticate effect to answer
	claiming                     // the driver has a Claim effect to answer
	connected                    // CONNACK 0 was sent
	closed                       // a Close effect was emitted; nothing happens any more
)

// Session is one client's connection. It is not safe for concurrent use, and
// it never reads the clock: every event brings its time, which must not go
// backwards. After each call its driver takes Output and Effects and looks at
// Deadline.
type Session struct {
	limits *Limits // shared, and never written to

	phase     phase
	version   packet.Version
	congested bool // the transport has enough to write; set by Deliver, cleared by Drained
	lossless  bool // live messages are never missing

	keepAlive  uint16 // seconds; 0: off
	shard      uint16
	expiry     uint32 // session expiry interval in seconds
	maxExpiry  uint32 // the app's bound of it
	generation uint64 // of the log, which the positions are of
	cursors    uint32 // how many of retained messages were opened
	peer       peer   // what the client told about itself
	drops      Drops
	sent       uint32  // PUBLISH packets since Sent was asked
	sentBytes  uint32  // their payload
	heard      instant // the last sign of life; before CONNACK, the beginning
	expires    instant // of the credentials

	key        string
	clientID   string
	node       string
	mount      string // in front of every topic of the client; empty: none
	authorizer Authorizer
	will       *broker.Will
	nextID     func(time.Time) ulid.ULID

	subscriptions subscriptions
	incoming      []incoming // publishes that are not acknowledged, oldest first
	flights       flights    // outgoing QoS 1 and 2 that are not completed
	progress      progress   // of the session in the log
	reader        reader     // of the log, while the session is behind
	ledger        ledger     // of what the store knows
	seldom        *seldom    // what most sessions do without; see rare

	out     []byte
	effects []Effect
}

// seldom is what a session has only at its beginning, or only if its client
// makes use of it.
type seldom struct {
	connect     *packet.Connect     // until Claimed
	admission   *Admission          // from Accept to Claimed
	authMethod  string              // of enhanced authentication; empty: none
	truncated   instant             // when the log was last found not to reach back far enough
	asking      bool                // an AUTH with a newer token is awaited
	reauth      bool                // a Reauthenticate effect waits for its answer
	subscribing []subscribing       // SUBSCRIBEs without a SUBACK, oldest first
	steps       []step              // that wait for the record, oldest first
	publishing  []broker.Publishing // QoS 2 publishes that the log may or may not have
	received    []uint16            // QoS 2 publishes that wait for their PUBREL
	inherited   int                 // as many of them are of an earlier connection
	lineage     lineage             // of a resumed session's publishes
	aliases     []string            // topic aliases of the client, by number less one
	told        map[string]uint16   // topic aliases that the client was told
	page        []*broker.Message   // of the log, read and not sent yet
	replays     []*replay           // of retained messages, oldest first
	handed      []handed            // messages that wait for the window
}

// none is what a session without anything rare has. It is never written to.
var none seldom

// rare is for reading: it may be shared.
func (s *Session) rare() *seldom {
	if s.seldom == nil {
		return &none
	}
	return s.seldom
}

// own is for writing.
func (s *Session) own() *seldom {
	if s.seldom == nil {
		s.seldom = new(seldom)
	}
	return s.seldom
}

// empty reports whether it can be let go: what is told once, as a method or an
// alias, is kept.
func (r *seldom) empty() bool {
	return r.connect == nil && r.admission == nil && r.truncated == 0 && r.authMethod == "" && r.subscribing == nil && r.steps == nil &&
		len(r.received)+len(r.publishing) == 0 && r.lineage.since == 0 && r.aliases == nil && r.told == nil && !r.waits()
}

// waits reports whether messages do.
func (r *seldom) waits() bool { return r.page != nil || r.replays != nil || r.handed != nil }

// peer is what bounds the packets to the client.
type peer struct {
	receiveMaximum uint16 // QoS 1 and 2 publishes at once
	aliasMaximum   uint16 // topic aliases the client takes
	maxPacket      uint32 // bytes; 0: no bound
	noProblemInfo  bool   // wants no reason strings
}

// New returns the session of a connection that was opened at now. The limits
// are shared by sessions and must not change.
func New(limits *Limits, now time.Time) *Session {
	return &Session{limits: limits.sane(), heard: at(now)}
}

// Receive takes one packet from the client. It keeps nothing of f. Feed it
// only while Wants, else the bounds of Limits are exceeded; before Accept that
// would be a mistake of the driver and ends the session.
func (s *Session) Receive(f packet.Frame, now time.Time) {
	f.Version = s.version
	switch s.phase {
	case awaitingConnect:
		s.receiveConnect(f)
	case challenged:
		s.receiveChallenged(f)
	case authenticating, claiming:
		s.end(ReasonInternal, now)
	case connected:
		s.heard = at(now)
		s.receive(f, now)
		s.persist(now)
	case closed:
	}
}

func (s *Session) receive(f packet.Frame, now time.Time) {
	switch f.Type {
	case packet.PUBLISH:
		s.receivePublish(f, now)
	case packet.PUBACK, packet.PUBREC, packet.PUBCOMP:
		s.receiveAck(f, now)
	case packet.PUBREL:
		s.receivePubrel(f, now)
	case packet.SUBSCRIBE:
		s.receiveSubscribe(f, now)
	case packet.UNSUBSCRIBE:
		s.receiveUnsubscribe(f, now)
	case packet.PINGREQ:
		s.receivePingreq(f, now)
	case packet.DISCONNECT:
		s.receiveDisconnect(f, now)
	case packet.AUTH:
		s.receiveAuth(f, now)
	case packet.CONNECT:
		s.end(ReasonProtocolError.With("a second CONNECT"), now) // [MQTT-3.1.0-2]
	default:
		// What only a server sends. [MQTT-4.8.0-1]
		s.end(ReasonProtocolError.With("unexpected "+f.Type.String()), now)
	}
}

// Malformed reports that the client's bytes cannot be cut into packets, as
// packet.Split said. [MQTT-4.8.0-1] [MQTT-4.13.1-1].
func (s *Session) Malformed(err error, now time.Time) { s.malformed(err, now) }

// Wants reports whether packets may be fed now: not before a CONNECT has been
// answered, and not while too much waits for the driver's answers.
func (s *Session) Wants() bool {
	switch s.phase {
	case awaitingConnect, challenged:
		return true
	case connected:
		return len(s.incoming) < s.limits.MaxUnacknowledged && len(s.rare().subscribing) < s.limits.MaxUnacknowledged &&
			len(s.rare().steps) < s.limits.MaxUnacknowledged+s.limits.MaxInflight && !s.rare().reauth
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

// Sent drains the count of PUBLISH packets to the client, and of the bytes of
// their payloads.
func (s *Session) Sent() (messages, bytes uint32) {
	messages, bytes = s.sent, s.sentBytes
	s.sent, s.sentBytes = 0, 0
	return messages, bytes
}

// Key is the session's key as Accept said it, empty before.
func (s *Session) Key() string { return s.key }

// Version is the protocol version of the CONNECT, zero before.
func (s *Session) Version() packet.Version { return s.version }

// ClientID is the client identifier, empty before CONNECT.
func (s *Session) ClientID() string {
	if p := s.rare().connect; p != nil {
		return p.ClientID
	}
	return s.clientID
}

// Connected reports whether the client was accepted and is not gone yet.
func (s *Session) Connected() bool { return s.phase == connected }

// Closed reports whether the session has ended.
func (s *Session) Closed() bool { return s.phase == closed }

func (s *Session) emit(e Effect) { s.effects = append(s.effects, e) }

// v5 reports whether the client speaks MQTT 5.0.
func (s *Session) v5() bool { return s.version == packet.V5 }

// release gives back the small buffers of a connection that has nothing to
// say: most connections are idle most of the time.
func (s *Session) release(now time.Time) {
	if len(s.out) == 0 {
		s.out = nil
	}
	if len(s.incoming) == 0 {
		s.incoming = nil
	}
	if s.seldom != nil {
		s.seldom.lineage.forget(now)
	}
	if s.seldom != nil && s.seldom.empty() {
		s.seldom = nil
	}
	if s.lossless && !s.reader.behind && len(s.progress.acked) > 0 {
		s.settle(now)
	}
	s.flights.release()
	s.progress.release()
}
