package meter

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Count is a number of the whole cluster, as of what is open. Each node adds
// and takes away what is its own. It is safe for concurrent use.
type Count struct {
	meter *Meter
	key   string
	at    atomic.Pointer[tally]
}

// Add adds to this node's part.
func (c *Count) Add(delta int64) {
	t := c.locked()
	defer t.mu.Unlock()
	t.own += delta
	t.seen = true
}

// Total returns this node's part, as it is now, and what the other nodes last
// said of theirs. What they say is known an exchange after the first question.
func (c *Count) Total() int64 {
	t := c.locked()
	defer t.mu.Unlock()
	t.seen = true
	return t.own + t.others
}

// locked returns the key's tally, locked.
func (c *Count) locked() *tally {
	for {
		if t := c.at.Load(); t != nil {
			t.mu.Lock()
			if !t.gone {
				return t
			}
			t.mu.Unlock()
		}
		c.at.Store(c.meter.tally(c.key))
	}
}

// A tally is what all handles of a key share. Its lock guards all of it; gone
// is written by report alone, which may read it without.
type tally struct {
	mu     sync.Mutex
	own    int64
	others int64

	seen   bool      // used since the last report
	used   time.Time // the last report with use
	said   int64     // what the other nodes were last told
	saidAt time.Time // when; zero: never
	gone   bool      // forgotten: handles look for another
}

// report takes this node's part, and whether that is to be said. A tally that
// holds nothing of ours is gone when nobody asks for it for a while.
func (t *tally) report(now time.Time) (own int64, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := t.seen
	if t.seen = false; asked || t.own != 0 || t.used.IsZero() {
		t.used = now
	}
	if t.gone = now.Sub(t.used) >= idleAfter; t.gone {
		return 0, !t.saidAt.IsZero()
	}
	due = asked || t.saidAt.IsZero() || t.own != t.said || now.Sub(t.saidAt) >= relaxed
	if due {
		t.said, t.saidAt = t.own, now
	}
	return t.own, due
}

// learn adds up what the other nodes have.
func (t *tally) learn(others []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.others = 0
	for _, other := range others {
		t.others += other
	}
}

// alone forgets the other nodes.
func (t *tally) alone() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.others, t.saidAt = 0, time.Time{}
}
