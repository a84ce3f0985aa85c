package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Deadline is when Tick should be called next; zero means that nothing is
// waited for.
func (s *Session) Deadline() time.Time {
	switch s.phase {
	case awaitingConnect, challenged, authenticating, claiming:
		return s.heard.time().Add(s.limits.ConnectTimeout)
	case connected:
		return earlier(earlier(s.silent(), s.expires.time()), earlier(s.retry(), s.nextWrite()))
	default:
		return time.Time{}
	}
}

// silent is when a client that says nothing more is given up: after one and a
// half times its keep-alive; zero without one. [MQTT-3.1.2-24].
func (s *Session) silent() time.Time {
	if s.keepAlive == 0 {
		return time.Time{}
	}
	return s.heard.time().Add(time.Duration(s.keepAlive) * time.Second * 3 / 2)
}

// retry is when something is asked for again that was not there.
func (s *Session) retry() time.Time {
	next := earlier(s.reader.retry.time(), s.reader.second.time())
	for _, r := range s.rare().replays {
		next = earlier(next, r.retry.time())
	}
	return next
}

// earlier returns the earlier of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// passed reports whether a deadline is over at now; zero never is.
func passed(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// Tick tells the session what time it is. It may be called early.
func (s *Session) Tick(now time.Time) {
	s.excuse(now)
	switch {
	case !passed(s.Deadline(), now):
		s.release(now)
	case s.phase == awaitingConnect:
		s.end(ReasonConnectTimeout, now)
	case s.phase == challenged:
		s.refuse(ReasonConnectTimeout, now)
	case s.phase == authenticating:
		s.refuse(ReasonUnavailable.With("authentication took too long"), now)
	case s.phase == claiming:
		s.refuse(ReasonUnavailable.With("the session could not be claimed in time"), now)
	case passed(s.expires.time(), now):
		s.end(ReasonTokenExpired, now)
	case passed(s.silent(), now):
		s.end(ReasonKeepAlive, now) // [MQTT-3.1.2-22]
	default:
		s.askAgain(now)
		s.pump(now)
	}
}

// excuse forgives a client its silence while it is us who do not listen.
func (s *Session) excuse(now time.Time) {
	if !s.Wants() {
		s.Alive(now)
	}
}

// Alive starts the keep-alive anew without a packet. A driver that did not
// read the client's packets for reasons of its own calls it before Tick, as
// their absence then says nothing about the client.
func (s *Session) Alive(now time.Time) {
	if s.phase == connected {
		s.heard = at(now)
	}
}

func (s *Session) receivePingreq(f packet.Frame, now time.Time) {
	var p packet.Pingreq
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	s.release(now)                          // who pings has nothing else to say
	s.out = packet.Pingresp{}.Append(s.out) // [MQTT-3.12.4-1]
}
