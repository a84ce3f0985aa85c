// Package sim is a cluster in one goroutine: edges, clients, and models of the
// log, the store, the claims and the networks between them, which lose, repeat,
// reorder and delay whatever the real ones may. The time is made up and all
// chance comes from one seed, so that what goes wrong goes wrong again. What runs
// on the edges is what is shipped: broker/session, broker/ownership and
// broker/liveness. An oracle watches what becomes of every message.
package sim

import (
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// Options of a run.
type Options struct {
	// Trace receives what happens, line by line; nil: nothing.
	Trace io.Writer
}

// ViolationError is what an oracle has found.
type ViolationError struct {
	Seed uint64
	// At is the time in the world.
	At time.Duration
	// What is wrong, in a sentence.
	What string
}

// Error says what is wrong, and with which seed.
func (v *ViolationError) Error() string {
	return fmt.Sprintf("seed %d, at %s: %s", v.Seed, v.At.Round(time.Millisecond), v.What)
}

// world is all there is.
type world struct {
	chance

	seed    uint64
	now     time.Duration // since epoch
	healed  bool          // nothing goes wrong any more
	faults  faults
	plan    schedule
	nodes   []*node
	clients []*client
	shards  []*shard
	store   *store
	claims  claims
	oracle  *oracle
	trace   io.Writer
	found   *ViolationError
	mark    uint64 // of the last delivery, so that a session gets it once
	ids     uint64 // that were given out
}

// Run plays the world of a seed to its end and returns what is wrong with it:
// nil, or a *ViolationError.
func Run(seed uint64, o Options) error {
	w := newWorld(seed, o)
	if v := w.play(); v != nil {
		return v
	}
	return nil
}

// play lets everything happen, until nothing does or something is wrong. A
// panic of the code under test is as wrong as anything else.
func (w *world) play() (found *ViolationError) {
	defer func() {
		if p := recover(); p != nil {
			found = &ViolationError{w.seed, w.now, fmt.Sprintf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	w.begin()
	for w.found == nil && len(w.plan.heap) > 0 && w.now < lastMoment {
		e := w.plan.pop()
		w.now = e.at
		e.do()
	}
	if w.found == nil {
		w.oracle.settle()
	}
	return w.found
}

// after plans something. It happens whatever becomes of who planned it: see
// node.after.
func (w *world) after(d time.Duration, do func()) { w.plan.push(w.now+d, do) }

// violate reports that something is wrong. The first report counts.
func (w *world) violate(format string, args ...any) {
	if w.found == nil {
		w.found = &ViolationError{w.seed, w.now, fmt.Sprintf(format, args...)}
		w.say("oracle", "%s", w.found.What)
	}
}

// tracing reports whether somebody reads what is said; ask before making up
// arguments of say where much happens.
func (w *world) tracing() bool { return w.trace != nil }

// say writes a line of the trace.
func (w *world) say(who, format string, args ...any) {
	if w.trace == nil {
		return
	}
	at := w.now.Round(100 * time.Microsecond)
	fmt.Fprintf(w.trace, "%11.4f  %-8s %s\n", at.Seconds(), who, fmt.Sprintf(format, args...))
}
