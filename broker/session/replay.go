package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// replay is the retained messages of one new subscription on their way to the
// client. They go out in batches, after everything else, so that a wildcard
// with many of them holds nothing up.
type replay struct {
	cursor uint32
	sub    subscription
	asked  bool // a Replay waits for its answer
	done   bool // the cursor has no more
	page   []*broker.Message
	retry  time.Time
}

// replayBatch is how many retained messages are read at once.
const replayBatch = 32

func newReplay(sub *subscription) *replay { return &replay{sub: *sub} }

// startReplay begins after the SUBACK. [MQTT-3.8.4-4].
func (s *Session) startReplay(r *replay) {
	if s.subscriptions.index(r.sub.Filter) < 0 {
		return // unsubscribed meanwhile
	}
	s.cursors++
	r.cursor = s.cursors
	s.replays = append(s.replays, r)
}

// replayOn sends retained messages and asks for more, one subscription after
// the other.
func (s *Session) replayOn(now time.Time) {
	for len(s.replays) > 0 && !s.congested && len(s.out) < burst {
		r := s.replays[0]
		for len(r.page) > 0 && s.sendRetained(r, r.page[0], now) {
			r.page[0], r.page = nil, r.page[1:]
		}
		if len(r.page) > 0 || r.asked || (!r.retry.IsZero() && !passed(r.retry, now)) {
			return
		}
		if r.done || s.subscriptions.index(r.sub.Filter) < 0 {
			s.emit(Effect{Kind: Abandon, Cursor: r.cursor})
			s.replays[0], s.replays = nil, s.replays[1:]
			continue
		}
		r.asked, r.retry = true, time.Time{}
		s.emit(Effect{Kind: Replay, Cursor: r.cursor, Filters: []string{r.sub.match}, Limit: replayBatch})
		return
	}
	if len(s.replays) == 0 {
		s.replays = nil
	}
}

// sendRetained sends one retained message, with RETAIN set [MQTT-3.3.1-8], and
// reports whether it is dealt with.
func (s *Session) sendRetained(r *replay, m *broker.Message, now time.Time) bool {
	g := grant{qos: min(m.QoS, r.sub.QoS), retain: true, id: r.sub.ID}
	if m.Position.Seq == 0 {
		g.qos = 0
	}
	switch {
	case m.Expired(now): // [MQTT-3.3.2-5]
		s.drops.Expired++
	case g.qos == 0:
		if len(s.out) >= burst {
			return false
		}
		s.writeOwn(m, g, 0, true, false, now)
	case s.flights.carries(m.Position.Seq): // it came live at this moment
	case !s.roomy():
		return false
	default:
		retained := *m
		retained.Retain = true
		s.launch(&retained, g, nil, now)
	}
	return true
}

// Replayed answers a Replay effect; done says that no more follow.
func (s *Session) Replayed(cursor uint32, messages []*broker.Message, done bool, err error, now time.Time) {
	if s.phase != connected {
		return
	}
	for _, r := range s.replays {
		if r.cursor != cursor || !r.asked {
			continue
		}
		r.asked = false
		if err != nil {
			r.retry = now.Add(retryRead)
			return
		}
		r.page, r.done = messages, done
		s.pump(now)
		return
	}
}
