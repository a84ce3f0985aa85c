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
	// every is how often a node says what it wants and has, and learns what the
	// others do.
	every = 200 * time.Millisecond
	// relaxed is how often it does so for a key of which there is nothing new.
	relaxed = time.Second
	// idleAfter is how long a key is remembered that nobody uses.
	idleAfter = 2 * time.Second
)

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

// A Meter holds the rates and counts of a node, by their keys. It works without
// Run, but forgets and shares nothing then. It is safe for concurrent use.
type Meter struct {
	link *link // Run's; nil: nothing is shared

	mu     sync.Mutex // after it the lock of a bucket or a tally, never before it
	rates  map[string]*bucket
	counts map[string]*tally
	nodes  int           // that share, this one included
	next   chan struct{} // closed at the end of the exchange that begins next
}

// New checks the configuration; it connects to nothing.
func New(cfg Config) (*Meter, error) {
	m := Local()
	if cfg.URL == "" {
		return m, nil
	}
	var err error
	m.link, err = newLink(cfg)
	return m, err
}

// Local returns a meter of one node that shares nothing.
func Local() *Meter {
	return &Meter{rates: map[string]*bucket{}, counts: map[string]*tally{}, nodes: 1, next: make(chan struct{})}
}

// Rate returns the token bucket of a key, as in "acme/chat publish_rate". It is
// a handle to keep: the same key has the same bucket wherever it is asked for.
func (m *Meter) Rate(key string) *Rate { return &Rate{meter: m, key: key} }

// Count returns the count of a key, as in "acme connections". It is a handle to
// keep, as Rate's is.
func (m *Meter) Count(key string) *Count { return &Count{meter: m, key: key} }

// Run forgets what is idle, and shares with the other nodes, until ctx ends.
// Redis may be away, now or later.
func (m *Meter) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return m.link.leave(context.WithoutCancel(ctx))
		case now := <-tick.C:
			m.exchange(ctx, now)
		}
	}
}

// Settle returns when what was asked for before is as the other nodes say, or
// when ctx ends. It is for what shows totals; admission asks and goes on.
func (m *Meter) Settle(ctx context.Context) {
	if m.link == nil {
		return
	}
	m.mu.Lock()
	next := m.next
	m.mu.Unlock()
	select {
	case <-next:
	case <-ctx.Done():
	}
}

// bucket returns the bucket of a key. A new one has an equal share until the
// first exchange tells what the other nodes want.
func (m *Meter) bucket(key string) *bucket {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.rates[key]
	if b == nil {
		b = &bucket{share: 1 / float64(m.nodes)}
		m.rates[key] = b
	}
	return b
}

// tally returns the tally of a key.
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
