package ownership

import (
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// errPatience is what a connection is told that waited too long.
var errPatience = broker.ErrUnavailable

// Connect gives key to a new connection, conn: earlier ones are evicted
// [MQTT-3.1.4-2] [MQTT-3.1.4-3]. Enter or Refuse follows, unless Abandon comes
// first.
func (t *Table) Connect(key string, r Request, conn any, now time.Time) *Seat {
	p := t.place(key)
	s := &Seat{Conn: conn, durable: r.Durable, claim: &claim{Request: r, limit: now.Add(t.cfg.Patience)}}
	if p.last != nil {
		t.evict(p.last)
	}
	t.seat(p, s)
	if b := p.busy; b != nil {
		b.retry, b.tries = time.Time{}, 0 // somebody waits for it now
	}
	if t.assert.IsZero() && !t.cfg.Alone {
		t.assert = now.Add(time.Duration(t.random.Int64N(int64(t.cfg.AssertEvery))))
	}
	t.emit(Effect{Kind: Claim, Seat: s, Key: key})
	t.advance(p, now)
	return s
}

// Claimed answers a Claim effect: the claim's number and the instance that held
// the key before, if there is one that lives; or err.
func (t *Table) Claimed(s *Seat, number uint64, former string, err error, now time.Time) {
	if s.gone || s.claim == nil || s.claim.numbered {
		if s.gone && err == nil {
			t.unclaim(s.place, number)
		}
		return
	}
	if err != nil {
		t.refuse(s, err)
	} else {
		s.number, s.claim.numbered = number, true
		if former != t.cfg.Instance {
			s.claim.former = former
		}
	}
	t.advance(s.place, now)
}

// pursue takes the next step of the first seat's claim and reports whether it
// can go on at once.
func (t *Table) pursue(p *place, s *Seat, now time.Time) bool {
	c := s.claim
	switch c.step {
	case stepLoad:
		if l := p.busy.leaving; l != nil && !c.reload {
			c.stored, c.step = broker.Stored{Record: l.record, Revision: p.revision}, stepWrite
			return true
		}
		t.operate(p, forClaim, Effect{Kind: Load})
		return false
	case stepAsk:
		return t.ask(p, s, now)
	case stepWrite:
		return t.take(p, s, now)
	case stepOldWill:
		return t.dismiss(p, c)
	case stepNewWill:
		return t.entrust(p, s)
	default:
		t.enter(p, s)
		return true
	}
}

// ask has the former owner put the session away, once for each of its epochs
// and not without end: whoever does not answer is fenced by what follows.
func (t *Table) ask(p *place, s *Seat, now time.Time) bool {
	c := s.claim
	instance, epoch := c.owner(t.cfg.Instance)
	if t.cfg.Alone || instance == "" || (instance == c.asked && epoch == c.askedEpoch) || c.asks == maxAsks {
		c.step = stepWrite
		return true
	}
	c.asks++
	c.former, c.asked, c.askedEpoch, c.askLimit = "", instance, epoch, now.Add(t.cfg.Handover)
	t.operate(p, forClaim, Effect{Kind: Ask, Instance: instance, Number: s.number})
	return false
}

// maxAsks leaves some of a connection's patience for the rest.
const maxAsks = 3

// owner is the other instance that may still hold the session.
func (c *claim) owner(self string) (instance string, epoch uint64) {
	if r := c.stored.Record; r != nil && r.Expires.IsZero() && r.Owner != self {
		return r.Owner, r.Epoch
	}
	return c.former, 0
}

// claimAnswered: the former owner has put the session away, so that it must be
// read again.
func (t *Table) claimAnswered(p *place) {
	if c := t.claimant(p); c != nil {
		c.step = stepLoad
	}
}

// claimant is the claim that an answer is for. One whose seat is gone is
// settled, and nil.
func (t *Table) claimant(p *place) *claim {
	b := p.busy
	if c := b.orphan; c != nil {
		b.orphan = nil
		t.resolve(p, c)
		return nil
	}
	return p.first.claim
}

func (t *Table) claimLoaded(p *place, stored broker.Stored, err error, now time.Time) {
	c := t.claimant(p)
	switch {
	case c == nil:
	case errors.Is(err, broker.ErrRecord):
		t.refuse(p.first, err)
	case err != nil:
		t.backOff(p, now)
	default:
		t.found(p, c, stored)
	}
}

// found decides what a claim makes of what is stored.
func (t *Table) found(p *place, c *claim, stored broker.Stored) {
	r, l := stored.Record, p.busy.leaving
	if r != nil {
		c.above = max(c.above, r.Epoch)
	}
	switch {
	case c.epoch != 0 && t.wrote(r, c.epoch): // the answer was lost, not the write
		t.taken(p, c, stored.Revision)
	case l != nil && t.wroteSince(r, l.epoch): // what was left here is newer than what is stored
		p.revision = stored.Revision
		l.raise(r.Epoch)
		c.stored, c.step = broker.Stored{Record: l.record, Revision: stored.Revision}, stepWrite
	case c.conflicted && t.beaten(p.first.number, c, r):
		t.refuse(p.first, broker.ErrConflict)
	default:
		if l != nil {
			t.left(p) // another has the session by now
		}
		c.doubtful = c.doubtful && stored.Revision == c.stored.Revision // it may still be on its way
		c.stored, c.step = stored, stepAsk
	}
}

// beaten reports whether another node's connection, which came at the same time,
// has the session and is the newer one.
func (t *Table) beaten(number uint64, c *claim, r *broker.Record) bool {
	return r != nil && r.Expires.IsZero() && r.Owner != t.cfg.Instance && r.Epoch > number && r.Epoch != c.askedEpoch
}

// wrote reports whether a record is the one that this instance wrote with epoch.
func (t *Table) wrote(r *broker.Record, epoch uint64) bool {
	return r != nil && r.Owner == t.cfg.Instance && r.Epoch == epoch
}

// wroteSince reports whether a record was written by this instance with epoch, or
// by a connection that came later and to nothing.
func (t *Table) wroteSince(r *broker.Record, epoch uint64) bool {
	return r != nil && r.Owner == t.cfg.Instance && r.Epoch >= epoch
}

// take makes the record this connection's, or removes it for a session that
// needs none.
func (t *Table) take(p *place, s *Seat, now time.Time) bool {
	c := s.claim
	stored := c.stored.Record
	if !c.doubtful {
		c.epoch = max(s.number, p.epoch+1, c.above+1)
	}
	p.epoch, c.record = c.epoch, nil
	if r := stored; r != nil && !r.Fresh && !c.Clean && !passed(r.Expires, now) {
		c.record = r // [MQTT-3.1.2-4] [MQTT-3.1.2-23]
	}
	if !c.Durable {
		if stored == nil {
			t.taken(p, c, c.stored.Revision)
			return true
		}
		t.operate(p, forClaim, Effect{Kind: Erase, Revision: c.stored.Revision})
		return false
	}
	var r broker.Record
	if c.record != nil {
		r = *c.record
	}
	r.Owner, r.Epoch, r.Expiry, r.Expires, r.Willed = t.cfg.Instance, c.epoch, c.Expiry, time.Time{}, c.Will != nil
	r.Fresh = c.record == nil
	t.operate(p, forClaim, Effect{Kind: Save, Record: &r, Revision: c.stored.Revision})
	return false
}

// taken notes that the session is this connection's.
func (t *Table) taken(p *place, c *claim, revision uint64) {
	if p.busy.leaving != nil {
		t.left(p)
	}
	p.revision, p.busy.tries = revision, 0
	c.written, c.doubtful, c.step = true, false, stepOldWill
}

func (t *Table) claimWritten(p *place, revision uint64, err error, now time.Time) {
	c := p.busy.orphan
	if c == nil {
		c = p.first.claim
	}
	switch {
	case err == nil:
		t.taken(p, c, revision)
	case errors.Is(err, broker.ErrConflict):
		c.conflicted, c.reload, c.step = true, true, stepLoad
	default:
		c.doubtful, c.reload, c.step = true, true, stepLoad
		t.backOff(p, now)
	}
	t.claimant(p)
}

// dismiss sees to the will that the last connection has left: the client is
// back [MQTT-3.1.3-9], or its session has ended.
func (t *Table) dismiss(p *place, c *claim) bool {
	r := c.stored.Record
	if r == nil || !r.Willed {
		c.step = stepNewWill
		return true
	}
	kind := RouseWill
	if c.record != nil {
		kind = DropWill
	}
	t.operate(p, forClaim, Effect{Kind: kind, Instance: r.Owner})
	return false
}

func (t *Table) claimUnwilled(p *place, err error, now time.Time) {
	c := t.claimant(p)
	switch {
	case c == nil:
	case err != nil:
		t.backOff(p, now)
	default:
		c.step = stepNewWill
	}
}

// entrust stores the connection's will, so that others find it.
func (t *Table) entrust(p *place, s *Seat) bool {
	w := s.claim.Will
	if w == nil {
		s.claim.step = stepEnter
		return true
	}
	w.Instance, w.Key, w.Epoch = t.cfg.Instance, p.key, s.claim.epoch
	s.willed = true // it may be stored whatever the answer is
	entrusted := *w
	if e := s.claim.Expiry; s.claim.Durable && e > 0 {
		entrusted.Delay = min(w.Delay, e) // it does not outwait the session [MQTT-3.1.3-9]
	}
	t.operate(p, forClaim, Effect{Kind: PutWill, Will: &entrusted})
	return false
}

func (t *Table) claimWilled(p *place, revision uint64, err error, now time.Time) {
	c := t.claimant(p)
	switch {
	case c == nil:
	case err != nil && !errors.Is(err, broker.ErrConflict):
		t.backOff(p, now)
	default:
		c.Will.Revision, c.step = revision, stepEnter
	}
}

// enter lets the connection in. Should another node's have come later, then
// that one says so when it hears of this one.
func (t *Table) enter(p *place, s *Seat) {
	c := s.claim
	s.claim = nil
	if !t.cfg.Alone {
		t.emit(Effect{Kind: Announce, Key: p.key, Epoch: p.epoch})
	}
	t.emit(Effect{Kind: Enter, Seat: s, Key: p.key, Epoch: p.epoch, Record: c.record})
}

// outranks reports whether another instance's epoch of a session is above one
// of ours. Sessions without a record may have equal ones.
func (t *Table) outranks(instance string, theirs, ours uint64) bool {
	return theirs > ours || (theirs == ours && instance > t.cfg.Instance)
}
