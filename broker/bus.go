package broker

import (
	"strings"

	"github.com/fanfare-mq/fanfare/fault"
)

// Acknowledger learns the fate of a published message. The edge's connections
// implement it; tag is what they gave to Publish (their packet identifier).
type Acknowledger interface {
	// Published is called exactly once per accepted Publish, from any
	// goroutine, possibly before Publish returns; it must not block. A nil
	// error means the message is safe: acknowledged by the log (QoS ≥ 1) or
	// handed to the live path (QoS 0), and kept as retained if it asked for it.
	Published(tag uint64, m *Message, err error)
}

// Receiver takes messages for this node's subscribers.
type Receiver interface {
	// Deliver hands over a message once per node. It must not block, and m
	// must not be changed.
	Deliver(m *Message)
	// DeliverShared hands over a message that this node shall give to one
	// member of a share group: group and filter are those of Bus.JoinGroup.
	// QoS 0 has no loan, and is not handed over by a bus that is alone, where
	// Deliver is all there is.
	DeliverShared(group, filter string, m *Message, loan Loan)
}

// Cursor reads the retained messages that match a filter, batch by batch. One
// goroutine uses it; calls do not overlap.
type Cursor interface {
	// Next asks for at most n messages and returns at once; fn is called once,
	// from any goroutine, and must not block. done says that none follow.
	Next(n int, fn func(messages []*Message, done bool, err error))
	// Close gives up what is left. It may be called twice.
	Close()
}

// Errors of the bus.
var (
	// ErrOverloaded: too many appends wait for the log. Try again later.
	ErrOverloaded = fault.New(fault.Overloaded, "too many messages wait for the log")
	// ErrUnavailable: the log did not answer in time. Nothing was acknowledged.
	ErrUnavailable = fault.New(fault.Unavailable, "the message log does not answer")
	// ErrLogFull: the log has no room. What it acknowledged is safe, and it takes
	// messages again when there is room.
	ErrLogFull = fault.New(fault.LogFull, "the message log is full")
	// ErrAppFull: the app has as many bytes in the log as it may.
	ErrAppFull = fault.New(fault.QuotaExceeded, "the app has as much in the message log as its limit allows")
	// ErrOrganizationFull: all its apps together do.
	ErrOrganizationFull = fault.New(fault.QuotaExceeded, "the organization has as much in the message log as its limit allows")
	// ErrConflict: somebody else has written the record since it was read.
	ErrConflict = fault.New(fault.Conflict, "the session belongs to another connection")
	// ErrRecord: the session's record cannot be read, as it is damaged or of a
	// newer version. It is never overwritten.
	ErrRecord = fault.New(fault.Unavailable, "the session's record cannot be read")
	// ErrGroups: there are as many share groups as there may be.
	ErrGroups = fault.New(fault.QuotaExceeded, "there are as many share groups as the limit allows")
	// ErrRetainedQuota: the app keeps as many retained messages as it may.
	ErrRetainedQuota = fault.New(fault.QuotaExceeded, "the app has as many retained messages as its limit allows")
	// ErrOrganizationRetained: all its apps together do.
	ErrOrganizationRetained = fault.New(fault.QuotaExceeded, "the organization has as many retained messages as its limit allows")
)

// SessionKey names a session: organization, app, user, client identifier.
// The first three have no slash, so the key is unambiguous.
func SessionKey(org, app, user, clientID string) string {
	return org + "/" + app + "/" + user + "/" + clientID
}

// SplitSessionKey undoes SessionKey.
func SplitSessionKey(key string) (org, app, user, clientID string) {
	org, key, _ = strings.Cut(key, "/")
	app, key, _ = strings.Cut(key, "/")
	user, clientID, _ = strings.Cut(key, "/")
	return org, app, user, clientID
}
