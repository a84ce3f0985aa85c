// Package liveness finds out which instances are gone, and looks after what
// they have left: it publishes the wills of their clients, and lets their
// sessions end in time. Watch decides who is dead, Estate does the rest. Both do
// no I/O and never read the clock: what the store says comes in by method, what
// is to be done comes out as values. They are not safe for concurrent use.
package liveness

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// Period is twice the time between two renewals of a lease. An instance is dead
// that was not seen to renew its lease for two periods.
const Period = 4 * time.Second

// Watch decides which instances are dead. A lease that stands still is not
// enough: when the store was away nobody could renew, and when this process was
// held up it saw nobody do so. So only time counts that was watched without a
// break, and in which this instance renewed its own lease. (DESIGN §7 rule 11.)
type Watch struct {
	self   string
	period time.Duration
	asked  time.Time // the last look; zero: there was a break
	own    sight
	others map[string]sight
}

// sight is a revision of a lease and since when it is known to stand.
type sight struct {
	revision uint64
	since    time.Time
}

// NewWatch returns the watch of an instance. A period of 0 means Period.
func NewWatch(self string, period time.Duration) *Watch {
	if period == 0 {
		period = Period
	}
	return &Watch{self: self, period: period, others: make(map[string]sight)}
}

// Doubtful reports whether the others may have declared this instance dead, as
// far as it knows, whose lease was last renewed at renewed: it was cut off, or
// held up.
func (w *Watch) Doubtful(renewed, now time.Time) bool { return now.Sub(renewed) >= 2*w.period }

// Missed says that a look at the leases failed.
func (w *Watch) Missed() { w.asked = time.Time{} }

// Observe takes all leases, as they were between asked and now, and returns
// those of instances that are dead. They are named again at every look until
// they are declared so.
func (w *Watch) Observe(leases []broker.Lease, asked, now time.Time) (dead []broker.Lease) {
	unbroken := !w.asked.IsZero() && asked.Sub(w.asked) <= w.period
	w.asked = asked
	if !w.renewed(leases, asked, now) || !unbroken {
		clear(w.others)
	}
	seen := make(map[string]sight, len(leases))
	for _, l := range leases {
		if l.Instance == w.self || l.State != broker.LeaseAlive {
			continue
		}
		s, known := w.others[l.Instance]
		// A replica may be behind what another has told before.
		if !known || l.Revision > s.revision {
			s = sight{l.Revision, now}
		}
		seen[l.Instance] = s
		if l.Revision == s.revision && asked.Sub(s.since) >= 2*w.period {
			dead = append(dead, l)
		}
	}
	w.others = seen
	return dead
}

// renewed reports whether this instance's own lease is renewed as it should be:
// then the store takes what others write, too.
func (w *Watch) renewed(leases []broker.Lease, asked, now time.Time) bool {
	for _, l := range leases {
		if l.Instance != w.self {
			continue
		}
		if l.Revision > w.own.revision {
			w.own = sight{l.Revision, now}
		}
		return l.State == broker.LeaseAlive && asked.Sub(w.own.since) <= w.period
	}
	return false
}
