package session

import (
	"math"
	"time"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

// Limits bound what one client can cost.
type Limits struct {
	// ConnectTimeout is how long a connection may take from being opened to
	// its CONNACK, authentication included.
	ConnectTimeout time.Duration
	// MaxInflight is how many QoS 1 messages may be on their way to the client
	// without its PUBACK; 1 to 65,535.
	MaxInflight int
	// MaxPending is how many messages may wait beyond the window.
	MaxPending int
	// MaxPendingBytes bounds the topics and payloads of those, in bytes.
	MaxPendingBytes int
	// MaxSubscriptions is how many filters a session may have.
	MaxSubscriptions int
	// MaxFiltersPerSubscribe is how many filters of one SUBSCRIBE are looked
	// at; the others are refused.
	MaxFiltersPerSubscribe int
	// MaxUnacknowledged is how many QoS 1 publishes of the client may wait for
	// the log, and how many of its SUBSCRIBEs for their interest, until no
	// more of its packets are wanted.
	MaxUnacknowledged int
	// MaxTopicLevels bounds the levels of a topic name or filter.
	MaxTopicLevels int
	// MaxTopicBytes bounds the length of a topic name or filter in bytes.
	MaxTopicBytes int
	// MaxClientID bounds the client identifier, in bytes.
	MaxClientID int
}

// DefaultLimits suit a device, a phone and most servers.
func DefaultLimits() Limits {
	return Limits{
		ConnectTimeout:         10 * time.Second, // two round trips and TLS on a poor mobile network
		MaxInflight:            64,               // at 100 ms of round trip, 640 messages a second
		MaxPending:             10_000,           // pointers to shared messages: 80 KB
		MaxPendingBytes:        16 << 20,         // 16 MiB, in the worst case a session's alone
		MaxSubscriptions:       1_000,
		MaxFiltersPerSubscribe: 256,
		MaxUnacknowledged:      64, // a slow log must not become a long queue here
		MaxTopicLevels:         topic.MaxLevels,
		MaxTopicBytes:          768, // escaped at three bytes for one, it still fits a subject of the log
		MaxClientID:            128, // MQTT promises 23; [MQTT-3.1.3-5]
	}
}

// sane corrects limits that no session could live with.
func (l Limits) sane() Limits {
	l.MaxInflight = min(max(l.MaxInflight, 1), math.MaxUint16) // there are no more packet identifiers
	l.MaxUnacknowledged = max(l.MaxUnacknowledged, 1)
	return l
}
