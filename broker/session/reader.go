package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// reader reads the log for a session that is behind: one that was away, or
// whose window or transport was full when a live message came.
type reader struct {
	behind  bool
	asked   bool              // a Read waits for its answer
	live    bool              // it was asked while the session was live
	told    bool              // the log has answered since upTo was set
	retry   time.Time         // when to ask again; zero: as soon as there is room
	ready   bool              // the interest of all subscriptions is known to stand
	upTo    uint64            // everything that matches up to it was sent or is done
	missed  uint64            // the highest live sequence that was ignored
	begun   uint64            // what upTo was at the last question
	pageEnd uint64            // what upTo becomes when the page is sent
	look    int               // how many acknowledgements to remember before asking
	more    bool              // the log has more behind the page
	page    []*broker.Message // read, not sent yet
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
		*r = reader{behind: true, asked: r.asked, live: r.live, ready: true, missed: r.missed, upTo: s.known()}
	}
}

// known is the sequence up to which the session has had everything.
func (s *Session) known() uint64 {
	if s.lossless {
		return max(s.progress.floor, s.progress.newest)
	}
	return s.progress.floor
}

// readOn sends the page and asks for the next one.
func (s *Session) readOn(now time.Time) {
	r := &s.reader
	if !r.behind || s.flights.unsent > 0 {
		return
	}
	for len(r.page) > 0 && s.roomy() {
		m := r.page[0]
		r.page[0], r.page = nil, r.page[1:]
		s.sendRead(m, now)
		r.upTo = max(r.upTo, m.Position.Seq)
	}
	if len(r.page) > 0 || r.asked || !r.ready {
		return
	}
	r.page = nil
	if r.told && !r.more && r.missed <= max(r.upTo, r.pageEnd) {
		s.catchUp(max(r.upTo, r.pageEnd), now)
		return
	}
	if r.told && !r.more && r.pageEnd <= r.begun {
		r.retry = now.Add(retryRead) // a replica that lags
	}
	r.upTo, r.told = max(r.upTo, r.pageEnd), false
	if s.roomy() && !s.waiting(now) {
		s.ask(false)
	}
}

// waiting reports whether it is too early to ask.
func (s *Session) waiting(now time.Time) bool {
	r := &s.reader
	if passed(r.retry, now) {
		r.retry = time.Time{}
	}
	return !r.retry.IsZero()
}

// catchUp makes the session live again: nothing was missed that it has not read.
func (s *Session) catchUp(upTo uint64, now time.Time) {
	s.reader = reader{ready: true, upTo: upTo}
	s.progress.newest = max(s.progress.newest, upTo)
	s.settleFloor(upTo, now)
	s.reader.look = len(s.progress.acked) + s.limits.MaxAcked
}

// ask reads the next page; live says that the session is not behind and only
// wants to know how far it has come.
func (s *Session) ask(live bool) {
	after := s.reader.upTo
	if live {
		after = s.progress.floor
	}
	filters := s.subscriptions.owed()
	if len(filters) == 0 {
		s.reader = reader{ready: true}
		return
	}
	s.reader.asked, s.reader.live, s.reader.begun = true, live, after
	s.emit(Effect{Kind: Read, Query: broker.Query{
		Shard: s.shard, Filters: filters, After: after, Since: s.progress.since, Limit: pageSize,
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
		r.retry = now.Add(retryRead)
	case !r.behind:
		s.advance(p, now)
	case r.live:
		// Asked before the session fell behind: it does not tell what was
		// ignored since.
		s.pump(now)
	default:
		r.page, r.more, r.pageEnd, r.told = p.Messages, p.More, p.UpTo, true
		if n := len(p.Messages); n > 0 {
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
	upTo := p.UpTo
	if n := len(p.Messages); n > 0 && p.More {
		upTo = p.Messages[n-1].Position.Seq
	}
	s.reader.upTo = max(s.reader.upTo, upTo)
	s.settleFloor(upTo, now)
	s.reader.look = len(s.progress.acked) + s.limits.MaxAcked
}

// lookUp asks how far the session has come when it remembers many
// acknowledgements since it last knew.
func (s *Session) lookUp(now time.Time) {
	r := &s.reader
	if r.behind || r.asked || len(s.progress.acked) < max(r.look, s.limits.MaxAcked) {
		return
	}
	if !s.lossless {
		s.ask(true)
		return
	}
	s.settleFloor(s.progress.newest, now)
	r.look = len(s.progress.acked) + s.limits.MaxAcked
}

// askAgain repeats a question that it was too early for.
func (s *Session) askAgain(now time.Time) {
	if s.reader.retry.IsZero() || s.waiting(now) {
		return
	}
	if s.reader.behind {
		s.pump(now)
	} else {
		s.lookUp(now)
	}
}
