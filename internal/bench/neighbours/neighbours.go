// Package neighbours measures what a quiet organization notices of one that
// floods the same server beyond its limits: the latency of its messages, alone
// and beside the flood, in turns.
//
// All share one machine. So the flood comes from a process of its own with a
// lower priority, as its devices would not take the quiet one's CPU elsewhere; it
// attempts a multiple of what it may, at a fixed pace, and what the server refuses
// or slows down is not tried any faster. Messages are sent by the clock, whether
// the last one has arrived or not, and their latency counts from when they were
// due: a server that stands still is not asked less often for it.
package neighbours

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// Config says what to run. The zero value of a field means its default.
type Config struct {
	// Binary is the fanfare executable: it is started as the server, and as the
	// flood.
	Binary string
	// Duration is the measured time of one window, after Warmup.
	Duration time.Duration // 5 s
	Warmup   time.Duration // 1 s
	// Rounds is how often each flood runs between two windows without.
	Rounds int // 3
	// Beyond is how many times what it may the flood attempts.
	Beyond int // 4
	// Bound is the ratio of the p99s that the flood of all kinds must stay below.
	Bound float64 // 2
	// Out receives the report.
	Out io.Writer
}

func (c Config) withDefaults() Config {
	c.Duration = cmp.Or(c.Duration, 5*time.Second)
	c.Warmup = cmp.Or(c.Warmup, time.Second)
	c.Rounds = cmp.Or(c.Rounds, 3)
	c.Beyond = cmp.Or(c.Beyond, 4)
	c.Bound = cmp.Or(c.Bound, 2)
	return c
}

// The kinds of flood.
const (
	publishes = "publishes"
	connects  = "connects"
	fanout    = "fan-out"
	requests  = "API"
)

// floods are the rows of the report, the one with the bound first.
var floods = []struct {
	name  string
	kinds []string
}{
	{"all at once", []string{publishes, connects, fanout, requests}},
	{publishes, []string{publishes}},
	{connects, []string{connects}},
	{fanout, []string{fanout}},
	{requests, []string{requests}},
}

// row is what the rounds of one flood have shown.
type row struct {
	name          string
	alone, beside []window
	attempts      tally
}

// ratios are the p99s beside the flood by those alone, of each round.
func (r *row) ratios() []float64 {
	var all []float64
	for i := range r.beside {
		all = append(all, float64(r.beside[i].p99)/float64(max(r.alone[i].p99, 1)))
	}
	return all
}

// Run measures, prints a table, and fails if the flood of all kinds was noticed
// more than it may be.
func Run(ctx context.Context, cfg Config) error {
	cfg = cfg.withDefaults()
	s, err := start(ctx, cfg.Binary)
	defer s.stop()
	if err != nil {
		return err
	}
	q, err := settle(ctx, s)
	defer q.leave()
	if err != nil {
		return err
	}
	rows := make([]row, len(floods))
	for round := range cfg.Rounds {
		for i, f := range floods {
			rows[i].name = f.name
			if err := s.play(ctx, cfg, q, f.kinds, &rows[i]); err != nil {
				return fmt.Errorf("%s, round %d: %w", f.name, round+1, err)
			}
		}
	}
	report(cfg, rows)
	if ratio := median(rows[0].ratios()); ratio >= cfg.Bound {
		return fmt.Errorf("the quiet organization's p99 is %.2f times what it is alone; the bound is %.1f", ratio, cfg.Bound)
	}
	return nil
}

// play runs one flood between two windows without it. What the p99 is held
// against is that of both together, so that a machine that becomes slower, or
// faster, is not taken for the flood.
func (s *server) play(ctx context.Context, cfg Config, q *quiet, kinds []string, r *row) error {
	half := cfg
	half.Duration /= 2
	before, err := q.measure(ctx, half, s.pid)
	if err != nil {
		return err
	}
	f, err := s.flood(ctx, cfg, kinds)
	if err != nil {
		return err
	}
	beside, err := q.measure(ctx, cfg, s.pid)
	t, ended := f.end()
	if err = cmp.Or(err, ended); err != nil {
		return err
	}
	after, err := q.measure(ctx, half, s.pid)
	if err != nil {
		return err
	}
	r.alone, r.beside = append(r.alone, before.and(after)), append(r.beside, beside)
	r.attempts.add(t)
	return nil
}

// median is the middle one of some.
func median[T cmp.Ordered](some []T) T {
	all := slices.Clone(some)
	slices.Sort(all)
	return all[len(all)/2]
}
