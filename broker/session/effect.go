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
	// empty ClientID must be filled in with one that is unique before. The
	// token of enhanced authentication is in its properties.
	Authenticate EffectKind = iota + 1
	// Reauthenticate: find out whether Token is a newer one of the same user,
	// and call Reauthenticated.
	Reauthenticate
	// Publish: hand Message to the bus. If PacketID is not 0, call Published
	// with it when the message is safe. Wills come without a PacketID.
	Publish
	// Subscribe: enter the session under Filters, then call Subscribed with
	// PacketID once messages published from now on are sure to arrive. The
	// PacketID is 0 for the subscriptions of a resumed session.
	Subscribe
	// Unsubscribe: remove the session from Filters.
	Unsubscribe
	// Read: read the log as Query says, then call Page.
	Read
	// Fetch: read the messages at Seqs, then call Fetched.
	Fetch
	// Replay: read up to Limit retained messages that match Filters[0] from the
	// cursor Cursor, which is opened at its first use, then call Replayed.
	Replay
	// Abandon: close the cursor Cursor.
	Abandon
	// Denied: a publish to Message.Topic was dropped, or the filter Filters[0]
	// refused, for Reason. For the log and the counters; Message has no payload.
	Denied
	// Return: Message was handed to this member of the share group of
	// Filters[0], which cannot take it: give it to another one.
	Return
	// Close: the session is over for Reason. Keep Record, if there is one, and
	// forget an older one if there is none; write the rest of Output, then
	// close the connection. Always the last effect.
	Close
)

var effectNames = [...]string{
	"unknown", "authenticate", "reauthenticate", "publish", "subscribe", "unsubscribe",
	"read", "fetch", "replay", "abandon", "denied", "return", "close",
}

// String is the kind's name, for tests and logs.
func (k EffectKind) String() string {
	if int(k) >= len(effectNames) {
		return effectNames[0]
	}
	return effectNames[k]
}

// Effect is one thing that the session wants done. Only the fields that its
// kind names are set. Nothing in it is touched by the session again, but for
// Connect, which is read once more by Accept.
type Effect struct {
	Kind     EffectKind
	PacketID uint16
	Cursor   uint32
	Limit    int
	Connect  *packet.Connect
	Token    []byte
	Message  *broker.Message // ID and Node are left to the driver
	Filters  []string        // in full, with their $share, $queue or $local
	Query    broker.Query
	Seqs     []uint64
	Record   *broker.Record
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
	Node       string // this node's name, for $local
	Mount      string // "{org}/{app}/" if the client uses bare topics
	Authorizer Authorizer
	Expires    time.Time // when the connection must end; zero: never
	Shard      uint16    // of the log, for the client's messages
	// MaxExpiry bounds how long the session outlives the connection, and is
	// what MQTT 3.1 and 3.1.1 clients get.
	MaxExpiry time.Duration
	// Lossless says that live messages come in the order of the log and that
	// none is ever missing, as on a node that is alone.
	Lossless bool
	// Assigned says that the driver has made the client identifier up.
	Assigned bool
	// ResponseInfo is where the client may ask for answers, in full; empty: nowhere.
	ResponseInfo string
	// Record is the session as its last connection left it; nil: there is none.
	Record *broker.Record
}

// Drops counts messages that a session did not deliver.
type Drops struct {
	Congested uint32 // QoS 0, because the transport had enough to write
	Expired   uint32 // their deadline had passed
	TooLarge  uint32 // larger than the client takes
	Gone      uint32 // the log has them no more
}
