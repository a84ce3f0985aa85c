package jetstream

import (
	"context"
	"sync/atomic"
	"time"
)

// statsAge is how old a figure may be that NATS must be asked for.
const statsAge = 3 * time.Second

// Stats are the bus's figures: totals since Open, unless said otherwise.
type Stats struct {
	// Appended messages were acknowledged by the log; Duplicates of them had
	// been there before. Failed ones got an error from it, or no answer in
	// time. Retries are the times that appends were sent again.
	Appended, Duplicates, Failed, Retries uint64
	// Expired messages came to Publish after their deadline.
	Expired uint64
	// LiveSent and LiveReceived went to and came from other nodes. LiveCopies
	// are those received that matched several interests, LiveDropped were not
	// sent because too many waited, LiveDamaged could not be read.
	LiveSent, LiveReceived, LiveCopies, LiveDropped, LiveDamaged uint64
	// Shared messages came to this node for share groups; SharedAgain of them had
	// been with a member before. SharedBack were given back.
	Shared, SharedAgain, SharedBack uint64
	// SlowConsumers are spells in which NATS delivered faster than this node
	// took; messages were lost to it.
	SlowConsumers uint64
	// Reads are the pages of the log that were asked for; Probes the questions
	// that took, ProbesBroken those whose answer was not whole and Scans the
	// pages read through a shared scan, with Passes through the log. Heads are
	// the questions for a shard's end.
	Reads, Probes, ProbesBroken, Scans, Passes, Heads uint64
	// Loads and Saves are readings of session records, and writings and removals
	// of records and wills; Conflicts those that came after somebody else's.
	Loads, Saves, Conflicts uint64
	// Events were sent; EventsLost had no room.
	Events, EventsLost uint64
	// Doubts are the times that live messages may have been lost to this node.
	Doubts uint64
	// Damaged messages in a stream could not be read and were passed over.
	Damaged uint64
	// Reconnects of the connections for live messages and for reading.
	Reconnects uint64
	// Pending and PendingBytes are the appends that wait for the log now.
	Pending, PendingBytes int
	// Retained is the number of retained messages in the cluster, a few seconds
	// old. Topics that were just cleared still count for a minute.
	Retained int
	// Interests is the number of distinct filters now, Groups that of share
	// groups with members on this node. Loans are the messages of groups that
	// its members have not acknowledged.
	Interests, Groups, Loans int
}

// counters are the totals behind Stats.
type counters struct {
	appended, duplicates, failed, retries                        atomic.Uint64
	expired                                                      atomic.Uint64
	liveSent, liveReceived, liveCopies, liveDropped, liveDamaged atomic.Uint64
	reads, probes, probesBroken, scans, passes, heads, damaged   atomic.Uint64
	loads, saves, conflicts, events, eventsLost                  atomic.Uint64
	shared, sharedAgain, sharedBack                              atomic.Uint64
	slowConsumers, reconnects, doubts                            atomic.Uint64
	retained, retainedAt                                         atomic.Int64 // when: Unix ns
}

// Stats returns the figures.
func (b *Bus) Stats() Stats {
	c := &b.counters
	return Stats{
		Appended:      c.appended.Load(),
		Duplicates:    c.duplicates.Load(),
		Failed:        c.failed.Load(),
		Retries:       c.retries.Load(),
		Expired:       c.expired.Load(),
		LiveSent:      c.liveSent.Load(),
		LiveReceived:  c.liveReceived.Load(),
		LiveCopies:    c.liveCopies.Load(),
		LiveDropped:   c.liveDropped.Load(),
		LiveDamaged:   c.liveDamaged.Load(),
		Reads:         c.reads.Load(),
		Probes:        c.probes.Load(),
		ProbesBroken:  c.probesBroken.Load(),
		Scans:         c.scans.Load(),
		Passes:        c.passes.Load(),
		Heads:         c.heads.Load(),
		Loads:         c.loads.Load(),
		Saves:         c.saves.Load(),
		Conflicts:     c.conflicts.Load(),
		Events:        c.events.Load(),
		EventsLost:    c.eventsLost.Load(),
		Doubts:        c.doubts.Load(),
		Damaged:       c.damaged.Load(),
		SlowConsumers: c.slowConsumers.Load(),
		Reconnects:    c.reconnects.Load(),
		Pending:       int(b.appender.pending.Load()),
		PendingBytes:  int(b.appender.pendingBytes.Load()),
		Retained:      b.retainedCount(),
		Shared:        c.shared.Load(),
		SharedAgain:   c.sharedAgain.Load(),
		SharedBack:    c.sharedBack.Load(),
		Interests:     b.interests.len(),
		Groups:        b.shares.len(),
		Loans:         b.shares.loans.len(),
	}
}

// retainedCount is what was known last; it has the figure renewed when it is
// old, and never waits.
func (b *Bus) retainedCount() int {
	now, at := time.Now().UnixNano(), b.counters.retainedAt.Load()
	if now-at >= int64(statsAge) && b.counters.retainedAt.CompareAndSwap(at, now) {
		b.readers.offer("", func(ctx context.Context, a *asker) {
			if a == nil {
				return
			}
			if state, err := askState(ctx, b.side, retainedName); err == nil && state.Messages > 0 {
				b.counters.retained.Store(int64(state.Messages) - 1) //nolint:gosec // all but the sentinel
			}
		})
	}
	return int(b.counters.retained.Load())
}
