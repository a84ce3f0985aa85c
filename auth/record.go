package auth

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// never is the due time of a record that is not read again.
const never = math.MaxInt64

// record is one cached value. It stays the same while its value is replaced,
// and is safe for concurrent use.
type record[K comparable, V any] struct {
	cache *cache[K, V]
	key   K
	value atomic.Pointer[V] // not nil once the record can be had
	due   atomic.Int64      // from when on to read it again, in Unix nanoseconds
}

// current returns the newest value that was read, without waiting. A value
// that has reached its age is read again behind the scenes.
func (r *record[K, V]) current() *V {
	now := r.cache.now()
	if due := r.due.Load(); now.UnixNano() >= due {
		// One of many callers gets to do it; the others take no lock.
		if r.due.CompareAndSwap(due, now.Add(retryAfter).UnixNano()) {
			r.cache.refresh(r)
		}
	}
	return r.value.Load()
}

// last returns the newest value that was read, and asks for no newer one: for
// who holds very many records, which are read again when they are invalidated.
func (r *record[K, V]) last() *V { return r.value.Load() }

// refresh starts to read a record again, unless that is under way.
func (c *cache[K, V]) refresh(r *record[K, V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[r.key] == nil && c.find(r.key) == r {
		c.launch(context.Background(), r.key)
	}
}

// await gives a flight a moment to bring the record's next value, and goes on
// with the one it has otherwise.
func (r *record[K, V]) await(ctx context.Context, f *flight[K, V]) (*record[K, V], error) {
	timer := time.NewTimer(staleWait)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		return r, nil
	case <-ctx.Done():
		return r, nil
	}
	if f.outdated {
		return r.cache.get(ctx, r.key)
	}
	return f.record, f.err
}
