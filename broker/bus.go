package broker

import "github.com/fanfare-mq/fanfare/fault"

// Acknowledger learns the fate of a published message. The edge's connections
// implement it; tag is what they gave to Publish (their packet identifier).
type Acknowledger interface {
	// Published is called exactly once per accepted Publish, from any
	// goroutine, possibly before Publish returns; it must not block. A nil
	// error means the message is safe: acknowledged by the log (QoS ≥ 1) or
	// handed to the live path (QoS 0).
	Published(tag uint64, m *Message, err error)
}

// Receiver takes messages for this node's subscribers.
type Receiver interface {
	// Deliver hands over a message once per node. It must not block, and m
	// must not be changed.
	Deliver(m *Message)
}

// Errors of the bus.
var (
	// ErrOverloaded: too many appends wait for the log. Try again later.
	ErrOverloaded = fault.New(fault.Overloaded, "too many messages wait for the log")
	// ErrUnavailable: the log did not answer in time. Nothing was acknowledged.
	ErrUnavailable = fault.New(fault.Unavailable, "the message log does not answer")
)

// SessionKey names a session: organization, app, user, client identifier.
// The first three have no slash, so the key is unambiguous.
func SessionKey(org, app, user, clientID string) string {
	return org + "/" + app + "/" + user + "/" + clientID
}
