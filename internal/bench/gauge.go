package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// gauge counts deliveries and samples their latency while it is open.
type gauge struct {
	open  atomic.Bool
	count atomic.Int64
	tick  atomic.Uint64

	mu      sync.Mutex // guards samples
	samples []time.Duration
}

// sampleEvery keeps the cost of sampling out of the result.
const sampleEvery = 64

func (g *gauge) arrived(payload []byte) {
	if !g.open.Load() {
		return
	}
	g.count.Add(1)
	if g.tick.Add(1)%sampleEvery != 0 || len(payload) < 8 {
		return
	}
	d := time.Since(stamped(payload))
	g.mu.Lock()
	g.samples = append(g.samples, d)
	g.mu.Unlock()
}

// measure opens the gauge for the duration and returns what it saw, with the
// CPU times of the server and of this process.
func (g *gauge) measure(ctx context.Context, t target, cfg Config) (Result, error) {
	if err := pause(ctx, cfg.Warmup); err != nil {
		return Result{}, err
	}
	server, err := CPUTime(t.pid)
	if err != nil {
		return Result{}, err
	}
	client, err := CPUTime(0)
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	g.open.Store(true)
	err = pause(ctx, cfg.Duration)
	g.open.Store(false)
	elapsed := time.Since(start)
	if err != nil {
		return Result{}, err
	}
	serverEnd, err := CPUTime(t.pid)
	if err != nil {
		return Result{}, err
	}
	clientEnd, err := CPUTime(0)
	if err != nil {
		return Result{}, err
	}
	p50, p99 := g.percentiles()
	return Result{
		Deliveries: g.count.Load(), Seconds: elapsed.Seconds(),
		ServerCPU: serverEnd - server, ClientCPU: clientEnd - client, P50: p50, P99: p99,
	}, nil
}

func (g *gauge) percentiles() (p50, p99 time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.samples) == 0 {
		return 0, 0
	}
	slices.Sort(g.samples)
	return g.samples[len(g.samples)/2], g.samples[len(g.samples)*99/100]
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
