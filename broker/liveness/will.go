package liveness

import (
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// claimTries is how often it is asked who claims a key before a will is
// published without an answer: some 30 seconds.
const claimTries = 8

// will is the publishing of one will: check that its client is not back,
// publish it, and remove it; with QoS 0, which nobody can tell from a second
// copy, remove it first.
type will struct {
	timer
	will      *broker.Will // nil, or without its message: to be fetched, from and key say which
	from, key string
	house     *house // nil: of this instance, or roused
	refs      []any
	sure      bool // it is published whoever is back
	removed   bool
	published bool
	cancelled bool
}

// light is a will without its message, which the store has: a client may leave
// one for months, and more clients than there is memory for.
func light(w *broker.Will) *broker.Will {
	out := *w
	out.Message = nil
	return &out
}

func (t *will) step(e *Estate, now time.Time) {
	switch {
	case t.cancelled:
	case t.will == nil:
		t.fetch(e)
	case t.removed || t.published || t.sure:
		t.execute(e, now)
	case t.will.Durable:
		t.checkRecord(e)
	default:
		t.checkClaim(e)
	}
}

func (t *will) fetch(e *Estate) {
	e.ask(Effect{Kind: Fetch, Instance: t.from, Key: t.key}, func(a answer, now time.Time) {
		switch {
		case a.err != nil:
			e.again(t, now)
		case len(a.wills) == 0:
			t.leave(e, now)
		case t.will != nil && a.wills[0].Revision < t.will.Revision:
			e.again(t, now) // a replica that is behind
		case t.will != nil && a.wills[0].Revision > t.will.Revision:
			t.leave(e, now) // a later connection's, so the client was back
		default:
			t.will, t.tries = a.wills[0], 0
			t.execute(e, now)
		}
	})
}

// checkRecord looks whether the session has been taken up since.
func (t *will) checkRecord(e *Estate) {
	e.ask(Effect{Kind: Load, Key: t.will.Key}, func(a answer, now time.Time) {
		switch r := a.stored.Record; {
		case t.cancelled:
		case a.err != nil && !errors.Is(a.err, broker.ErrRecord):
			e.again(t, now)
		case r != nil && r.Epoch > t.will.Epoch:
			t.dismiss(e, now) // the client is back [MQTT-3.1.3-9]
		default:
			t.execute(e, now)
		}
	})
}

// checkClaim looks whether the client of a session without a record is back.
func (t *will) checkClaim(e *Estate) {
	e.ask(Effect{Kind: Hold, Key: t.will.Key}, func(a answer, now time.Time) {
		switch {
		case a.err != nil && t.tries < claimTries:
			e.again(t, now)
		case a.err == nil && a.number > t.will.Epoch:
			t.dismiss(e, now)
		default:
			t.execute(e, now)
		}
	})
}

// dismiss removes a will that is not published.
func (t *will) dismiss(e *Estate, now time.Time) {
	t.remove(e, now, func(now time.Time) { t.end(e, now) })
}

// execute publishes the will and removes it, as far as that is not done.
func (t *will) execute(e *Estate, now time.Time) {
	t.sure = true
	switch {
	case t.will.Message == nil:
		t.fetch(e)
	case t.published && t.removed:
		t.end(e, now)
	case t.published:
		t.dismiss(e, now)
	case t.will.Message.QoS == 0 && !t.removed:
		t.remove(e, now, func(now time.Time) { t.publish(e, now) })
	default:
		t.publish(e, now)
	}
}

func (t *will) publish(e *Estate, now time.Time) {
	m := *t.will.At(now)
	m.Undated = true
	e.ask(Effect{Kind: Publish, Message: &m}, func(a answer, now time.Time) {
		// With QoS 0 a second try could be a second message.
		if a.err != nil && (m.QoS > 0 || errors.Is(a.err, broker.ErrOverloaded)) {
			e.again(t, now)
			return
		}
		t.published, t.tries = true, 0
		t.execute(e, now)
	})
}

// remove takes the will out of the store: before it is published, after that,
// or because it need not be. Whoever removes it has done all there was to do.
func (t *will) remove(e *Estate, now time.Time, then func(now time.Time)) {
	if t.will.Revision == 0 {
		then(now)
		return
	}
	take := Effect{Kind: Take, Instance: t.will.Instance, Key: t.will.Key, Revision: t.will.Revision}
	e.ask(take, func(a answer, now time.Time) {
		switch {
		case errors.Is(a.err, broker.ErrConflict):
			t.leave(e, now)
		case a.err != nil:
			e.again(t, now)
		default:
			t.removed, t.tries = true, 0
			then(now)
		}
	})
}

// end is when all is done.
func (t *will) end(e *Estate, now time.Time) {
	if w := t.will; t.house != nil && !w.Durable && w.Due.IsZero() { // others have a record, which tells
		e.effects = append(e.effects, t.house.event(w.Key, w.Epoch, t.published))
	}
	t.leave(e, now)
}

// leave is when there is nothing to do, or no more.
func (t *will) leave(e *Estate, now time.Time) {
	if e.kept[t.key] == t {
		delete(e.kept, t.key)
	}
	e.finish(t.refs)
	if t.house != nil {
		t.house.done(e, now)
	}
}
