package jetstream

import (
	"context"
	"log/slog"

	"github.com/fanfare-mq/fanfare/broker"
)

// Spread is over how many shards new organizations may be spread: the first
// that every live node works with. It is less than Shards while the number is
// being raised, until all nodes were started again.
func (b *Bus) Spread() int {
	if b.Alone() {
		return b.shards
	}
	return int(max(b.spread.Load(), 1))
}

// holdLease renews the lease and learns of the others', until ctx ends.
func (b *Bus) holdLease(ctx context.Context) {
	for {
		b.Leases(b.noteSpread)
		if !wait(ctx, LeasePeriod) {
			return
		}
		if err := b.leaseholder.renew(ctx); err != nil && ctx.Err() == nil {
			b.cfg.Logger.Warn("the node's lease is not renewed", slog.Any("error", err))
		}
	}
}

func (b *Bus) noteSpread(leases []broker.Lease, err error) {
	if err != nil {
		return // as it was
	}
	least := b.shards
	for i := range leases {
		if l := &leases[i]; l.State == broker.LeaseAlive {
			least = min(least, l.Shards)
		}
	}
	b.spread.Store(int64(least))
}
