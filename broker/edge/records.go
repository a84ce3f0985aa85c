package edge

import (
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
)

// keepRecord reads or writes the record of a session.
func (t *table) keepRecord(ef *ownership.Effect) {
	bus, op := t.edge.deps.Bus, ef.Op
	switch ef.Kind {
	case ownership.Load:
		seat := ef.Seat
		bus.Load(ef.Key, func(stored broker.Stored, err error) {
			if seat != nil && stored.Record != nil {
				t.edge.renew(seatOf(seat), stored.Record)
			}
			t.do(func(o *ownership.Table, now time.Time) { o.Loaded(op, stored, err, now) })
		})
	case ownership.Save:
		if ef.Seat != nil && ef.Record.Generation == 0 {
			ef.Record.Generation = newest(bus.Generations(seatOf(ef.Seat).shard))
		}
		bus.Save(ef.Key, ef.Record, ef.Revision, func(revision uint64, err error) {
			t.do(func(o *ownership.Table, now time.Time) { o.Saved(op, revision, err, now) })
		})
	default:
		bus.Erase(ef.Key, ef.Revision, func(err error) {
			if err == nil {
				t.edge.erased(ef.Key, time.Now())
			}
			t.done(op, err)
		})
	}
}

func (t *table) done(op ownership.Op, err error) {
	t.do(func(o *ownership.Table, now time.Time) { o.Done(op, err, now) })
}

// renew makes a record that is taken over one of the log's present generation.
func (e *Edge) renew(c *conn, r *broker.Record) {
	if r.Renew(e.deps.Bus.Generations(c.shard)) {
		e.log.Warn("the log has lost its end since the session was here; what it had beyond comes again",
			slog.String("owner", r.Owner), slog.Uint64("floor", r.Floor))
	}
}

// keepWill sees to a will in the store, or here while it waits.
func (t *table) keepWill(ef *ownership.Effect) {
	e, op := t.edge, ef.Op
	switch ef.Kind {
	case ownership.PutWill:
		e.deps.Bus.PutWill(ef.Will, func(revision uint64, err error) {
			t.do(func(o *ownership.Table, now time.Time) { o.Saved(op, revision, err, now) })
		})
	case ownership.DropWill:
		if ef.Instance == t.instance {
			e.deps.Estate.Forget(ef.Key)
		}
		e.deps.Bus.DropWill(ef.Instance, ef.Key, 0, func(err error) { t.done(op, err) })
	case ownership.RouseWill:
		e.deps.Estate.Rouse(ef.Instance, ef.Key, func() { t.done(op, nil) })
	default:
		e.stats.publishes.WithLabelValues(qosLabel[ef.Will.Message.QoS]).Inc()
		e.deps.Estate.Keep(ef.Will, nil)
	}
}
