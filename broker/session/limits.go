package session

import (
	"math"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// Limits bound what one client can cost.
type Limits struct {
	// ConnectTimeout is how long a connection may take from being opened to
	// its CONNACK, authentication included.
	ConnectTimeout time.Duration
	// MaxInflight is how many QoS 1 and 2 messages may be on their way to the
	// client without its acknowledgement, if it does not ask for less; 1 to
	// 65,535.
	MaxInflight int
	// MaxAcked is how many acknowledgements above the floor a session collects
	// before it asks the log how far it has come. A log that is asked at no
	// cost may be asked often.
	MaxAcked int
	// MaxReceive is the receive maximum that clients are told: QoS 1 and 2
	// publishes that are not acknowledged, QoS 2 ones until PUBREL.
	MaxReceive int
	// MaxPacket is the largest packet accepted, in bytes; 5.0 clients are told.
	MaxPacket int
	// MaxTopicAlias is how many topic aliases either side may use.
	MaxTopicAlias uint16
	// MaxKeepAlive is the longest keep alive granted to 5.0 clients, in
	// seconds, also to those that ask for none; 0 grants anything.
	MaxKeepAlive uint16
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
		MaxInflight:            64,               // at 100 ms round trip still 640 messages a second
		MaxAcked:               512,              // 4 KiB
		MaxReceive:             1_024,
		MaxPacket:              broker.MaxMessageBytes,
		MaxTopicAlias:          32,
		MaxSubscriptions:       1_000,
		MaxFiltersPerSubscribe: 256,
		MaxUnacknowledged:      64, // a slow log must not become a long queue here
		MaxTopicLevels:         topic.MaxLevels,
		MaxTopicBytes:          768, // escaped at three bytes for one, it still fits a subject of the log
		MaxClientID:            128, // MQTT promises 23; [MQTT-3.1.3-5]
	}
}

// sane returns l, or a copy of it without what no session could live with.
func (l *Limits) sane() *Limits {
	c := *l
	c.MaxInflight = min(max(c.MaxInflight, 1), math.MaxUint16) // there are no more packet identifiers
	c.MaxUnacknowledged = max(c.MaxUnacknowledged, 1)
	c.MaxReceive = min(max(c.MaxReceive, 1), math.MaxUint16)
	c.MaxAcked = max(c.MaxAcked, 1)
	if c == *l {
		return l
	}
	corrected := c // on the heap, which c is not
	return &corrected
}
