package edge

import (
	"context"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
)

// Bus carries messages and control announcements between nodes, and keeps the
// log and the retained messages.
type Bus interface {
	Publisher
	Interests
	Log
	Announcer
}

// Publisher takes messages.
type Publisher interface {
	// Publish accepts m or returns broker.ErrOverloaded; ack learns the rest.
	Publish(m *broker.Message, ack broker.Acknowledger, tag uint64) error
	// Alone reports whether no other node can exist: live messages then come
	// in the order of the log, without a gap, and QoS 0 of share groups is the
	// edge's own business.
	Alone() bool
}

// Interests says what this node wants of other nodes' messages.
type Interests interface {
	// AddInterest makes other nodes' messages for filter arrive here; ready
	// is called once they are sure to.
	AddInterest(filter string, ready func(error))
	RemoveInterest(filter string)
	// JoinGroup makes this node take part in a share group: some of its
	// messages come by DeliverShared.
	JoinGroup(group broker.Group, ready func(error))
	LeaveGroup(group, filter string)
	// WantGroup says how many of a group's messages with QoS 1 and 2 its members
	// here have room for.
	WantGroup(group, filter string, n int)
}

// Log reads what the bus keeps. All answers come later or at once, from any
// goroutine.
type Log interface {
	Head(shard uint16, fn func(seq uint64, err error))
	// Generations are those of a shard, in any order.
	Generations(shard uint16) []broker.Generation
	Read(q broker.Query, fn func(broker.Page, error))
	Get(shard uint16, seqs []uint64, fn func([]*broker.Message, error))
	Retained(filter string) broker.Cursor
}

// Announcer speaks to the other nodes.
type Announcer interface {
	Announce(subject string, data []byte) error
	OnAnnounce(subject string, fn func(data []byte)) error
}

// Authenticator tells who a device is from what it presents at CONNECT.
type Authenticator interface {
	Authenticate(ctx context.Context, c auth.Credentials) (*auth.Device, error)
}
