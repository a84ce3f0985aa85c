package estate

import (
	"errors"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
)

// look asks for the leases, unless it is still being asked.
func (e *Estate) look(asked time.Time) {
	if e.looking {
		return
	}
	e.looking = true
	e.bus.Leases(func(all []broker.Lease, err error) {
		e.post(func(now time.Time) { e.looked(all, err, asked, now) })
	})
}

func (e *Estate) looked(all []broker.Lease, err error, asked, now time.Time) {
	e.looking = false
	if instance := e.bus.Instance(); instance != e.instance { // this node was declared dead, and began anew
		e.instance = instance
		e.watch = liveness.NewWatch(instance, e.cfg.Period)
		e.core.Rebirth(instance)
	}
	if err != nil {
		e.watch.Missed()
		e.log.Debug("leases not read", slog.Any("error", err))
		return
	}
	for _, l := range e.watch.Observe(all, asked, now) {
		e.declare(l)
	}
	e.core.Observe(all, now)
}

func (e *Estate) declare(l broker.Lease) {
	e.bus.DeclareDead(l, func(err error) {
		switch {
		case err == nil:
			e.stats.dead.Inc()
			e.log.Warn("a node is dead: its wills are published", slog.String("dead_node", l.Node), slog.String("instance", l.Instance))
		case !errors.Is(err, broker.ErrConflict): // another was faster, or it lives
			e.log.Debug("death not declared", slog.String("instance", l.Instance), slog.Any("error", err))
		}
	})
}
