package meter

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Rate is a token bucket of the whole cluster. It holds one second's worth,
// which may come at once, and this node's share of it is what it answers from.
// It is safe for concurrent use.
type Rate struct {
	meter *Meter
	key   string
	at    atomic.Pointer[bucket]
}

// Take takes n or nothing, of perSecond in a second; 0 is no limit. wait is how
// long it would be until so many were there. A bucket never holds more than a
// second's worth: what is larger takes a full one and the next seconds'.
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
	b.tokens -= float64(min(n, perSecond))
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
	return max(int64(b.tokens), 0), b.until(perSecond)
}

// locked returns the key's bucket, locked.
func (r *Rate) locked() *bucket {
	for {
		b := r.at.Load()
		if b != nil {
			b.mu.Lock()
			if !b.gone {
				return b
			}
			b.mu.Unlock()
		}
		r.at.Store(r.meter.bucket(r.key))
	}
}

// A bucket is what all handles of a key share. Its lock guards all of it.
type bucket struct {
	mu     sync.Mutex
	tokens float64   // negative: a debt
	filled time.Time // when tokens was right; zero: never
	rate   float64   // tokens a second, of the share: what was last asked for
	limit  int64     // the whole rate, which it is the share of
	share  float64   // of the cluster's rate, above 0, at most 1
	wanted int64     // taken and refused since the last sweep
	short  bool      // whether somebody had to wait or was refused since then
	used   time.Time // the last sweep that saw it used
	gone   bool      // forgotten: handles look for another
}

// fill adds what has come since it was last asked.
func (b *bucket) fill(perSecond int64, now time.Time) {
	b.limit, b.rate = perSecond, float64(perSecond)*b.share
	if b.filled.IsZero() {
		b.tokens, b.filled = b.rate, now
		return
	}
	if past := now.Sub(b.filled); past > 0 {
		b.tokens += b.rate * past.Seconds()
		b.filled = now
	}
	b.tokens = min(b.tokens, b.rate)
}

// until returns how long it is until n are there, or as many as it can hold.
func (b *bucket) until(n int64) time.Duration {
	missing := min(float64(n), b.rate) - b.tokens
	if missing <= 1e-6 { // less than floating point can tell from nothing
		return 0
	}
	return max(time.Duration(missing/b.rate*float64(time.Second)), 1)
}

// leave reports whether nobody has used the bucket for a while; it is gone then.
func (b *bucket) leave(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wanted != 0 || b.tokens < 0 || b.used.IsZero() {
		b.used, b.wanted, b.short = now, 0, false
		return false
	}
	b.gone = now.Sub(b.used) >= idleAfter
	return b.gone
}
