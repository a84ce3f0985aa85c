// Package bench measures this server beside a peer, in one run on one machine:
// messages per second, and the CPU time the server spent on each delivery,
// which does not depend on how much of the machine the generator takes.
package bench

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Config says what to run. The zero value of a field means its default.
type Config struct {
	// Binary is the fanfare executable that is started as the server.
	Binary string
	// Duration is the measured time of one scenario, after Warmup.
	Duration time.Duration // 4 s
	Warmup   time.Duration // 1 s
	// Rounds is how often each pair of server and scenario runs; the servers
	// take turns, and the median round is reported.
	Rounds int // 3
	// Payload is the size of a message's payload in bytes, at least 8.
	Payload int // 64
	// Subscribers and Pairs size the scenarios.
	Subscribers int // 500
	Pairs       int // 50
	// Backlog is how many messages wait for one device, and Storm how many
	// devices come back at once.
	Backlog int // 100,000
	Storm   int // 10,000
	// NoPeer leaves the peer out.
	NoPeer bool
	// Out receives the report.
	Out io.Writer
}

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.Rounds, 3)
	set(&c.Payload, 64)
	set(&c.Subscribers, 500)
	set(&c.Pairs, 50)
	set(&c.Backlog, 100_000)
	set(&c.Storm, 10_000)
	if c.Duration == 0 {
		c.Duration = 4 * time.Second
	}
	if c.Warmup == 0 {
		c.Warmup = time.Second
	}
	return c
}

// window is how many messages a publisher has under way: enough to let a
// server work in batches, few enough that no server drops any.
const (
	fanoutWindow = 32
	pairWindow   = 20
)

// scenario is one traffic pattern.
type scenario struct {
	name string
	run  func(ctx context.Context, t target, cfg Config) (Result, error)
}

// Result is one measured run.
type Result struct {
	Deliveries int64
	Seconds    float64
	ServerCPU  float64 // seconds, user and system
	ClientCPU  float64 // seconds of the generator
	P50, P99   time.Duration
	Lost       int64
}

// Rate is deliveries per second.
func (r Result) Rate() float64 { return float64(r.Deliveries) / r.Seconds }

// CPUPerDelivery is the server's CPU time for one delivery, in microseconds.
func (r Result) CPUPerDelivery() float64 {
	return r.ServerCPU * 1e6 / float64(max(r.Deliveries, 1))
}

// Run starts the servers, runs every scenario on each in turns, and prints a
// table.
func Run(ctx context.Context, cfg Config) error {
	cfg = cfg.withDefaults()
	targets, stop, err := startTargets(ctx, cfg)
	defer stop()
	if err != nil {
		return err
	}
	all := targets
	if !cfg.NoPeer {
		targets = all[:2] // the last one is for devices that were away
	}
	scenarios := []scenario{
		{fmt.Sprintf("fan-out 1 to %d, QoS 0", cfg.Subscribers), fanout},
		{fmt.Sprintf("%d pairs, QoS 1", cfg.Pairs), pairs},
	}
	results := make(map[string][]Result)
	for round := range cfg.Rounds {
		for _, s := range scenarios {
			for _, t := range targets {
				r, err := s.run(ctx, t, cfg)
				if err != nil {
					return fmt.Errorf("%s on %s, round %d: %w", s.name, t.name, round+1, err)
				}
				results[s.name+t.name] = append(results[s.name+t.name], r)
			}
		}
	}
	report(cfg, scenarios, targets, results)
	return runAway(ctx, cfg, all)
}
