package ownership

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// operate emits an effect that is answered, and is the only one of its place
// until then.
func (t *Table) operate(p *place, why purpose, e Effect) {
	t.operation++
	if t.operation == 0 {
		t.operation++
	}
	b := p.busy
	b.number, b.kind, b.why, b.retry = t.operation, e.Kind, why, time.Time{}
	if why == forClaim {
		e.Seat = p.first
	}
	e.Op = Op{place: p, number: t.operation}
	if e.Key == "" {
		e.Key = p.key
	}
	t.emit(e)
}

// answered finds what an answer is for; nil if nobody waits for it any more.
func (t *Table) answered(op Op) *busy {
	if op.place == nil || op.place.busy == nil || op.number == 0 || op.place.busy.number != op.number {
		return nil
	}
	b := op.place.busy
	b.number = 0
	return b
}

// advance does the next thing for a place, until it has to wait for something.
func (t *Table) advance(p *place, now time.Time) {
	p.stir()
	for t.next(p, now) {
	}
	switch b := p.busy; {
	case b == nil: // forgotten
	case b.idle() && p.holder() != nil && p.holder().next == nil:
		t.wakes.remove(p)
		p.busy = nil
	default:
		t.schedule(p)
	}
}

// next does one thing and reports whether there may be another.
func (t *Table) next(p *place, now time.Time) bool {
	b := p.busy
	if b.number != 0 || (!b.retry.IsZero() && now.Before(b.retry)) {
		return false
	}
	b.retry = time.Time{}
	switch s := p.first; {
	case b.leaving != nil && !t.handsOver(p):
		return t.leave(p, now)
	case s == nil:
		t.answerAll(p)
		t.forget(p)
		return false
	case s.claim == nil:
		return t.writeNext(p)
	default:
		return t.admit(p, s, now)
	}
}

// admit lets the first seat pursue its claim, unless others want the session
// back that it has just taken.
func (t *Table) admit(p *place, s *Seat, now time.Time) bool {
	written := s.claim.written
	if written && len(p.busy.tickets) > 0 {
		t.evict(s)
	}
	if !written { // else its end puts the session back first
		t.answerAll(p)
	}
	return !s.evicted && s.claim.numbered && t.pursue(p, s, now)
}

// answerAll tells whoever asked that nobody here holds the session.
func (t *Table) answerAll(p *place) {
	for _, ticket := range p.busy.tickets {
		t.emit(Effect{Kind: Answer, Key: p.key, Ticket: ticket})
	}
	p.busy.tickets = nil
}

// Loaded answers a Load effect.
func (t *Table) Loaded(op Op, stored broker.Stored, err error, now time.Time) {
	b := t.answered(op)
	if b == nil {
		return
	}
	switch p := op.place; b.why {
	case forClaim:
		t.claimLoaded(p, stored, err, now)
	case forPersist:
		t.persistChecked(p, stored, err)
	case forDisown: // it loads nothing
	case forLeaving:
		t.leaveChecked(p, stored, err, now)
	}
	t.advance(op.place, now)
}

// Saved answers a Save and a PutWill effect with the new revision.
func (t *Table) Saved(op Op, revision uint64, err error, now time.Time) {
	b := t.answered(op)
	if b == nil {
		return
	}
	switch p := op.place; {
	case b.why == forClaim && b.kind == PutWill:
		t.claimWilled(p, revision, err, now)
	case b.why == forClaim:
		t.claimWritten(p, revision, err, now)
	case b.why == forPersist:
		t.persistWritten(p, revision, err)
	case b.kind == PutWill:
		t.leaveWilled(p, revision, err, now)
	default:
		t.leaveWritten(p, revision, err, now)
	}
	t.advance(op.place, now)
}

// Done answers an Ask, Erase, DropWill and RouseWill effect.
func (t *Table) Done(op Op, err error, now time.Time) {
	b := t.answered(op)
	if b == nil {
		return
	}
	switch p := op.place; {
	case b.why == forClaim && b.kind == Erase:
		t.claimWritten(p, 0, err, now)
	case b.why == forClaim && b.kind == Ask:
		t.claimAnswered(p)
	case b.why == forClaim:
		t.claimUnwilled(p, err, now)
	case b.why == forDisown:
		t.disowned(p, err, now)
	case b.kind == Erase:
		t.leaveWritten(p, 0, err, now)
	default:
		t.leaveUnwilled(p, err, now)
	}
	t.advance(op.place, now)
}
