package ownership

import (
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// leaving is what a connection has left that is not put away yet.
type leaving struct {
	seat    *Seat          // nil: of a connection that never entered
	epoch   uint64         // of the connection
	record  *broker.Record // nil: the session is over
	write   bool           // record is not stored, or the stored one not erased
	unused  bool           // record is still as it was before the connection
	will    *broker.Will   // to be published
	willed  bool           // the store has a will that must go first
	settled bool           // the connection's publishes are, or were waited for
	limit   time.Time      // of that wait
}

// Close says that a connection that had entered has ended. Its record is
// written, however often that has to be tried, unless the session is another
// connection's by now; only then the next one is let in, and whoever has asked
// gets an answer.
func (t *Table) Close(s *Seat, end End, now time.Time) {
	if s.gone || s.claim != nil {
		return
	}
	p := s.place
	l := &leaving{
		seat: s, epoch: p.epoch, record: end.Record, write: (s.durable || end.Record != nil) && !s.fenced,
		will: end.Will, willed: s.willed && end.Will == nil, settled: end.Settled, limit: now.Add(t.cfg.Handover),
	}
	if r := l.record; r != nil {
		r.Owner, r.Epoch, r.Willed = t.cfg.Instance, p.epoch, end.Will != nil && end.Will.Due.After(now)
	}
	t.unseat(s)
	t.unclaim(p, s.number)
	b := p.stir()
	b.persist, b.disown = nil, false
	t.depart(p, l)
	t.advance(p, now)
}

// Settled says, after Close, that all that the connection has published is
// acknowledged or failed.
func (t *Table) Settled(s *Seat, now time.Time) {
	if b := s.place.busy; b != nil && b.leaving != nil && b.leaving.seat == s {
		b.leaving.settled = true
		t.advance(s.place, now)
	}
}

func (t *Table) depart(p *place, l *leaving) {
	p.stir().leaving = l
	t.unsaved++
}

// left notes that nothing is left to be put away.
func (t *Table) left(p *place) {
	p.busy.leaving = nil
	t.unsaved--
}

// handsOver reports whether the next connection takes what was left without
// its being stored first. A former owner does not do that to one who asks.
func (t *Table) handsOver(p *place) bool {
	l, s := p.busy.leaving, p.first
	return s != nil && !s.evicted && s.claim != nil && s.claim.numbered && len(p.busy.tickets) == 0 &&
		l.settled && l.write && l.record != nil && !l.willed && l.will == nil && !l.unused
}

// leave does the next thing that a connection's end asks for.
func (t *Table) leave(p *place, now time.Time) bool {
	l := p.busy.leaving
	switch {
	case l.willed:
		t.operate(p, forLeaving, Effect{Kind: DropWill, Instance: t.cfg.Instance})
	case l.will != nil && l.will.Due.After(now):
		t.operate(p, forLeaving, Effect{Kind: PutWill, Will: l.will})
	case l.will != nil:
		t.keepWill(p)
		return true
	case l.write && l.record == nil:
		t.operate(p, forLeaving, Effect{Kind: Erase, Revision: p.revision})
	case l.write:
		t.operate(p, forLeaving, Effect{Kind: Save, Record: t.last(l, now), Revision: p.revision})
	case l.settled || passed(l.limit, now):
		t.left(p)
		return true
	}
	return false
}

// last is the record as the connection leaves it.
func (t *Table) last(l *leaving, now time.Time) *broker.Record {
	if l.unused {
		l.record, l.unused = Unused(l.record, now), false
		l.record.Owner, l.record.Epoch, l.record.Willed = t.cfg.Instance, l.epoch, false
	}
	return l.record
}

func (t *Table) keepWill(p *place) {
	l := p.busy.leaving
	t.emit(Effect{Kind: KeepWill, Key: p.key, Will: l.will})
	l.will = nil
}

func (t *Table) leaveWilled(p *place, revision uint64, err error, now time.Time) {
	if err != nil && !errors.Is(err, broker.ErrConflict) {
		t.backOff(p, now)
		return
	}
	p.busy.leaving.will.Revision = revision
	t.keepWill(p)
}

func (t *Table) leaveUnwilled(p *place, err error, now time.Time) {
	if err != nil {
		t.backOff(p, now)
		return
	}
	p.busy.leaving.willed = false
}

func (t *Table) leaveWritten(p *place, revision uint64, err error, now time.Time) {
	switch {
	case err == nil:
		p.revision, p.busy.leaving.write, p.busy.tries = revision, false, 0
	case errors.Is(err, broker.ErrConflict):
		t.operate(p, forLeaving, Effect{Kind: Load})
	default:
		t.backOff(p, now)
	}
}

// leaveChecked: the last write was refused. Either the session is another
// connection's, or an earlier write of ours had been stored unanswered.
func (t *Table) leaveChecked(p *place, stored broker.Stored, err error, now time.Time) {
	l := p.busy.leaving
	ours := t.wroteSince(stored.Record, l.epoch)
	switch {
	case err == nil && ours && stored.Revision != p.revision:
		p.revision = stored.Revision
		l.raise(stored.Record.Epoch)
	case errors.Is(err, broker.ErrRecord) || (err == nil && !ours):
		l.write = false
	default:
		t.backOff(p, now)
	}
}

// raise notes the epoch that is stored by now: a record's never falls.
func (l *leaving) raise(epoch uint64) {
	if l.epoch = max(l.epoch, epoch); l.record != nil {
		l.record.Epoch = l.epoch
	}
}
