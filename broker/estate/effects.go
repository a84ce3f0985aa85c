package estate

import (
	"errors"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
	"github.com/fanfare-mq/fanfare/broker/presence"
	"github.com/fanfare-mq/fanfare/fault"
)

// carryOut does what the core wants done, also what comes of that at once.
func (e *Estate) carryOut() {
	for effects := e.core.Effects(); len(effects) > 0; effects = e.core.Effects() {
		for i := range effects {
			e.carry(&effects[i])
		}
	}
}

func (e *Estate) carry(f *liveness.Effect) {
	switch f.Kind {
	case liveness.Publish:
		e.publish(f)
	case liveness.Bury:
		e.bury(f)
	case liveness.Emit:
		e.bus.Emit(f.Event)
	case liveness.Finished:
		if fn, ok := f.Ref.(func()); ok {
			fn()
		}
	default:
		e.ask(f)
	}
}

// ask reads or changes what is stored.
func (e *Estate) ask(f *liveness.Effect) {
	op := f.Op
	switch f.Kind {
	case liveness.ListWills:
		e.bus.Wills(f.Instance, func(wills []*broker.Will, err error) {
			e.post(func(now time.Time) { e.core.Listed(op, wills, err, now) })
		})
	case liveness.ListOrphans:
		e.bus.Orphans(f.Instance, func(keys []string, err error) {
			e.post(func(now time.Time) { e.core.Orphaned(op, keys, err, now) })
		})
	case liveness.Fetch:
		e.fetch(f)
	case liveness.Load:
		e.bus.Load(f.Key, func(s broker.Stored, err error) {
			e.post(func(now time.Time) { e.core.Loaded(op, s, err, now) })
		})
	case liveness.Hold:
		e.claims.Holder(f.Key, func(h presence.Holder, err error) {
			e.post(func(now time.Time) { e.core.Held(op, h.Number, err, now) })
		})
	case liveness.Take:
		e.bus.TakeWill(f.Instance, f.Key, f.Revision, func(err error) { e.done(op, err) })
	case liveness.Save:
		e.bus.Save(f.Key, f.Record, f.Revision, func(_ uint64, err error) { e.done(op, err) })
	default: // carry has done it
	}
}

func (e *Estate) done(op uint64, err error) {
	e.post(func(now time.Time) { e.core.Done(op, err, now) })
}

func (e *Estate) fetch(f *liveness.Effect) {
	op := f.Op
	e.bus.Will(f.Instance, f.Key, func(w *broker.Will, err error) {
		e.post(func(now time.Time) {
			var wills []*broker.Will
			if w != nil {
				wills = append(wills, w)
			}
			e.core.Listed(op, wills, err, now)
		})
	})
}

func (e *Estate) bury(f *liveness.Effect) {
	op, l := f.Op, f.Lease
	e.bus.Bury(l, func(err error) {
		if err == nil {
			e.log.Info("all that a node has left is seen to", slog.String("gone_node", l.Node), slog.String("instance", l.Instance))
		}
		e.done(op, err)
	})
}

func (e *Estate) publish(f *liveness.Effect) {
	if e.cfg.Silent != nil && e.cfg.Silent(f.Message.Publisher) {
		e.log.Info("a will is not published: whose it was has no say any more", slog.String("topic", f.Message.Topic))
		e.stats.refused.Inc()
		e.done(f.Op, nil)
		return
	}
	if err := e.bus.Publish(f.Message, e, f.Op); err != nil {
		e.published(f.Op, f.Message, err)
	}
}

// Published implements broker.Acknowledger.
func (e *Estate) Published(op uint64, m *broker.Message, err error) { e.published(op, m, err) }

// published tells the core that a will is safe, or that it should try again;
// one that is refused for good is given up.
func (e *Estate) published(op uint64, m *broker.Message, err error) {
	switch {
	case err == nil:
		e.stats.wills.Inc()
	case passes(err) && !e.complains(time.Now()):
	case passes(err):
		e.log.Warn("will not published yet", slog.String("topic", m.Topic), slog.Any("error", err))
	default:
		e.stats.refused.Inc()
		e.log.Error("will refused", slog.String("topic", m.Topic), slog.Any("error", err))
		err = nil
	}
	e.done(op, err)
}

// complainEvery is how often it is logged that wills have to wait: an app whose
// log is full may have thousands of them.
const complainEvery = 10 * time.Second

func (e *Estate) complains(now time.Time) bool {
	last := e.complained.Load()
	return now.UnixNano()-last >= int64(complainEvery) && e.complained.CompareAndSwap(last, now.UnixNano())
}

// passes reports whether an error of a publish can go away.
func passes(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Overloaded:
		return true
	case fault.QuotaExceeded:
		return !errors.Is(err, broker.ErrRetainedQuota)
	default:
		return false
	}
}
