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
	Store
	Wills
	Life
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

// Announcer speaks to the other nodes, and to whoever follows events.
type Announcer interface {
	Announce(subject string, data []byte) error
	OnAnnounce(subject string, fn func(data []byte)) error
	// OnDoubt has fn called, from any goroutine, when live messages for this
	// node may have been lost.
	OnDoubt(fn func(reason string))
	// Ask has an instance do something; fn gets its answer, or an error at once
	// if it does not live.
	Ask(instance string, data []byte, fn func(answer []byte, err error))
	// OnAsk takes what instance is asked, instead of the last one.
	OnAsk(instance string, fn func(data []byte, answer func([]byte))) error
	// Emit tells of an event. It never waits.
	Emit(e broker.Event)
}

// Store keeps the records of sessions. All answers come later or at once, from
// any goroutine, within a time limit.
type Store interface {
	Load(key string, fn func(broker.Stored, error))
	// Save writes r, which is read before it returns, if the stored record is
	// that of revision; otherwise the error is broker.ErrConflict.
	Save(key string, r *broker.Record, revision uint64, fn func(revision uint64, err error))
	Erase(key string, revision uint64, fn func(error))
	// CountSessions counts the records of an app, or of an organization without one.
	// Those that were erased, or have expired, may count for another minute.
	CountSessions(org, app string, fn func(n int, err error))
}

// Wills keeps the wills of connected clients for those who find them lost.
type Wills interface {
	PutWill(w *broker.Will, fn func(revision uint64, err error))
	// DropWill removes a will of revision, or for 0 whichever there is.
	DropWill(instance, key string, revision uint64, fn func(error))
}

// Estate publishes the wills of clients that are gone.
type Estate interface {
	// Keep publishes a will of this instance when it is Due, unless its client
	// is back by then, and takes it out of the store.
	Keep(w *broker.Will, fn func())
	// Forget says that a client is back before its will was due.
	Forget(key string)
	// Rouse publishes the will that a connection of an instance has left now, if
	// there is one; fn is called when it is safe.
	Rouse(instance, key string, fn func())
}

// Life is what the other nodes know this one by.
type Life interface {
	// Instance names this start of this node.
	Instance() string
	// OnLost has fn called when the others have declared the instance dead.
	OnLost(fn func())
	// Reborn makes the node another instance.
	Reborn(ctx context.Context) (instance string, err error)
}

// Authenticator tells who a device is from what it presents at CONNECT.
type Authenticator interface {
	Authenticate(ctx context.Context, c auth.Credentials) (*auth.Device, error)
}
