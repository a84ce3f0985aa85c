package war_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	operations = flag.Int64("ops", 25_000, "how many operations a war has")
	seed       = flag.Uint64("seed", 1, "begins the random numbers")
	squads     = flag.Int("squads", 6, "how many squads each of the two enemies has")
)

// leastValid is the part of the operations that have to be messages that were
// received by everybody who should: a wall that lets nothing through is none.
const leastValid = 0.3

// TestWar is two organizations at war, and a third that looks on.
func TestWar(t *testing.T) {
	w := declare(t)
	began := time.Now()
	w.fight()
	w.peace()
	w.report(t, time.Since(began))
}

// war is what all who take part have in common.
type war struct {
	t      *testing.T
	server *server
	sides  []*side
	api    *restAPI
	squads []*squad
	guards []*squad // one soldier each, who hears everything of its organization
	before []string // a snapshot of each side

	ctx  context.Context //nolint:containedctx // ends with the first violation
	stop context.CancelFunc

	ops, valid, deliveries atomic.Int64

	mu         sync.Mutex // guards what follows
	refusals   map[string]int
	violations []string
	trace      [200]string // the last operations, a ring
	traced     int
}

// declare starts the server and makes everybody ready.
func declare(t *testing.T) *war {
	t.Helper()
	w := &war{t: t, server: startServer(t), refusals: map[string]int{}}
	w.ctx, w.stop = context.WithCancel(t.Context())
	t.Cleanup(w.stop)
	api := newCaller(w.server.api, 8)
	var err error
	if w.api, err = readAPI(); err != nil {
		t.Fatal(err)
	}
	for _, slug := range []string{slugA, slugB, slugC} {
		s, err := found(w.ctx, api, slug)
		if err != nil {
			t.Fatal(err)
		}
		state, err := s.snapshot(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		w.api.owners.learn(s, s.told)
		w.sides, w.before = append(w.sides, s), append(w.before, state)
	}
	for _, s := range w.sides {
		w.guards = append(w.guards, newGuard(w, s))
	}
	for i := range *squads {
		w.squads = append(w.squads, newSquad(w, w.sides[0], i), newSquad(w, w.sides[1], i))
	}
	w.squads = append(w.squads, newSquad(w, w.sides[2], 0))
	return w
}

// fight lets all squads do what comes into their minds, until there were enough
// operations or something has crossed the wall.
func (w *war) fight() {
	var all sync.WaitGroup
	for _, q := range w.squads {
		all.Go(func() {
			q.assemble()
			for w.ctx.Err() == nil && w.ops.Add(1) <= *operations {
				q.act()
			}
			q.settle("the end", q.quiet)
		})
	}
	all.Wait()
}

// peace looks at what everybody has in the end.
func (w *war) peace() {
	for _, q := range slices.Concat(w.squads, w.guards) {
		for _, s := range q.soldiers {
			s.muster()
			s.dismiss()
		}
	}
	if w.server.log.any() {
		w.violate("server", "%s", w.server.log)
	}
	for i, s := range w.sides {
		if now, err := s.snapshot(w.t.Context()); err != nil || now != w.before[i] {
			w.violate("crossing", "what %s had is not what it has: %v\n%s\n%s", s.slug, err, w.before[i], now)
		}
	}
}

func (w *war) report(t *testing.T, took time.Duration) {
	t.Helper()
	ops := min(w.ops.Load(), *operations)
	valid := w.valid.Load()
	t.Logf("seed %d: %d operations in %v, %.0f/s: %d valid deliveries (%.1f %%), %d messages received, %d violations",
		*seed, ops, took.Round(time.Millisecond), float64(ops)/took.Seconds(), valid, 100*float64(valid)/float64(ops),
		w.deliveries.Load(), len(w.violations))
	for _, kind := range slices.Sorted(maps.Keys(w.refusals)) {
		t.Logf("  %7d %s", w.refusals[kind], kind)
	}
	for _, v := range w.violations {
		t.Errorf("violation: %s", v)
	}
	if len(w.violations) > 0 {
		t.Logf("the last operations:\n%s", strings.Join(w.lately(), "\n"))
		return
	}
	if float64(valid) < leastValid*float64(ops) {
		t.Errorf("only %d of %d operations were valid deliveries: the war says little", valid, ops)
	}
}

// note remembers an operation.
func (w *war) note(q *squad, format string, args ...any) {
	line := fmt.Sprintf("%s %d: ", q.side.slug, q.number) + fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace[w.traced%len(w.trace)] = line
	w.traced++
}

// lately are the last operations, oldest first.
func (w *war) lately() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.traced < len(w.trace) {
		return w.trace[:w.traced]
	}
	at := w.traced % len(w.trace)
	return slices.Concat(w.trace[at:], w.trace[:at])
}

// refuse counts a refusal that is as it should be.
func (w *war) refuse(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusals[kind]++
}

// maxViolations are shown: one ends the war, and others come with it.
const maxViolations = 5

// violate ends the war.
func (w *war) violate(kind, format string, args ...any) {
	after := min(w.ops.Load(), *operations)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) < maxViolations {
		w.violations = append(w.violations, fmt.Sprintf("%s after %d operations: ", kind, after)+fmt.Sprintf(format, args...))
	}
	w.stop()
}
