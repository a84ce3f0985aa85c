package broker

import "time"

// Group is a share group as a node joins it: what MQTT calls a shared
// subscription (MQTT 5.0 section 4.8.2). The same name with another filter is
// another group.
type Group struct {
	// Name contains the organization, so that those of two organizations differ.
	Name string
	// Filter is in full, without $share or $queue.
	Filter string
	// Shard of the log that has the organization's messages.
	Shard uint16
	// Expiry is how long the group waits for a member when it has none; 0 means
	// for ever. The longest that anybody has asked for counts.
	Expiry time.Duration
}

// Loan is a node's hold on one message of a share group: while it holds it,
// no other member gets the message. A node that dies holds nothing for long.
// The methods may be called from any goroutine, and do not block.
type Loan interface {
	// Done says that the message is dealt with.
	Done()
	// Return lets another member have the message, here or on another node. It
	// is false for one that Keep was called for: nobody else will get it.
	Return() bool
	// Keep makes the message this node's alone, whatever becomes of the node.
	// kept is called once when that is certain, from any goroutine, possibly
	// before Keep returns, and must not block. It is not called if Done or
	// Return come first, or the bus is closed.
	Keep(kept func())
}
