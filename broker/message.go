// Package broker holds what the edge tier speaks of: messages, their
// positions in the log, session records, and the small contracts between the
// packages that carry them. It does no I/O.
package broker

import (
	"math"
	"time"

	"github.com/oklog/ulid/v2"
)

// MaxMessageBytes is the default limit of one message's payload, and with a
// little room for the header of one MQTT packet: large enough for any push,
// small enough that a stranger cannot fill a node's memory with a few.
const MaxMessageBytes = 256 << 10

// MaxCollapseKey is the longest collapse key in bytes, as with other push
// services.
const MaxCollapseKey = 64

// Message is one MQTT application message on its way through Fanfare.
// After Bus.Publish it is shared by many sessions and must not be changed.
type Message struct {
	// ID is unique per message; a retry keeps it, and its time names the
	// log's hour bucket.
	ID ulid.ULID
	// Topic is the full topic name, the organization first.
	Topic string
	// Payload is the application message.
	Payload []byte
	// QoS is the publisher's quality of service, 0 to 2. [MQTT-3.3.1-4]
	QoS byte
	// Retain asks that the message also be kept as its topic's retained message.
	Retain bool
	// UTF8 says the payload is text (MQTT 5.0 payload format indicator 1).
	UTF8 bool
	// ContentType is the MIME type of the payload, or empty.
	ContentType string
	// ResponseTopic is where the publisher wants an answer, in full, or empty.
	ResponseTopic string
	// Correlation is the publisher's mark of a request, or nil.
	Correlation []byte
	// User holds the MQTT 5.0 user properties as they lie in a packet, one
	// after the other in the publisher's order; see packet.UserProperties.
	User []byte
	// Publisher is the publishing session's key; empty for the HTTP API.
	Publisher string
	// Node is the edge or API node the message entered at.
	Node string
	// CollapseKey makes the log keep only the newest message of its topic with
	// this key, at most MaxCollapseKey bytes; empty: the message is kept by itself.
	CollapseKey string
	// Undated says that the ID may be much older than the append, as with a will
	// or a QoS 2 publish that is repeated. When it is, the log keeps the message
	// in the bucket that every reader looks at instead of the ID's hour, unless
	// it is in that hour already.
	Undated bool
	// Expires is the deadline in Unix milliseconds after which nobody wants
	// the message; 0 means the app's retention alone decides.
	Expires int64
	// Position is the message's place in the log; zero for QoS 0, and for
	// QoS ≥ 1 until the log has acknowledged it. Position.Shard is set by
	// whoever publishes, from the organization.
	Position Position
	// Previous is the sequence of the message that entered at the same node on
	// the same topic before this one; 0 means none that matters. Who has not had
	// that one must read the log first, so that a publisher's order holds. The
	// message's own sequence says that any before it may be the one. Whoever
	// publishes leaves it 0 or says UnknownPrevious; the bus fills it in.
	Previous uint64
	// Overtakes is the lowest sequence of the shard that a node which is alone
	// hands over later than this one, although it is not above it: a message
	// waits until it is retained, and others do not wait for it. 0 means none.
	Overtakes uint64
}

// UnknownPrevious is the Previous of a message whose publisher may have sent the
// one before it by another node.
const UnknownPrevious = math.MaxUint64

// Position is a place in the log: the shard is the stream, Seq the stream
// sequence. Seq 0 means not logged.
type Position struct {
	Shard uint16
	Seq   uint64
}

// Expired reports whether the message's deadline has passed.
func (m *Message) Expired(now time.Time) bool {
	return m.Expires != 0 && now.UnixMilli() >= m.Expires
}

// Query asks for a part of the log.
type Query struct {
	Shard uint16
	// Filters are topic filters without a prefix, in full; a message matches
	// if one of them does.
	Filters []string
	// After is the sequence after which to begin.
	After uint64
	// Since bounds the search in time: nothing that matches after After is
	// older. Zero means unknown.
	Since time.Time
	// Limit is the most messages to return.
	Limit int
}

// Page is a part of the log as a session reads it.
type Page struct {
	// Messages are those that match, by rising position.
	Messages []*Message
	// UpTo says that no other message up to this sequence matches. It is 0 if
	// the page tells nothing beyond its messages.
	UpTo uint64
	// More says that matching messages follow after the last one.
	More bool
}
