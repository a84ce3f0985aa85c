package edge

import (
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/session"
)

const (
	// recountAfter is the age at which the sessions in the store are counted anew:
	// other nodes add some too, and some expire. recountFull is the same when
	// there is no room, and recountEach keeps the counting of very many from
	// occupying the store.
	recountAfter = 30 * time.Second
	recountFull  = 2 * time.Second
	recountEach  = 20 * time.Microsecond
	// erasedCounts is how long the store counts a session that was erased.
	erasedCounts = time.Minute
)

// census is how many sessions an app or an organization has in the store, those
// of absent devices included: as of the last count, and with what this node has
// added and erased since. It is kept for those alone that have a limit. A will
// that waits in the store belongs to a session, so that it needs no count.
type census struct {
	mu       sync.Mutex // guards the fields below; nothing is called under it
	n        int64
	counted  time.Time // when the last count began; zero: never
	counting bool
	waiting  []func(error) // for the count
	erased   map[uint64]time.Time
}

// reserve counts one more session, if there is room. Without a count, or with an
// old one that says there is none, answer is called later, from any goroutine.
func (e *Edge) reserve(a *account, limit int64, now time.Time, answer func(room bool, err error)) {
	c := &a.sessions
	c.mu.Lock()
	age := now.Sub(c.counted)
	full := c.n >= limit
	if c.counted.IsZero() || full && age > max(recountFull, c.cost()) {
		c.waiting = append(c.waiting, func(err error) {
			if err != nil {
				answer(false, err)
				return
			}
			answer(c.take(limit), nil)
		})
		begin := c.begin()
		c.mu.Unlock()
		if begin {
			e.recount(a, now)
		}
		return
	}
	begin := age > max(recountAfter, c.cost()) && c.begin()
	c.mu.Unlock()
	if begin {
		e.recount(a, now)
	}
	answer(c.take(limit), nil)
}

// cost is how rarely so many may be counted. It is called with mu held.
func (c *census) cost() time.Duration { return time.Duration(c.n) * recountEach }

// begin reports whether the caller is to count. It is called with mu held.
func (c *census) begin() bool {
	if c.counting {
		return false
	}
	c.counting = true
	return true
}

func (c *census) take(limit int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n >= limit {
		return false
	}
	c.n++
	return true
}

// undo takes a reservation back: the session was there already.
func (c *census) undo() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n = max(0, c.n-1)
}

// recount asks the store.
func (e *Edge) recount(a *account, began time.Time) {
	org, app := a.name, ""
	if a.org != nil {
		org, app = a.org.name, a.name[len(a.org.name)+1:]
	}
	e.deps.Bus.CountSessions(org, app, func(n int, err error) {
		if err != nil {
			e.log.Warn("sessions cannot be counted", slog.Any("error", err), slog.String("tenant", a.name))
		}
		for _, answer := range a.sessions.count(n, err, began) {
			answer(err)
		}
	})
}

// count takes a count that began then, and returns who has waited for it.
func (c *census) count(n int, err error, began time.Time) []func(error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting
	c.waiting, c.counting = nil, false
	if err != nil {
		return waiting
	}
	maps.DeleteFunc(c.erased, func(_ uint64, at time.Time) bool { return began.Sub(at) > erasedCounts })
	c.n, c.counted = max(0, int64(n-len(c.erased))), began
	return waiting
}

// erase notes that a session is gone, and add that it is there again.
func (c *census) erase(key uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counted.IsZero() {
		return
	}
	if c.erased == nil {
		c.erased = make(map[uint64]time.Time)
	}
	c.erased[key] = now
	c.n = max(0, c.n-1)
}

func (c *census) add(key uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.erased, key)
}

// erased notes that a session was removed from the store.
func (e *Edge) erased(key string, now time.Time) {
	if a := e.tenants.find(key); a != nil {
		hash := ownership.Hash(key)
		a.sessions.erase(hash, now)
		a.org.sessions.erase(hash, now)
	}
}

// mayKeep asks whether a session that outlives its connection may be there, and
// calls then on the connection's loop if so. One that is there may stay, whatever
// the limits are now.
func (c *conn) mayKeep(then func(now time.Time)) {
	a, b := c.purse.account, c.purse.account.bounds()
	if b.app.Sessions == 0 && b.org.Sessions == 0 {
		then(time.Now())
		return
	}
	e, key := c.loop.edge, c.session.Key()
	verdict := func(room, counted bool, err error) {
		c.loop.post(event{kind: evDo, do: func(now time.Time) {
			switch {
			case c.closed:
			case err != nil:
				c.step(func(s *session.Session) { s.Claimed(nil, err, now) })
			case !room:
				c.turnAway(a, &overSessions, now)
			default:
				c.counted = counted
				then(now)
			}
		}})
	}
	e.reserveBoth(a, b, func(room bool, err error) {
		if room || err != nil {
			verdict(room, room, err)
			return
		}
		e.deps.Bus.Load(key, func(stored broker.Stored, err error) { verdict(there(stored), false, err) })
	})
}

// there reports whether a stored record is a session that somebody may come back
// to.
func there(stored broker.Stored) bool {
	r := stored.Record
	return r != nil && (r.Expires.IsZero() || time.Now().Before(r.Expires))
}

// reserveBoth counts a session for an app and its organization, or for neither.
func (e *Edge) reserveBoth(a *account, b *bounds, answer func(room bool, err error)) {
	ofApp := b.app.Sessions > 0
	second := func(room bool, err error) {
		if err != nil || !room || b.org.Sessions == 0 {
			answer(room, err)
			return
		}
		e.reserve(a.org, b.org.Sessions, time.Now(), func(room bool, err error) {
			if ofApp && !room {
				a.sessions.undo()
			}
			answer(room, err)
		})
	}
	if !ofApp {
		second(true, nil)
		return
	}
	e.reserve(a, b.app.Sessions, time.Now(), second)
}

// kept notes what became of a session that was counted: one that was there has
// been counted twice, and one that is new is there again if it was erased before.
func (c *conn) kept(resumed bool) {
	if !c.counted {
		return
	}
	a := c.purse.account
	b := a.bounds()
	for _, x := range []struct {
		account *account
		limit   int64
	}{{a, b.app.Sessions}, {a.org, b.org.Sessions}} {
		switch {
		case x.limit == 0:
		case resumed:
			x.account.sessions.undo()
		default:
			x.account.sessions.add(ownership.Hash(c.session.Key()))
		}
	}
}
