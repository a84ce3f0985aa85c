// Package presence knows which instance holds a session key: who connects last
// claims the key, gets a number above every earlier claim's, and learns of the
// instance that held it before. Claims are hints that make a takeover quick;
// that a session has one owner is the session record's compare-and-set.
//
// Memory serves a node that is alone, Redis a cluster that has one, Broadcast
// a cluster without, and Fallback is Redis with Broadcast while Redis is away.
// It is the only package that speaks Redis. Calls answer through a function
// which is called once, possibly before the call returns, and must not block.
package presence

import (
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// Lifetime is how long a claim is known that nobody asserts: who holds one
	// asserts it several times within that.
	Lifetime = 10 * time.Minute
	// Asserted is the time within which all holders are to have asserted their
	// claims once: what knows of no claim for a key after that is right.
	Asserted = 90 * time.Second
)

// Claim is a session key as an instance holds it.
type Claim struct {
	Key string
	// Number is above that of every earlier claim of the key: microseconds of
	// the wall clock, or a little more than another's.
	Number uint64
}

// Holder is who holds a key. Without an Instance nobody does.
type Holder struct {
	Instance string
	Number   uint64
}

// later returns the holder whose claim is the newer one.
func (h Holder) later(other Holder) Holder {
	if other.Number > h.Number {
		return other
	}
	return h
}

// Errors of claims.
var (
	// ErrAway: whoever knows the claims does not answer.
	ErrAway = fault.New(fault.Unavailable, "the store of connection claims does not answer")
	// ErrOverloaded: too many questions wait for an answer.
	ErrOverloaded = fault.New(fault.Overloaded, "too many connection claims wait")
)
