package jetstream

import (
	"context"
	"sync"
	"time"
)

const (
	// slowProbe is how long a probe takes at which the server has had to look at
	// very many matches: it answers one connection's probes one after the other,
	// and who writes to the stream waits meanwhile.
	slowProbe = 100 * time.Millisecond
	// slowSpell is how long after a slow probe there is only one at a time.
	slowSpell = 5 * time.Second
)

// gate lets one probe at a time through while they are slow. Whoever cannot
// soon enter reads by a scan, which costs the same however many they are.
type gate struct {
	turn chan struct{} // holds one while somebody is inside, in a slow spell

	mu    sync.Mutex // guards the fields below
	slow  time.Time  // there is a slow spell until then
	since time.Time  // when the one inside entered
}

func newGate() *gate { return &gate{turn: make(chan struct{}, 1)} }

// enter waits for a turn, unless the one inside takes long. leave must be called
// after it has reported true, even if the probe failed.
func (g *gate) enter(ctx context.Context) (leave func(), ok bool) {
	now := time.Now()
	g.mu.Lock()
	spell, left := now.Before(g.slow), slowProbe-now.Sub(g.since)
	g.mu.Unlock()
	if !spell {
		return func() { g.took(time.Since(now)) }, true
	}
	if !g.take(ctx, left) {
		return nil, false
	}
	now = time.Now()
	g.mu.Lock()
	g.since = now
	g.mu.Unlock()
	return func() {
		g.took(time.Since(now))
		<-g.turn
	}, true
}

// take takes the turn, within d if it is another's.
func (g *gate) take(ctx context.Context, d time.Duration) bool {
	select {
	case g.turn <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case g.turn <- struct{}{}:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// took notes how long a probe was inside.
func (g *gate) took(d time.Duration) {
	if d < slowProbe {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slow = time.Now().Add(slowSpell)
}
