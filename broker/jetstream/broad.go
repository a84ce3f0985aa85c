package jetstream

import (
	"context"
	"math"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// knownBroad is how long a query or a filter is known to match more than a
	// probe can answer: to find out costs the server a look at every match.
	knownBroad = time.Minute
	// maxBroad bounds what is remembered of that.
	maxBroad = 1 << 14
	// learnFilters is up to how many filters of a query are asked for one by one.
	learnFilters = 256
)

// broad remembers what a probe cannot answer, by queryKey. The sweep's lock
// guards it.
type broad struct {
	queries map[uint64]time.Time // whole queries
	filters map[uint64]time.Time // single filters: every query that has one
	learns  bool                 // somebody finds filters out
}

func newBroad() broad {
	return broad{queries: make(map[uint64]time.Time), filters: make(map[uint64]time.Time)}
}

// has reports whether a probe for filters would be refused.
func (b *broad) has(filters []string, now time.Time) bool {
	if now.Before(b.queries[queryKey(filters, 0)]) {
		return true
	}
	if len(b.filters) == 0 {
		return false
	}
	for i := range filters {
		if now.Before(b.filters[queryKey(filters[i:i+1], 0)]) {
			return true
		}
	}
	return false
}

func note(known map[uint64]time.Time, filters []string, now time.Time) {
	if len(known) >= maxBroad {
		clear(known)
	}
	known[queryKey(filters, 0)] = now.Add(knownBroad)
}

func (b *broad) tidy(now time.Time) {
	for _, known := range []map[uint64]time.Time{b.queries, b.filters} {
		for key, until := range known {
			if now.After(until) {
				delete(known, key)
			}
		}
	}
}

// learn finds out which filter of a query that was refused is too broad by
// itself. Sessions have some filters in common, of which the others then know.
func (s *sweep) learn(ctx context.Context, a *asker, q broker.Query) {
	if len(q.Filters) == 1 || len(q.Filters) > learnFilters || !s.mayLearn(q) {
		return
	}
	filters := s.refusals(ctx, a, q)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broad.learns = false
	for _, i := range filters {
		note(s.broad.filters, q.Filters[i:i+1], now)
	}
}

// mayLearn claims the right to learn of a query about which nothing is known.
func (s *sweep) mayLearn(q broker.Query) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for i := range q.Filters {
		if now.Before(s.broad.filters[queryKey(q.Filters[i:i+1], 0)]) {
			return false
		}
	}
	if s.broad.learns {
		return false
	}
	s.broad.learns = true
	return true
}

// refusals are the indices of the filters of q for which a probe is refused. It
// asks behind the end of the log, so that nothing comes of the others.
func (s *sweep) refusals(ctx context.Context, a *asker, q broker.Query) (indices []int) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	a.begin()
	for i := range q.Filters {
		one := q
		one.Filters = q.Filters[i : i+1]
		subjects, err := s.bus.questionOf(one)
		if err == nil {
			err = a.askPart(directGet+streamName(int(s.shard)), i, question{MultiLast: subjects, Seq: math.MaxInt64, Batch: 1})
		}
		if err != nil {
			return nil
		}
	}
	s.bus.counters.probes.Add(uint64(len(q.Filters)))
	for range q.Filters {
		i, m, err := a.nextPart(ctx)
		if err != nil {
			return indices
		}
		if refusedFilter(m) && i >= 0 && i < len(q.Filters) {
			indices = append(indices, i)
		}
	}
	return indices
}

func refusedFilter(m *nats.Msg) bool { return m.Header.Get(headerStatus) == statusTooMany }
