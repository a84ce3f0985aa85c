package liveness

import (
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// orphan is a session whose connection ended with its node: from then on its
// time runs. One that lives for ever is left as it is, and so is one that cannot
// be read: perhaps a newer program can.
type orphan struct {
	timer
	house *house
	key   string
}

func (t *orphan) step(e *Estate, _ time.Time) {
	e.ask(Effect{Kind: Load, Key: t.key}, func(a answer, now time.Time) {
		r := a.stored.Record
		switch {
		case a.err != nil && !errors.Is(a.err, broker.ErrRecord):
			e.again(t, now)
		case a.err == nil && !t.held(r): // somebody has it, or its time runs
			t.house.done(e, now)
		case a.err != nil || r.Expiry == 0:
			t.house.pass(t.key)
			t.house.done(e, now)
		default:
			t.save(e, a.stored)
		}
	})
}

// held reports whether a record is as the gone instance had it.
func (t *orphan) held(r *broker.Record) bool {
	return r != nil && r.Owner == t.house.lease.Instance && r.Expires.IsZero()
}

func (t *orphan) save(e *Estate, stored broker.Stored) {
	r := *stored.Record
	r.Expires = t.house.lease.Since.Add(r.Expiry)
	e.ask(Effect{Kind: Save, Key: t.key, Record: &r, Revision: stored.Revision}, func(a answer, now time.Time) {
		switch {
		case errors.Is(a.err, broker.ErrConflict):
			e.ready = append(e.ready, t) // somebody has it, or we wrote it before
		case a.err != nil:
			e.again(t, now)
		default:
			e.effects = append(e.effects, t.house.event(t.key, r.Epoch, false))
			t.house.done(e, now)
		}
	})
}
