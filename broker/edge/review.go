package edge

import (
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// review looks at every connected device if what they may do can have changed
// since the last time.
func (e *Edge) review() {
	if e.deps.Changes == nil {
		return
	}
	changes := e.deps.Changes()
	if changes == e.reviewed {
		return
	}
	e.reviewed = changes
	for _, l := range e.loops {
		l.post(event{kind: evDo, do: l.review})
	}
}

func (l *loop) review(now time.Time) {
	for c := range l.conns {
		if c.device != nil {
			c.review(now)
		}
	}
}

// review ends a connection whose organization is suspended or whose credentials
// were revoked, and what the rules
// of its app do not grant any more.
func (c *conn) review(now time.Time) {
	if c.device.Suspended() {
		c.step(func(s *session.Session) { s.Suspend(now) })
		return
	}
	if c.device.Revoked() {
		c.step(func(s *session.Session) { s.Revoke(now) })
		return
	}
	if policy := c.device.App().Policy(); policy != c.policy {
		c.policy = policy
		c.step(func(s *session.Session) { s.Regrant(now) })
	}
}

// proved notes who the client is, and which policy that was asked of.
func (c *conn) proved(device *auth.Device) {
	c.device, c.policy = device, device.App().Policy()
}
