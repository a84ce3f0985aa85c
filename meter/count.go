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
// said of theirs.
func (c *Count) Total() int64 {
	t := c.locked()
	defer t.mu.Unlock()
	t.seen = true
	return t.own + t.others
}

// locked returns the key's tally, locked.
func (c *Count) locked() *tally {
	for {
		t := c.at.Load()
		if t != nil {
			t.mu.Lock()
			if !t.gone {
				return t
			}
			t.mu.Unlock()
		}
		c.at.Store(c.meter.tally(c.key))
	}
}

// A tally is what all handles of a key share. Its lock guards all of it.
type tally struct {
	mu     sync.Mutex
	own    int64
	others int64
	seen   bool      // used since the last sweep
	used   time.Time // the last sweep that saw it used
	gone   bool      // forgotten: handles look for another
}

// leave reports whether the tally holds nothing of ours and nobody has used it
// for a while; it is gone then.
func (t *tally) leave(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen || t.own != 0 || t.used.IsZero() {
		t.used, t.seen = now, false
		return false
	}
	t.gone = now.Sub(t.used) >= idleAfter
	return t.gone
}
