package liveness

import "github.com/fanfare-mq/fanfare/broker"

// Kind says what the driver has to do.
type Kind uint8

// The kinds of effect. An effect with an Op is answered exactly once, with that
// Op, by the method that it names. An error is taken for one that passes: the
// effect comes again after a while.
const (
	// ListWills: read all wills of Instance, and call Listed.
	ListWills Kind = iota + 1
	// ListOrphans: read the keys of the records that Instance held when it went,
	// and call Orphaned.
	ListOrphans
	// Fetch: read the will of Instance and Key, and call Listed with it, or with
	// none.
	Fetch
	// Load: read the record of Key, and call Loaded.
	Load
	// Hold: find out who claims Key, and call Held.
	Hold
	// Publish: publish Message, and call Done when it is safe, or when it never
	// can be.
	Publish
	// Take: remove the will of Instance and Key if it has Revision, and call
	// Done: with broker.ErrConflict if it was not this call that removed it.
	Take
	// Save: write Record under Key if what is stored has Revision, and call Done.
	Save
	// Bury: remove Lease, and call Done.
	Bury
	// Emit: tell of Event. It has no answer.
	Emit
	// Finished: what Ref was given for is done. It has no answer.
	Finished
)

var kindNames = [...]string{
	"unknown", "list-wills", "list-orphans", "fetch", "load", "hold", "publish", "take", "save", "bury", "emit", "finished",
}

// String is the kind's name, for tests and logs.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return kindNames[0]
	}
	return kindNames[k]
}

// Effect is one thing that the estate wants done. Only the fields that its kind
// names are set.
type Effect struct {
	Kind     Kind
	Op       uint64
	Instance string
	Key      string
	Revision uint64
	Message  *broker.Message
	Record   *broker.Record
	Lease    broker.Lease
	Event    broker.Event
	Ref      any
}

// answer is what comes back for an effect.
type answer struct {
	wills  []*broker.Will
	keys   []string
	stored broker.Stored
	number uint64
	err    error
}
