package meter

import (
	"context"
	"time"
)

// The kinds of keys in Redis.
const (
	ofRate  = "rate:"
	ofCount = "count:"
)

// A saying is what this node has to say of a key, and who learns what the other
// nodes say of it.
type saying struct {
	key    string // in Redis, without the prefix
	value  int64
	topic  learner
	silent bool // nobody uses it here any more: what was said is taken back
}

// A learner is a bucket or a tally.
type learner interface {
	// learn takes what each of the other nodes says.
	learn(others []int64)
	// alone takes that there is nobody to hear.
	alone()
}

// exchange forgets what is idle, says what is new to the other nodes, and
// learns what they say. When that fails there are no others.
func (m *Meter) exchange(ctx context.Context, now time.Time) {
	sayings, done := m.report(now)
	defer close(done)
	if m.link == nil || !m.link.due(now) {
		return
	}
	nodes, err := m.link.exchange(ctx, now, sayings)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes = nodes
	if err != nil {
		m.alone()
	}
}

// alone gives this node the whole of everything, and lets it say all of it
// anew. The caller holds the lock.
func (m *Meter) alone() {
	for _, b := range m.rates {
		b.alone()
	}
	for _, t := range m.counts {
		t.alone()
	}
}

// report takes what is to be said of the keys in use, and forgets those that
// are not. done is to be closed when all is said. Handles find a new bucket or tally when they are used again.
func (m *Meter) report(now time.Time) (sayings []saying, done chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, m.next = m.next, make(chan struct{})
	for key, b := range m.rates {
		value, due := b.report(now)
		if b.gone {
			delete(m.rates, key)
		}
		if due {
			sayings = append(sayings, saying{key: ofRate + key, value: value, topic: b, silent: b.gone})
		}
	}
	for key, t := range m.counts {
		value, due := t.report(now)
		if t.gone {
			delete(m.counts, key)
		}
		if due {
			sayings = append(sayings, saying{key: ofCount + key, value: value, topic: t, silent: t.gone})
		}
	}
	return sayings, done
}
