package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// replay is the retained messages of one new subscription on their way to the
// client. They go out in batches, after everything else, so that a wildcard
// with many of them holds nothing up.
type replay struct {
	cursor uint32 // 0: not opened yet
	sub    subscription
	asked  bool // a Replay waits for its answer
	done   bool // the cursor has no more
	page   []*broker.Message
	retry  instant
}

// replayBatch is how many retained messages are read at once.
const replayBatch = 32

// startReplay begins after the SUBACK. [MQTT-3.8.4-4]. One of the same filter
// that has not begun yet is as good as two.
func (s *Session) startReplay(r *replay) {
	if s.subscriptions.index(r.sub.Filter) < 0 {
		return // unsubscribed meanwhile
	}
	for _, other := range s.rare().replays {
		if other.sub.Filter == r.sub.Filter && other.cursor == 0 {
			other.sub = r.sub
			return
		}
	}
	s.own().replays = append(s.own().replays, r)
}

// leaveReplay closes the cursor, if it was opened.
func (s *Session) leaveReplay(r *replay) {
	if r.cursor != 0 {
		s.emit(Effect{Kind: Abandon, Cursor: r.cursor})
	}
}

// replayOn sends retained messages and asks for more, one subscription after
// the other.
func (s *Session) replayOn(now time.Time) {
	all := s.rare()
	for len(all.replays) > 0 {
		r := all.replays[0]
		gone := s.subscriptions.index(r.sub.Filter) < 0 // [MQTT-3.10.4-2]
		switch {
		case r.asked, !gone && r.retry != 0 && !passed(r.retry.time(), now):
			return
		case gone || (r.done && len(r.page) == 0):
			s.leaveReplay(r)
			if all.replays[0], all.replays = nil, all.replays[1:]; len(all.replays) == 0 {
				all.replays = nil
			}
		case !s.sendRetainedPage(r, now):
			return
		case !r.done:
			if r.cursor == 0 {
				s.cursors++
				r.cursor = s.cursors
			}
			r.asked = true
			s.emit(Effect{Kind: Replay, Cursor: r.cursor, Filters: []string{r.sub.match}, Limit: replayBatch})
			return
		}
	}
}

// sendRetainedPage sends what was read, and reports whether that was all.
func (s *Session) sendRetainedPage(r *replay, now time.Time) bool {
	r.retry = 0
	if len(r.page) == 0 || s.congested {
		return !s.congested
	}
	for most := s.credit(now); len(r.page) > 0; {
		if len(s.out) >= replayBurst || s.sentBytes >= most {
			r.retry = at(now) // nobody acknowledges QoS 0, so go on by ourselves
			return false
		}
		if !s.sendRetained(r, r.page[0], now) {
			return false
		}
		r.page[0], r.page = nil, r.page[1:]
	}
	return true
}

// replayBurst bounds what is put into Output at once, in bytes.
const replayBurst = 256 << 10

// sendRetained sends one retained message, with RETAIN set [MQTT-3.3.1-8], and
// reports whether it is dealt with.
func (s *Session) sendRetained(r *replay, m *broker.Message, now time.Time) bool {
	g := grant{qos: min(m.QoS, r.sub.QoS), retain: true, id: r.sub.ID}
	if m.Position.Seq == 0 {
		g.qos = 0
	}
	switch {
	case !s.wants(&r.sub, m): // its own [MQTT-3.8.3-3]
	case m.Expired(now): // [MQTT-3.3.2-5]
		s.drops.Expired++
	case g.qos == 0:
		s.write(m, g, nil, 0, now)
	case s.flights.carries(m.Position.Seq): // it came live at this moment
	case !s.roomy():
		return false
	default:
		s.launch(m, g, nil, now)
	}
	return true
}

// Replayed answers a Replay effect; done says that no more follow.
func (s *Session) Replayed(cursor uint32, messages []*broker.Message, done bool, err error, now time.Time) {
	if s.phase != connected {
		return
	}
	for _, r := range s.rare().replays {
		if r.cursor != cursor || !r.asked {
			continue
		}
		r.asked = false
		if err != nil {
			r.retry = at(now.Add(retryRead))
		} else {
			r.page, r.done = messages, done
		}
		s.pump(now)
		return
	}
}
