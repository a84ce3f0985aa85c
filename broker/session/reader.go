package session

import (
	"slices"
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
	second  instant // when to ask once more after a SUBACK
	from    instant // when it was asked
	since   instant // nothing that matches and lies above upTo is older
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
		*r = reader{
			behind: true, asked: r.asked, stale: r.stale, ready: true, missed: r.missed, upTo: s.known(),
			second: r.second, from: r.from, since: r.since,
		}
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
		s.ask(now)
	}
}

// sendPage sends what was read, as far as there is room.
func (s *Session) sendPage(now time.Time) {
	r := s.rare()
	if len(r.page) == 0 || !s.roomy() {
		return
	}
	for most := s.credit(now); len(r.page) > 0 && s.roomy() && s.sentBytes < most; {
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
	r := &s.reader
	*r = reader{ready: true, upTo: r.upTo, second: r.second, from: r.from, since: r.from}
	s.progress.newest = max(s.progress.newest, s.reader.upTo)
	s.settle(now)
}

// settle lifts the floor as far as it is known, and sets when to look again.
// What was asked long ago says nothing of what came since. A session that is
// behind knows as much as it has read.
func (s *Session) settle(now time.Time) {
	upTo, since := s.reader.upTo, s.reader.since
	if s.lossless && !s.reader.behind {
		upTo, since = s.known(), at(now)
	}
	s.settleFloor(upTo, since)
	s.reader.look = len(s.progress.acked) + s.limits.MaxAcked
}

// ask reads the next page. A session that is not behind only wants to know how
// far it has come.
func (s *Session) ask(now time.Time) {
	r := &s.reader
	filters, start := s.subscriptions.owed()
	if len(filters) == 0 {
		*r = reader{ready: true, upTo: r.upTo, since: r.since, look: r.look}
		return
	}
	after := max(r.upTo, s.progress.floor, start)
	r.asked, r.stale, r.begun, r.from = true, false, after, at(now)
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
		s.ask(now)
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
	if !p.More { // else what follows may be older than the question
		s.reader.since = s.reader.from
	}
	s.settle(now)
	if p.More && upTo > s.reader.begun {
		s.ask(now)
	}
}

// lookUp lifts the floor when the session remembers many acknowledgements, and
// asks how far it has come if it is still low. While it reads on, however far it
// has to go, what it has read tells.
func (s *Session) lookUp(now time.Time) {
	r := &s.reader
	if r.asked && !r.behind || len(s.progress.acked) < max(r.look, s.limits.MaxAcked) {
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
		s.ask(now)
	}
}

// Knows reports whether a Probe would tell nothing new of a shard whose log ends
// at head.
func (s *Session) Knows(head uint64) bool { return s.lossless || s.known() >= head }

// askAgain repeats a question that it was too early for, and asks for the
// second time after a SUBACK. A session that is behind does so by pump.
func (s *Session) askAgain(now time.Time) {
	r := &s.reader
	due := r.retry != 0 && !s.waiting(now)
	if r.second != 0 && at(now) >= r.second {
		r.second, due = 0, true
	}
	if due {
		s.Probe(now)
	}
}

// secondLook is when a session asks the log after a SUBACK: by then every
// server of the cluster knows of the new filter, and sends what matches it.
const secondLook = time.Second

// late reports whether m is older than every subscription that it matches: it is
// not owed, and the session may have sent newer ones of its publisher already.
func (s *Session) late(m *broker.Message) bool {
	if s.lossless || m.Position.Seq > s.progress.begun {
		return false
	}
	return !slices.ContainsFunc(s.subscriptions.list, func(sub subscription) bool {
		return (!sub.begun || m.Position.Seq > sub.Start) && s.wants(&sub, m)
	})
}

// lacks reports whether the message that its publisher sent before m is owed to
// this session and has not come: it was lost, or comes later, and m must not
// overtake it.
func (s *Session) lacks(m *broker.Message) bool {
	seq := m.Previous
	return s.news(seq) && slices.ContainsFunc(s.subscriptions.list, func(sub subscription) bool {
		return sub.owed() && seq > sub.Start && s.wants(&sub, m)
	})
}

// tooEarly reports the same of a subscription that has no beginning yet: the log
// cannot be read for it, so m has to wait until it has one.
func (s *Session) tooEarly(m *broker.Message) bool {
	return s.news(m.Previous) && slices.ContainsFunc(s.subscriptions.list, func(sub subscription) bool {
		return !sub.begun && sub.logged() && s.wants(&sub, m)
	})
}

// news reports whether the message at seq has not been here; 0 is none.
func (s *Session) news(seq uint64) bool {
	return seq > s.reader.upTo && !s.progress.done(seq) && !s.flights.carries(seq)
}
