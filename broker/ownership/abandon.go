package ownership

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// Abandon says that a connection has ended which did not get its session. If
// the table has emitted Enter for it already, the driver has to call Close when
// it sees that, with what Unused makes of the record.
func (t *Table) Abandon(s *Seat, now time.Time) {
	if s.gone || s.claim == nil {
		return
	}
	t.drop(s)
	t.advance(s.place, now)
}

// Unused is the record of an Enter that came too late, to be given to Close.
func Unused(r *broker.Record, now time.Time) *broker.Record {
	if r == nil {
		return nil
	}
	out := *r
	if out.Expires.IsZero() && out.Expiry > 0 {
		out.Expires = now.Add(out.Expiry)
	}
	return &out
}

func (t *Table) refuse(s *Seat, err error) {
	t.emit(Effect{Kind: Refuse, Seat: s, Key: s.place.key, Err: err})
	t.drop(s)
}

// drop takes a seat out of the row that has not entered. What it has stored is
// put back as it was.
func (t *Table) drop(s *Seat) {
	p, c, first := s.place, s.claim, s.place.first == s
	c.willed = s.willed
	t.unseat(s)
	t.unclaim(p, s.number)
	b := p.stir()
	waits := first && b.number != 0 && b.why == forClaim && b.orphan == nil
	switch {
	case waits && b.kind != Ask:
		b.orphan = c
	case first:
		if waits {
			b.number = 0 // nobody cares for what the former owner says
		}
		t.resolve(p, c)
	}
}

// resolve puts back what a claim has stored that came to nothing.
func (t *Table) resolve(p *place, c *claim) {
	b := p.busy
	if (!c.written && !c.doubtful) || b.leaving != nil { // what was left before is still to be saved
		return
	}
	if !c.written {
		p.revision = c.stored.Revision
	}
	t.depart(p, &leaving{
		epoch: c.epoch, settled: true, write: c.Durable, willed: c.willed, record: c.record, unused: c.record != nil,
	})
}
