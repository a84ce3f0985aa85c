package auth

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// retryAfter is how long a failed read keeps the next one away, and how
	// long the source's "not found" is believed.
	retryAfter = 5 * time.Second
	// readTimeout bounds one read of the source.
	readTimeout = 5 * time.Second
	// staleWait is how long a look-up that has an old value waits for a new
	// one: with the source away, nobody's connect takes much longer.
	staleWait = time.Second
)

// cache keeps what was read from a slow source that may be away.
//
// A key is read once however many ask for it. A value is read again when it
// was invalidated or has reached its age; while that fails the old one goes on
// to be served. Who holds a record sees its newest value without asking, for
// a record is found again as long as anybody holds it, even when the cache
// itself has dropped it.
//
// It is safe for concurrent use. mu is never held while the source is read.
type cache[K comparable, V any] struct {
	read func(context.Context, K) (*V, error)
	// gone makes, from the last value, what holders see once the source says
	// not found.
	gone   func(last *V) *V
	now    func() time.Time
	maxAge time.Duration
	// merge makes the new value of a record that has one, and says whether it
	// is another.
	merge func(last, next *V) (v *V, changed bool)
	// replaced is called when a record has another value than before.
	replaced func()

	mu      sync.Mutex // guards the following and the flights' fields
	kept    bounded[K, *record[K, V]]
	live    map[K]weak.Pointer[record[K, V]] // all records in use, kept or not
	unknown bounded[K, absence]
	flights map[K]*flight[K, V]
}

// absence is the source's "not found", believed for a while.
type absence struct {
	err   error
	until time.Time
}

// flight is one read of the source, for all who wait for it. Its results are
// written before done is closed and never after.
type flight[K comparable, V any] struct {
	done     chan struct{}
	outdated bool // invalidated meanwhile: what it brings may be old
	record   *record[K, V]
	err      error
}

func newCache[K comparable, V any](limit int, maxAge time.Duration, now func() time.Time) *cache[K, V] {
	return &cache[K, V]{
		gone:     func(last *V) *V { return last },
		now:      now,
		maxAge:   maxAge,
		merge:    func(_, next *V) (*V, bool) { return next, true },
		replaced: func() {},
		kept:     newBounded[K, *record[K, V]](limit),
		live:     make(map[K]weak.Pointer[record[K, V]]),
		unknown:  newBounded[K, absence](limit),
		flights:  make(map[K]*flight[K, V]),
	}
}

// get returns the record of a key, reading the source if it has to.
func (c *cache[K, V]) get(ctx context.Context, key K) (*record[K, V], error) {
	for {
		r, f, err := c.lookUp(ctx, key)
		if f == nil {
			return r, err
		}
		if r != nil {
			return r.await(ctx, f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, "the wait for the store was given up", ctx.Err())
		}
		if !f.outdated {
			return f.record, f.err
		}
	}
}

// lookUp returns what is cached and, if there is reason to wait, the flight to
// wait for.
func (c *cache[K, V]) lookUp(ctx context.Context, key K) (*record[K, V], *flight[K, V], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.find(key)
	if f := c.flights[key]; f != nil {
		return r, f, nil
	}
	if r != nil && c.now().UnixNano() < r.due.Load() {
		return r, nil, nil
	}
	if a, ok := c.unknown.get(key); ok && r == nil && c.now().Before(a.until) {
		return nil, nil, a.err
	}
	return r, c.launch(ctx, key), nil
}

// find returns the record of a key if somebody holds it. mu is held.
func (c *cache[K, V]) find(key K) *record[K, V] {
	if r, ok := c.kept.get(key); ok {
		return r
	}
	if r := c.live[key].Value(); r != nil {
		c.kept.put(key, r)
		return r
	}
	return nil
}

// inUse returns the newest value of a key that was read, or nil if nothing is
// kept of it.
func (c *cache[K, V]) inUse(key K) *V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.find(key); r != nil {
		return r.value.Load()
	}
	return nil
}

// keys returns what is kept.
func (c *cache[K, V]) keys() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.live))
}

// launch starts to read a key. The read belongs to nobody in particular, so it
// goes on when ctx ends; readTimeout ends it. mu is held.
func (c *cache[K, V]) launch(ctx context.Context, key K) *flight[K, V] {
	f := &flight[K, V]{done: make(chan struct{})}
	c.flights[key] = f
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		v, err := c.read(ctx, key)
		c.land(key, f, v, err)
	}()
	return f
}

// land takes in what a flight has brought.
func (c *cache[K, V]) land(key K, f *flight[K, V], v *V, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	if f.outdated {
		return
	}
	delete(c.flights, key)
	r := c.find(key)
	switch {
	case err == nil:
		if r == nil {
			r = c.add(key)
			r.value.Store(v)
		} else {
			next, changed := c.merge(r.value.Load(), v)
			if r.value.Store(next); changed {
				c.replaced()
			}
		}
		r.due.Store(c.now().Add(c.maxAge).UnixNano())
		c.unknown.remove(key)
	case fault.CodeOf(err) == fault.NotFound:
		c.unknown.put(key, absence{err: err, until: c.now().Add(retryAfter)})
		if r != nil {
			c.bury(r)
		}
		r = nil
	case r != nil:
		r.due.Store(c.now().Add(retryAfter).UnixNano())
		err = nil // the old value serves
	}
	f.record, f.err = r, err
}

// add makes an empty record. mu is held.
func (c *cache[K, V]) add(key K) *record[K, V] {
	r := &record[K, V]{cache: c, key: key}
	runtime.AddCleanup(r, c.forget, key)
	c.live[key] = weak.Make(r)
	c.kept.put(key, r)
	return r
}

// bury ends a record: it is not found any more, and its holders see that its
// subject is gone. mu is held.
func (c *cache[K, V]) bury(r *record[K, V]) {
	delete(c.live, r.key)
	c.kept.remove(r.key)
	r.value.Store(c.gone(r.value.Load()))
	r.due.Store(never)
	c.replaced()
}

// forget drops the trace of a record that nobody holds any more, unless the
// key has a new one.
func (c *cache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.live[key]; ok && p.Value() == nil {
		delete(c.live, key)
	}
}

// invalidate makes sure that the next look-up sees what the source says from
// now on. A record in use is read again at once, for its holders ask nobody.
func (c *cache[K, V]) invalidate(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outdate(key)
}

// invalidateIf invalidates all records whose value is of a kind.
func (c *cache[K, V]) invalidateIf(kind func(*V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, p := range c.live {
		if r := p.Value(); r != nil && kind(r.value.Load()) {
			c.outdate(key)
		}
	}
	for key, f := range c.flights {
		if c.live[key].Value() == nil {
			f.outdated = true // it may bring one of that kind; ask again
			delete(c.flights, key)
		}
	}
}

// each calls do with the value of every record in use.
func (c *cache[K, V]) each(do func(*V)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.live {
		if r := p.Value(); r != nil {
			do(r.value.Load())
		}
	}
}

// outdate is invalidate with mu held.
func (c *cache[K, V]) outdate(key K) {
	if f := c.flights[key]; f != nil {
		f.outdated = true
		delete(c.flights, key)
	}
	c.unknown.remove(key)
	if r := c.find(key); r != nil {
		r.due.Store(0)
		c.launch(context.Background(), key)
	}
}
