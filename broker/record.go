package broker

import (
	"time"

	"github.com/oklog/ulid/v2"
)

// Record is what outlives the connection of a durable session: everything that
// MQTT calls the session state (MQTT 5.0 section 4.1), with the messages told
// by their positions in the log. It holds no payload.
type Record struct {
	// Owner is the instance whose connection holds the session, or was the last
	// to hold it.
	Owner string
	// Epoch grows with every connection of the session: it fences what an
	// earlier owner still says.
	Epoch uint64
	// Generation of the log that the sequences are of: after a power loss or a
	// restore sequences may be given out again.
	Generation uint64
	// Expiry is how long the session outlives its connection; 0 is for ever.
	Expiry time.Duration
	// Subscriptions are in the order they were made.
	Subscriptions []Subscription
	// Floor: every message of the session's shard up to this sequence is done.
	Floor uint64
	// FloorTime is when the floor was reached, so that a reader of the log
	// knows where in time to begin.
	FloorTime time.Time
	// Acked are the acknowledged sequences above the floor, rising.
	Acked []uint64
	// Inflight are the messages sent and not completed, in the order of sending.
	Inflight []Flight
	// LastPacketID is the identifier given out last, so that reuse stays far
	// apart.
	LastPacketID uint16
	// Received are the packet identifiers of the client's QoS 2 messages that
	// are safe and wait for PUBREL.
	Received []uint16
	// Publishing are the client's QoS 2 messages that were given to the log and
	// are not known to be safe: sent again, they keep their IDs.
	Publishing []Publishing
	// Expires is when the session ends; zero while a connection holds it.
	Expires time.Time
	// Fresh says that the session has only been claimed yet: its client may never
	// have learnt of it, and there is nothing in it.
	Fresh bool
	// Willed says that the store has a will of the session, under Owner: of the
	// connection, or waiting for its delay.
	Willed bool
	// Truncated is when the log's retention was last seen to have ended before
	// the session's floor: messages may have been lost to it. Zero: never.
	Truncated time.Time
}

// Publishing is a QoS 2 message on its way from the client into the log.
type Publishing struct {
	PacketID uint16
	ID       ulid.ULID
}

// Stored is a record as it lies in the store. Without a Record there is none;
// Revision is 0 then, or that of its removal.
type Stored struct {
	Record   *Record
	Revision uint64
}

// Will is a message to be published for a client that is lost. It is stored
// under the instance that holds the connection, so that others find it when
// that one is gone.
type Will struct {
	// Instance that holds, or held, the connection; Key of its session.
	Instance, Key string
	// Epoch of the connection.
	Epoch uint64
	// Message has its ID already, so that it can be published twice without harm.
	Message *Message
	// Delay is how long it waits after the connection's end.
	Delay time.Duration
	// Durable says that the session goes on after the connection's end, so that
	// a client that is back before the delay is over keeps the will from being
	// published.
	Durable bool
	// Lifetime is the message's expiry interval from its publishing; 0: none.
	Lifetime time.Duration
	// Due is when it is to be published; zero while the connection lives.
	Due time.Time
	// Revision of the entry in the store.
	Revision uint64
}

// At is the will's message as it is published at t.
func (w *Will) At(t time.Time) *Message {
	if w.Lifetime == 0 {
		return w.Message
	}
	m := *w.Message
	m.Expires = t.Add(w.Lifetime).UnixMilli()
	return &m
}

// Subscription is one filter of a session.
type Subscription struct {
	Filter            string // as the client wrote it, in full
	QoS               byte   // granted
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte
	ID                uint32 // subscription identifier; 0 without one
	// Start is the head of the log when the subscription was made: messages up
	// to it are not owed.
	Start uint64
}

// Flight is one message between its PUBLISH and its last acknowledgement.
type Flight struct {
	PacketID uint16
	Seq      uint64 // in the log
	QoS      byte   // it was sent with, 1 or 2
	Released bool   // QoS 2: PUBREC came, PUBREL was sent
	Retain   bool   // it was sent with RETAIN
	Group    string // the share filter it came by, in full; empty: none
}

// Kept is a session as it is kept for a client.
type Kept struct {
	ClientID string
	Record   *Record
	// Connected says that a connection holds the session.
	Connected bool
}
