package broker

import "time"

// Record is what outlives the connection of a durable session: everything that
// MQTT calls the session state (MQTT 5.0 section 4.1), with the messages told
// by their positions in the log. It holds no payload but the will's.
type Record struct {
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
	// Expires is when the session ends; zero while a connection holds it.
	Expires time.Time
	// Will is to be published at WillAt unless the client is back; nil without one.
	Will   *Message
	WillAt time.Time
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
