package edge

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// house does what no connection is there for: sessions that end while their
// client is away, wills whose delay is over, messages that a share group could
// not take, and $SYS.
func (e *Edge) house(ctx context.Context) {
	e.sys.started = time.Now()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	stats := time.NewTicker(e.cfg.SysInterval)
	defer stats.Stop()
	e.publishSys(e.sys.started)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-sweep.C:
			e.publishWills(e.records.sweep(now))
			e.sweepGroups(now)
		case now := <-stats.C:
			e.publishSys(now)
		}
	}
}

// sweepInterval is the resolution of session expiry and will delays.
const sweepInterval = 250 * time.Millisecond

// publishWills hands wills to the bus; one that it does not take now is
// offered again with the next sweep.
func (e *Edge) publishWills(wills []*broker.Message) {
	for _, will := range wills {
		err := e.deps.Bus.Publish(will, nil, 0)
		if errors.Is(err, broker.ErrOverloaded) {
			e.records.putWill(will)
			continue
		}
		e.stats.publishes.WithLabelValues(qosLabel[will.QoS]).Inc()
		if err != nil {
			e.log.Warn("will not accepted", slog.String("topic", will.Topic), slog.Any("error", err))
		}
	}
}
