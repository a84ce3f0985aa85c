package ownership

import (
	"github.com/fanfare-mq/fanfare/broker"
)

// Kind says what the driver has to do.
type Kind uint8

// The kinds of effect. An effect with an Op is answered exactly once, with that
// Op, by the method that it names; the driver sees to a time limit.
const (
	// Claim: make this instance the holder of Key among the nodes' claims, and
	// call Claimed with Seat.
	Claim Kind = iota + 1
	// Unclaim: give the claim Number of Key back.
	Unclaim
	// Ask: have Instance put the session of Key away, and call Done when it
	// says so. Of an instance that does not live call it at once.
	Ask
	// Answer: tell who asked with Ticket that the session is free.
	Answer
	// Load: read the record of Key, and call Loaded. Seat is who takes it over,
	// nil if it is read to be looked at only.
	Load
	// Save: write Record under Key if what is stored has Revision, and call
	// Saved. Seat is whose claim it is, nil for what Persist and Close gave.
	Save
	// Erase: remove the record of Key if it has Revision, and call Done.
	Erase
	// PutWill: store Will, and call Saved.
	PutWill
	// DropWill: remove the will of Instance and Key, whatever it is, and call
	// Done. It is not published any more, also if it was kept here.
	DropWill
	// RouseWill: publish the will of Instance and Key now, if there is one, as
	// its session has ended, and remove it. Call Done when it is certain that
	// this will be done.
	RouseWill
	// KeepWill: publish Will when it is Due, unless its client is back before,
	// then remove it from the store if it has Revision.
	KeepWill
	// Announce: tell all nodes that this instance holds Key with Epoch.
	Announce
	// Assert: tell all nodes, and whoever keeps claims, what this instance
	// holds: Claims.
	Assert
	// Enter: the session is Seat's with Epoch; Record is what the last
	// connection left of it, nil if there is nothing. Call Close later.
	Enter
	// Refuse: Seat does not get the session because of Err. It is over.
	Refuse
	// Persisted: answers Persist of Seat with Token. Err is as the session
	// wants it.
	Persisted
	// Evict: the session is another connection's; end Seat's as taken over, then
	// call Abandon or Close.
	Evict
)

var kindNames = [...]string{
	"unknown", "claim", "unclaim", "ask", "answer", "load", "save", "erase", "put-will", "drop-will", "rouse-will",
	"keep-will", "announce", "assert", "enter", "refuse", "persisted", "evict",
}

// String is the kind's name, for tests and logs.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return kindNames[0]
	}
	return kindNames[k]
}

// Effect is one thing that the table wants done. Only the fields that its kind
// names are set.
type Effect struct {
	Kind     Kind
	Op       Op
	Seat     *Seat
	Key      string
	Instance string
	Number   uint64 // of a claim
	Epoch    uint64
	Revision uint64
	Token    uint32
	Ticket   uint64
	Record   *broker.Record
	Will     *broker.Will
	Claims   []Assertion
	Err      error
}

// Op names what an effect wants an answer to.
type Op struct {
	place  *place
	number uint32
}

// Assertion is a session that an instance holds, as it is told to others again
// and again.
type Assertion struct {
	Hash  uint64 // of the key, see Hash
	Epoch uint64
	Key   string // for whoever keeps claims; not told to other nodes
}
