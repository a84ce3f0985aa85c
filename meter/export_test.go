package meter

import (
	"context"
	"time"
)

// Every is how often nodes exchange.
const Every = every

// Exchange is what Run does now and then.
func (m *Meter) Exchange(ctx context.Context, now time.Time) { m.exchange(ctx, now) }

// Leave is what Run does at its end.
func (m *Meter) Leave(ctx context.Context) error { return m.link.leave(ctx) }

// Keys counts what is remembered.
func (m *Meter) Keys() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rates) + len(m.counts)
}

// Shared reports whether other nodes are heard.
func (m *Meter) Shared() bool { return m.link.up }

// Portion is portion.
func Portion(limit, mine int64, others []int64) float64 { return portion(limit, mine, others) }
