package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// reader reads the log for a session that is behind: one that was away, or
// whose window or transport was full when a live message came.
type reader struct {
	behind  bool
	asked   bool    // a Read waits for its answer
	stale   bool    // there is a new filter since it was asked
	told    bool    // the log has answered since upTo was set
	ready   bool    // the interest of all subscriptions is known to stand
	more    bool    // the log has more behind the page
	retry   instant // when to ask again; zero: as soon as there is room
	upTo    uint64  // everything that matches up to it was sent or is done
	missed  uint64  // the highest live sequence that was ignored
	begun   uint64  // what upTo was at the last question
	pageEnd uint64  // what upTo becomes when the page is sent
	look    int     // how many acknowledgements to remember before asking
}

// retryRead is how long to wait with the next question to a log that did not
// answer, or not with what has to be there.
const retryRead = 250 * time.Millisecond

// pageSize is how many messages are read at once. What is read and not sent
// is held in memory.
const pageSize = 64

// fallBehind makes the session ignore live messages until it has read the log
// up to where it is.
func (s *Session) fallBehind(seq uint64) {
	r := &s.reader
	r.missed = max(r.missed, seq)
	if !r.behind {
		*r = reader{behind: true, asked: r.asked, stale: r.stale, ready: true, missed: r.missed, upTo: s.known()}
	}
}

// known is the sequence up to which the session has had everything.
func (s *Session) known() uint64 {
	known := max(s.progress.floor, s.reader.upTo)
	if s.lossless {
		return max(known, s.progress.newest)
	}
	return known
}

// readOn sends the page and asks for the next one.
func (s *Session) readOn(now time.Time) {
	r := &s.reader
	if !r.behind || s.flights.unsent > 0 {
		return
	}
	if s.sendPage(now); len(s.rare().page) > 0 || r.asked || !r.ready {
		return
	}
	if r.told {
		r.upTo, r.told = max(r.upTo, r.pageEnd), false
		if !r.more && r.missed <= r.upTo {
			s.catchUp(now)
			return
		}
		if r.pageEnd <= r.begun {
			r.retry = at(now.Add(retryRead)) // a replica that lags
		}
	}
	if s.roomy() && !s.waiting(now) {
		s.ask()
	}
}

// sendPage sends what was read, as far as there is room.
func (s *Session) sendPage(now time.Time) {
	r := s.rare()
	for len(r.page) > 0 && s.roomy() {
		m := r.page[0]
		if r.page[0], r.page = nil, r.page[1:]; len(r.page) == 0 {
			r.page = nil
		}
		s.reader.upTo = max(s.reader.upTo, m.Position.Seq)
		s.sendRead(m, now)
	}
}

// waiting reports whether it is too early to ask.
func (s *Session) waiting(now time.Time) bool {
	r := &s.reader
	if passed(r.retry.time(), now) {
		r.retry = 0
	}
	return r.retry != 0
}

// catchUp makes the session live again: nothing was missed that it has not read.
func (s *Session) catchUp(now time.Time) {
	s.reader = reader{ready: true, upTo: s.reader.upTo}
	s.progress.newest = max(s.progress.newest, s.reader.upTo)
	s.settle(now)
}

// settle lifts the floor as far as it is known, and sets when to look again.
func (s *Session) settle(now time.Time) {
	upTo := s.reader.upTo
	if s.lossless {
		upTo = s.known()
	}
	s.settleFloor(upTo, now)
	s.reader.look = len(s.progress.acked) + s.limits.MaxAcked
}

// ask reads the next page. A session that is not behind only wants to know how
// far it has come.
func (s *Session) ask() {
	r := &s.reader
	filters, start := s.subscriptions.owed()
	if len(filters) == 0 {
		*r = reader{ready: true, upTo: r.upTo, look: r.look}
		return
	}
	after := max(r.upTo, s.progress.floor, start)
	r.asked, r.stale, r.begun = true, false, after
	s.emit(Effect{Kind: Read, Query: broker.Query{
		Shard: s.shard, Filters: filters, After: after, Since: s.progress.since.time(), Limit: pageSize,
	}})
}

// sendRead sends a message of the log, unless the session has it.
func (s *Session) sendRead(m *broker.Message, now time.Time) {
	seq := m.Position.Seq
	if s.progress.done(seq) || s.flights.carries(seq) {
		return
	}
	g, ok := s.grantAfter(m, true)
	switch {
	case !ok || g.qos == 0:
	case m.Expired(now):
		s.drops.Expired++
	default:
		s.launch(m, g, nil, now)
	}
}

// Page answers a Read effect.
func (s *Session) Page(p broker.Page, err error, now time.Time) {
	r := &s.reader
	if s.phase != connected || !r.asked {
		return
	}
	r.asked = false
	switch {
	case err != nil:
		r.retry = at(now.Add(retryRead))
	case r.stale && !r.behind:
		s.ask()
	case r.stale:
		s.pump(now)
	case !r.behind:
		s.advance(p, now)
	default:
		r.more, r.pageEnd, r.told = p.More, p.UpTo, true
		if n := len(p.Messages); n > 0 {
			s.own().page = p.Messages
			r.pageEnd = max(r.pageEnd, p.Messages[n-1].Position.Seq)
		}
		s.pump(now)
	}
}

// advance takes the answer for a session that is live: messages among it that
// it does not have were lost on their way here.
func (s *Session) advance(p broker.Page, now time.Time) {
	for _, m := range p.Messages {
		if seq := m.Position.Seq; !s.progress.done(seq) && !s.flights.carries(seq) {
			if _, ok := s.grantAfter(m, true); ok && !m.Expired(now) {
				s.fallBehind(seq)
				s.pump(now)
				return
			}
		}
	}
	upTo := max(p.UpTo, s.reader.upTo)
	if n := len(p.Messages); n > 0 {
		upTo = max(upTo, p.Messages[n-1].Position.Seq)
	}
	s.reader.upTo = upTo
	s.settle(now)
	if p.More && upTo > s.reader.begun {
		s.ask()
	}
}

// lookUp asks how far the session has come when it remembers many
// acknowledgements since it last knew.
func (s *Session) lookUp(now time.Time) {
	r := &s.reader
	if r.behind || r.asked || len(s.progress.acked) < max(r.look, s.limits.MaxAcked) {
		return
	}
	s.settle(now) // what was on its way at the last answer may be done by now
	if len(s.progress.acked) >= s.limits.MaxAcked {
		s.Probe(now)
	}
}

// Probe makes the session ask the log whether it has missed something. A
// driver calls it when live messages may have been lost, and else now and then.
func (s *Session) Probe(now time.Time) {
	r := &s.reader
	if s.phase == connected && !s.lossless && !r.behind && !r.asked && !s.waiting(now) {
		s.ask()
	}
}

// askAgain repeats a question that it was too early for. That of a session
// that is behind is repeated by pump.
func (s *Session) askAgain(now time.Time) {
	if s.reader.retry != 0 && !s.waiting(now) {
		s.Probe(now)
	}
}
