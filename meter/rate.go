package meter

import (
	"sync/atomic"
	"time"
)

// A Rate is a token bucket of the whole cluster. It holds one second's worth,
// which may come at once; each node takes from its share of it. It is safe for
// concurrent use.
type Rate struct {
	meter *Meter
	key   string
	at    atomic.Pointer[bucket]
}

// Take takes n or nothing, of perSecond in a second; 0 is no limit. wait is how
// long it would be until so many were there. A bucket never holds more than a
// second's worth: what is larger counts as one, and is taken from a full one.
func (r *Rate) Take(n, perSecond int64, now time.Time) (ok bool, wait time.Duration) {
	if perSecond <= 0 || n <= 0 {
		return true, 0
	}
	b := r.locked()
	defer b.mu.Unlock()
	b.fill(perSecond, now)
	b.wanted += n
	if wait = b.until(n); wait > 0 {
		b.short = true
		return false, wait
	}
	b.tokens -= float64(min(n, perSecond))
	return true, 0
}

// Debit takes n, of perSecond in a second, whether they are there or not; 0 is
// no limit. wait is how long it is until the debt is paid.
func (r *Rate) Debit(n, perSecond int64, now time.Time) (wait time.Duration) {
	if perSecond <= 0 || n <= 0 {
		return 0
	}
	b := r.locked()
	defer b.mu.Unlock()
	b.fill(perSecond, now)
	b.wanted += n
	b.tokens -= float64(n)
	if wait = b.until(0); wait > 0 {
		b.short = true
	}
	return wait
}

// Give gives back n that were taken and not used.
func (r *Rate) Give(n, perSecond int64) {
	if perSecond <= 0 || n <= 0 {
		return
	}
	b := r.locked()
	defer b.mu.Unlock()
	b.tokens += float64(min(n, perSecond)) // the next fill sees to what is too much
	b.wanted -= n
}

// Left returns how many could be taken now, and how long it is until the bucket
// is full.
func (r *Rate) Left(perSecond int64, now time.Time) (left int64, full time.Duration) {
	if perSecond <= 0 {
		return 0, 0
	}
	b := r.locked()
	defer b.mu.Unlock()
	b.fill(perSecond, now)
	return max(int64(b.tokens+1e-6), 0), b.until(perSecond)
}

// locked returns the key's bucket, locked.
func (r *Rate) locked() *bucket {
	for {
		if b := r.at.Load(); b != nil {
			b.mu.Lock()
			if !b.gone {
				return b
			}
			b.mu.Unlock()
		}
		r.at.Store(r.meter.bucket(r.key))
	}
}
