package edge

import (
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/meter"
)

const (
	// holdRefusal is how long a device waits to hear that its app is over a
	// limit: one that connects again at once costs little so.
	holdRefusal = time.Second
	// maxHeld is how many of an app wait at a time. The others hear it at once.
	maxHeld = 512
	// closedFor is how long an app that is over a limit is closed to all, so that
	// who comes does not even have to be authenticated.
	closedFor = 100 * time.Millisecond
)

// The limits of those who come in.
var (
	overConnections = entrance{limitConnections, session.ReasonQuota.With("the app, or its organization, has as many connections as its limit allows")}
	overSessions    = entrance{limitSessions, session.ReasonQuota.With("the app, or its organization, has as many sessions as its limit allows")}
	overConnectRate = entrance{limitConnectRate, session.ReasonConnectRate}
)

var errSubscriptions = fault.New(fault.QuotaExceeded, "the app, or its organization, has as many subscriptions as its limit allows")

// entrance is a limit with what a device is told.
type entrance struct {
	limit  string
	reason session.Reason
}

// closure is why nobody of an app comes in, and until when.
type closure struct {
	entrance *entrance
	until    time.Time
}

// admit says whether a connection that was counted may stay; otherwise it has to
// leave, for the limit that it returns.
func (a *account) admit(now time.Time) *entrance {
	b := a.bounds()
	if over(a.connections, b.app.Connections) > 0 || over(a.org.connections, b.org.Connections) > 0 {
		return a.close(&overConnections, closedFor, now)
	}
	ok, wait := meter.TakeAll(1, now, meter.Limit{Rate: a.connects, PerSecond: b.app.ConnectRate},
		meter.Limit{Rate: a.org.connects, PerSecond: b.org.ConnectRate})
	if !ok {
		return a.close(&overConnectRate, min(wait, closedFor), now)
	}
	return nil
}

// over is by how many a count exceeds its limit; 0 is none.
func over(c *meter.Count, limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	return max(0, c.Total()-limit)
}

// close keeps everybody out for a moment.
func (a *account) close(why *entrance, d time.Duration, now time.Time) *entrance {
	a.closed.Store(&closure{entrance: why, until: now.Add(d)})
	return why
}

// closedTo returns why a device that names an app need not be looked at.
func (a *account) closedTo(now time.Time) *entrance {
	if a == nil {
		return nil
	}
	if c := a.closed.Load(); c != nil && now.Before(c.until) {
		return c.entrance
	}
	return nil
}

// turnAway refuses a connection for a limit of its app, after a while. Who is
// authenticated, or would be, is no stranger: what was counted of it as one is
// taken back, so that the devices of others behind the same address are not taken
// for strangers either.
func (c *conn) turnAway(a *account, why *entrance, now time.Time) {
	e := c.loop.edge
	c.turned = true
	e.limit(a, why.limit, 1)
	e.stats.refused.WithLabelValues(why.reason.Name).Inc()
	e.admission.excuse(c.transport)
	a.warn(e.log, why, now)
	if a.held.Add(1) > maxHeld {
		a.held.Add(-1)
		c.step(func(s *session.Session) { s.Expel(why.reason, now) })
		return
	}
	time.AfterFunc(holdRefusal, func() {
		a.held.Add(-1)
		c.loop.post(event{kind: evDo, do: func(now time.Time) {
			c.step(func(s *session.Session) { s.Expel(why.reason, now) })
		}})
	})
}

// warn says now and then that devices of an app are turned away.
func (a *account) warn(log *slog.Logger, why *entrance, now time.Time) {
	last := a.warned.Load()
	if now.UnixNano()-last >= int64(warnEvery) && a.warned.CompareAndSwap(last, now.UnixNano()) {
		log.Warn("devices are turned away", slog.String("app", a.name), slog.String("limit", why.limit))
	}
}

// subscribe counts n more subscriptions, or as many fewer. The error says that
// they are too many; they are counted all the same.
func (a *account) subscribe(n int64) error {
	a.subscriptions.Add(n)
	a.org.subscriptions.Add(n)
	if n <= 0 {
		return nil
	}
	if b := a.bounds(); over(a.subscriptions, b.app.Subscriptions) > 0 || over(a.org.subscriptions, b.org.Subscriptions) > 0 {
		return errSubscriptions
	}
	return nil
}
