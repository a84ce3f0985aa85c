package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// EffectKind says what the driver has to do.
type EffectKind uint8

// The kinds of effect.
const (
	// Authenticate: find out who Connect is, and call Accept or Refuse. An
	// empty ClientID must be filled in with one that is unique before.
	Authenticate EffectKind = iota + 1
	// Publish: hand Message to the bus. If PacketID is not 0, call Published
	// with it when the message is safe. Wills come without a PacketID.
	Publish
	// Subscribe: enter the session under Filters, then call Subscribed with
	// PacketID once messages published from now on are sure to arrive.
	Subscribe
	// Unsubscribe: remove the session from Filters.
	Unsubscribe
	// Denied: a publish to Message.Topic was acknowledged and dropped for
	// Reason. For the log and the counters; Message has no payload.
	Denied
	// Close: the session is over for Reason. Write the rest of Output, then
	// close the connection. Always the last effect.
	Close
)

// String is the kind's name, for tests and logs.
func (k EffectKind) String() string {
	switch k {
	case Authenticate:
		return "authenticate"
	case Publish:
		return "publish"
	case Subscribe:
		return "subscribe"
	case Unsubscribe:
		return "unsubscribe"
	case Denied:
		return "denied"
	case Close:
		return "close"
	default:
		return "unknown"
	}
}

// Effect is one thing that the session wants done. Only the fields that its
// kind names are set. Nothing in it is touched by the session again, but for
// Connect, which is read once more by Accept.
type Effect struct {
	Kind     EffectKind
	PacketID uint16
	Connect  *packet.Connect
	Message  *broker.Message // ID and Node are left to the driver
	Filters  []string
	Reason   Reason
}

// Authorizer answers for what the client may do. It is called from within the
// session's methods, often, and must not block.
type Authorizer interface {
	MayPublish(topic string) bool
	MaySubscribe(filter string) bool
}

// Admission is what authentication has found out about a client.
type Admission struct {
	Key        string // of the session, broker.SessionKey
	Authorizer Authorizer
	Expires    time.Time // when the connection must end; zero: never
	Shard      uint16    // of the log, for the client's messages
}

// Drops counts messages that a session did not deliver.
type Drops struct {
	Congested uint32 // QoS 0, because the transport had enough to write
	Expired   uint32 // their deadline had passed
}
