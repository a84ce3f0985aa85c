package edge

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// apps counts what each app has open on this node.
type apps struct {
	mu    sync.Mutex // guards usage and the counts in it
	usage map[string]*usage
}

// usage is one app's share of the node. It is there while the app has a
// connection.
type usage struct {
	connections, subscriptions int
	messages, bytes            *rate.Limiter
}

var (
	errConnections   = fault.New(fault.QuotaExceeded, "the app has as many connections as its limit allows")
	errSubscriptions = fault.New(fault.QuotaExceeded, "the app has as many subscriptions as its limit allows")
)

// connect counts one more connection of an app.
func (a *apps) connect(app string, limits tenant.Settings) (*usage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.usage[app]
	if u == nil {
		u = &usage{messages: rate.NewLimiter(rate.Inf, 0), bytes: rate.NewLimiter(rate.Inf, 0)}
		a.usage[app] = u
	}
	if limits.MaxConnections > 0 && u.connections >= limits.MaxConnections {
		return nil, errConnections
	}
	u.connections++
	return u, nil
}

// disconnect takes a connection and its subscriptions back.
func (a *apps) disconnect(app string, u *usage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u.connections--
	if u.connections == 0 && a.usage[app] == u {
		delete(a.usage, app)
	}
}

// subscribe counts n more subscriptions, or as many fewer. The error says that
// they are too many; they are counted all the same.
func (a *apps) subscribe(u *usage, n int, limits tenant.Settings) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	u.subscriptions += n
	if n > 0 && limits.MaxSubscriptions > 0 && u.subscriptions > limits.MaxSubscriptions {
		return errSubscriptions
	}
	return nil
}

// publish counts a message and returns how long its publisher has to pause, so
// that the app stays within its rates. One second's worth may come at once.
func (u *usage) publish(size int, limits tenant.Settings, now time.Time) time.Duration {
	pause := reserve(u.messages, limits.PublishRate, 1, now)
	return min(max(pause, reserve(u.bytes, limits.PublishBytes, size, now)), maxPause)
}

// maxPause keeps a client that is far over its app's limit from being silent
// for so long that it gives the connection up.
const maxPause = 5 * time.Second

func reserve(l *rate.Limiter, perSecond, n int, now time.Time) time.Duration {
	if perSecond <= 0 {
		return 0
	}
	if limit := rate.Limit(perSecond); l.Limit() != limit {
		l.SetLimitAt(now, limit)
		l.SetBurstAt(now, perSecond)
	}
	return l.ReserveN(now, min(n, perSecond)).DelayFrom(now)
}
