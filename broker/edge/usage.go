package edge

import (
	"sync/atomic"
	"time"
)

// Usage is what an organization uses of this node.
type Usage struct {
	Organization string
	Connections  int64
	// What its devices have published and were sent, with the bytes of the
	// payloads, since the organization was first seen here.
	MessagesIn, BytesIn   int64
	MessagesOut, BytesOut int64
	// Limited is how often a limit was felt: refusals, pauses and drops.
	Limited int64
}

// traffic is what went through, in messages and bytes of payload.
type traffic struct{ messagesIn, bytesIn, messagesOut, bytesOut atomic.Int64 }

// Usage lists the organizations that have devices here, or had some within the
// last minutes, in no order.
func (e *Edge) Usage() []Usage {
	var list []Usage
	for _, a := range e.tenants.all(time.Now()) {
		if a.org != nil {
			continue
		}
		e.tenants.mu.Lock()
		open := a.open
		e.tenants.mu.Unlock()
		list = append(list, Usage{
			Organization: a.name, Connections: int64(open),
			MessagesIn: a.used.messagesIn.Load(), BytesIn: a.used.bytesIn.Load(),
			MessagesOut: a.used.messagesOut.Load(), BytesOut: a.used.bytesOut.Load(),
			Limited: a.limited.Load(),
		})
	}
	return list
}

// The limits, as a metric calls them.
const (
	limitConnections   = "connections"
	limitConnectRate   = "connect_rate"
	limitSubscriptions = "subscriptions"
	limitSessions      = "sessions"
	limitPublish       = "publish"
	limitPayload       = "payload"
	limitTopic         = "topic"
	limitFanout        = "fanout"
)

// limit notes that a limit of a tenant was felt n times.
func (e *Edge) limit(a *account, what string, n int64) {
	e.stats.limited.WithLabelValues(what).Add(float64(n))
	a.limited.Add(n)
	a.org.limited.Add(n)
}
