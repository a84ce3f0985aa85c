package session

import (
	"time"

	"github.com/oklog/ulid/v2"

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
	// Reauthenticate: find out whether Credential is a newer one of the same
	// user, and call Reauthenticated.
	Reauthenticate
	// Claim: make the session this connection's own, and call Claimed with the
	// record that the last one has left. Clean ends that session. Durable says
	// that this one outlives its connection, by Expiry (0: for ever). Will, if
	// there is one, must be stored before the answer; the driver fills in its
	// Instance, Key, Epoch and its Message's ID and Undated, and may do so until
	// it answers.
	Claim
	// Persist: write Record, of which the driver fills in Owner, Epoch and Willed,
	// and call Persisted with Token. One at a time.
	Persist
	// Publish: hand Message to the bus. If PacketID is not 0, call Published
	// with it when the message is safe. Wills come without a PacketID; a message
	// that has an ID keeps it.
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
	// Done: Loan is over, its message dealt with.
	Done
	// Disown: the will of the Claim is not to be published any more, by nobody.
	Disown
	// Return: the message of Loan was handed to this member of the share group
	// of Filters[0], which cannot have it: give it to another one. With a Message
	// a Take may have been carried out: then it is this node's to give.
	Return
	// Take: keep the message of Loan for this session, and call Taken when that
	// is certain; after Done, Return or Close it is not waited for any more.
	Take
	// Close: the connection is over for Reason. Of a session that was claimed,
	// keep Record; without one the session is over and its record to be
	// forgotten, unless Persisted has said ErrConflict: then it is another
	// connection's. Of a session that was not claimed yet, leave all as it is.
	// Will waits until its Due; a will that is neither here nor was published
	// is discarded. Write the rest of Output, then close the connection. Always
	// the last effect.
	Close
)

var effectNames = [...]string{
	"unknown", "authenticate", "reauthenticate", "claim", "persist", "publish", "subscribe", "unsubscribe",
	"read", "fetch", "replay", "abandon", "denied", "done", "disown", "return", "take", "close",
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
// Connect, which is read once more by Accept, and Will, which is read at Close.
type Effect struct {
	Kind       EffectKind
	Clean      bool
	Durable    bool
	PacketID   uint16
	Cursor     uint32
	Token      uint32
	Limit      int
	Expiry     time.Duration
	Connect    *packet.Connect
	Credential []byte
	Message    *broker.Message // Node is left to the driver, and ID if it is zero
	Filters    []string        // in full, with their $share, $queue or $local
	Query      broker.Query
	Seqs       []uint64
	Record     *broker.Record
	Will       *broker.Will
	Loan       broker.Loan
	Reason     Reason
}

// Authorizer answers for what the client may do. It is called from within the
// session's methods, often, and must not block.
type Authorizer interface {
	MayPublish(topic string) bool
	MaySubscribe(filter string) bool
}

// Above is the Authorizer of a client above the wall: what it allows may be of
// other organizations. Their messages come live alone, with QoS 0.
type Above interface {
	Authorizer
	AboveWall()
}

// Admission is what authentication has found out about a client.
type Admission struct {
	Key        string // of the session, broker.SessionKey
	Node       string // this node's name, for $local
	Mount      string // "{org}/{app}/" if the client uses bare topics
	Authorizer Authorizer
	Expires    time.Time // when the connection must end; zero: never
	Shard      uint16    // of the log, for the client's messages; the driver knows those of other organizations
	// MaxExpiry bounds how long the session outlives the connection, and is
	// what MQTT 3.1 and 3.1.1 clients get.
	MaxExpiry time.Duration
	// Generation is the log's when the client was admitted; a record that Claimed
	// brings has its own.
	Generation uint64
	// Lossless says that live messages come in the order of the log, but for what
	// their Overtakes says, and that none is ever missing, as on a node that is
	// alone.
	Lossless bool
	// Assigned says that the driver has made the client identifier up.
	Assigned bool
	// ResponseInfo is where the client may ask for answers, in full; empty: nowhere.
	ResponseInfo string
	// NextID makes the identifier of a QoS 2 message of the client, which a
	// durable session has to know before the log does. It is called from within
	// the session's methods, must not be nil and must not block.
	NextID func(now time.Time) ulid.ULID
	// Retention is how long the app's messages stay in the log; 0: unknown.
	Retention time.Duration
}

// Drops counts messages that a session did not deliver.
type Drops struct {
	Congested uint32 // QoS 0, because the transport had enough to write
	Expired   uint32 // their deadline had passed
	TooLarge  uint32 // larger than the client takes
	Gone      uint32 // the log has them no more
	// Truncated is 1 once for a session that was away for longer than the log
	// keeps messages: some may be missing, and nobody knows how many.
	Truncated uint32
}
