package api

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// throttleBurst is how often one key may do at once what is throttled:
	// room for a developer who tries things out.
	throttleBurst = 30
	// throttleEvery is the pace after that.
	throttleEvery = 10 * time.Second
	// throttleKeys bounds the memory, about 200 bytes a key. Who can come from
	// more addresses than this is not stopped by counting addresses.
	throttleKeys = 10_000
)

// throttle is a token bucket per key, for a bounded number of keys: the least
// recently used one is forgotten first.
type throttle struct {
	now func() time.Time

	mu      sync.Mutex // guards what follows
	buckets map[string]*list.Element
	recent  *list.List // of *bucket, the most recently used in front
}

type bucket struct {
	key     string
	limiter *rate.Limiter
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, buckets: map[string]*list.Element{}, recent: list.New()}
}

// take counts one event of every key and returns nil, or an error that says
// when to come back if a key is at its limit.
func (t *throttle) take(message string, keys ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	var wait time.Duration
	for _, key := range keys {
		limiter := t.limiter(key)
		if !limiter.AllowN(now, 1) {
			missing := 1 - limiter.TokensAt(now)
			wait = max(wait, time.Duration(missing*float64(throttleEvery)))
		}
	}
	if wait == 0 {
		return nil
	}
	return throttledError{error: fault.New(fault.TooManyRequests, message), wait: wait}
}

// limiter returns the key's bucket. The caller holds the lock.
func (t *throttle) limiter(key string) *rate.Limiter {
	if element, ok := t.buckets[key]; ok {
		t.recent.MoveToFront(element)
		return element.Value.(*bucket).limiter //nolint:errcheck // the list holds nothing else
	}
	if t.recent.Len() >= throttleKeys {
		oldest := t.recent.Back()
		delete(t.buckets, t.recent.Remove(oldest).(*bucket).key) //nolint:errcheck // the list holds nothing else
	}
	b := &bucket{key: key, limiter: rate.NewLimiter(rate.Every(throttleEvery), throttleBurst)}
	t.buckets[key] = t.recent.PushFront(b)
	return b.limiter
}
