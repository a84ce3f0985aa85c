package meter

import (
	"sync"
	"time"
)

// A bucket is what all handles of a key share. Its lock guards all of it; gone
// is written by report alone, which may read it without.
type bucket struct {
	mu     sync.Mutex
	tokens float64   // negative: a debt
	filled time.Time // when tokens was right; zero: never
	rate   float64   // tokens a second, of the share: what was last asked for
	limit  int64     // the whole rate, which it is the share of
	share  float64   // of the cluster's rate, above 0, at most 1
	wanted int64     // taken and refused since the last report
	short  bool      // whether somebody had to wait or was refused since then

	reported time.Time // when the last report was; zero: never
	used     time.Time // the last report with use
	pace     float64   // how much is wanted in a second, smoothed
	said     int64     // what the other nodes were last told to be wanted
	saidAt   time.Time // when; zero: never
	gone     bool      // forgotten: handles look for another
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

// report takes how much is wanted in a second, and whether that is to be said.
// A bucket that is idle and full is gone: one that begins anew is no other.
func (b *bucket) report(now time.Time) (wants int64, due bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wanted != 0 || b.reported.IsZero() {
		b.used = now
	}
	wants = b.wants(now)
	short := b.short
	b.reported, b.wanted, b.short = now, 0, false
	if b.gone = now.Sub(b.used) >= idleAfter && b.tokens+b.rate*now.Sub(b.filled).Seconds() >= b.rate; b.gone {
		return 0, !b.saidAt.IsZero()
	}
	news := wants - b.said
	due = short || b.saidAt.IsZero() || max(news, -news) > b.limit/10 ||
		float64(wants) > b.rate/2 || now.Sub(b.saidAt) >= relaxed
	if due {
		b.said, b.saidAt = wants, now
	}
	return wants, due
}

// wants smooths the pace and adds some room. Who waits wants everything: how
// much that would be cannot be seen from what came.
func (b *bucket) wants(now time.Time) int64 {
	past := every
	if !b.reported.IsZero() {
		past = max(now.Sub(b.reported), time.Millisecond)
	}
	pace := float64(max(b.wanted, 0)) / past.Seconds()
	if b.reported.IsZero() {
		b.pace = pace
	}
	b.pace = (b.pace + pace) / 2
	if b.short {
		return b.limit
	}
	room := max(b.pace*1.1, float64(b.limit)/20)
	return min(int64(room)+1, b.limit)
}

// learn sets the share by what each of the other nodes wants.
func (b *bucket) learn(others []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limit > 0 {
		b.share = portion(b.limit, b.said, others) / float64(b.limit)
	}
}

// alone gives this node the whole rate.
func (b *bucket) alone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.share, b.saidAt = 1, time.Time{}
}
