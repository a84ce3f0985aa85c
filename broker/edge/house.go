package edge

import (
	"context"
	"time"
)

// house does what no connection is there for: wills whose delay is over,
// messages that a share group could not take, what connected devices may not do
// any more, connections that are too many, and $SYS.
func (e *Edge) house(ctx context.Context) {
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	stats := time.NewTicker(e.cfg.SysInterval)
	defer stats.Stop()
	trim := time.NewTicker(trimInterval)
	defer trim.Stop()
	e.publishSys(e.sys.started)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-sweep.C:
			e.sweepGroups(now)
			e.review()
		case now := <-trim.C:
			e.trim(now)
		case now := <-stats.C:
			e.publishSys(now)
		}
	}
}

// sweepInterval is the resolution of will delays.
const sweepInterval = 250 * time.Millisecond
