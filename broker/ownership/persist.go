package ownership

import (
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// persist is a record that a connection wants written.
type persist struct {
	record *broker.Record
	token  uint32
}

// Persist writes the record of a session that was entered; a Persisted effect
// with token answers. One at a time for each seat. The table sets Owner, Epoch
// and Willed; the record is the table's until the answer.
func (t *Table) Persist(s *Seat, r *broker.Record, token uint32, now time.Time) {
	switch {
	case s.gone || s.claim != nil:
		return
	case s.fenced:
		t.emit(Effect{Kind: Persisted, Seat: s, Token: token, Err: broker.ErrConflict})
		return
	}
	r.Owner, r.Epoch, r.Willed = t.cfg.Instance, s.place.epoch, s.willed
	s.place.stir().persist = &persist{record: r, token: token}
	t.advance(s.place, now)
}

// Disown takes the will of a session that was entered out of the store, however
// often that has to be tried: it is not to be published any more.
func (t *Table) Disown(s *Seat, now time.Time) {
	if s.gone || s.claim != nil || !s.willed {
		return
	}
	s.place.stir().disown = true
	t.advance(s.place, now)
}

// writeNext writes what the session's holder wants written.
func (t *Table) writeNext(p *place) bool {
	switch w := p.busy.persist; {
	case p.busy.disown:
		t.operate(p, forDisown, Effect{Kind: DropWill, Instance: t.cfg.Instance})
	case w != nil:
		t.operate(p, forPersist, Effect{Kind: Save, Record: w.record, Revision: p.revision})
	}
	return false
}

// disowned: if the connection has ended meanwhile, its end sees to the will.
func (t *Table) disowned(p *place, err error, now time.Time) {
	s := p.holder()
	switch {
	case !p.busy.disown || s == nil:
	case err != nil:
		t.backOff(p, now)
	default:
		s.willed, p.busy.disown, p.busy.tries = false, false, 0
	}
}

func (t *Table) persistWritten(p *place, revision uint64, err error) {
	switch {
	case err == nil:
		p.revision = revision
		t.persisted(p, nil)
	case p.busy.persist == nil: // the connection has ended; its last record finds out
	case errors.Is(err, broker.ErrConflict):
		t.operate(p, forPersist, Effect{Kind: Load})
	default:
		t.persisted(p, err)
	}
}

// persistChecked: a write was refused. Either the record is another
// connection's, or an earlier write of ours had been stored unanswered.
func (t *Table) persistChecked(p *place, stored broker.Stored, err error) {
	s := p.holder()
	switch {
	case p.busy.persist == nil || s == nil:
	case err != nil:
		t.persisted(p, err)
	case !t.wrote(stored.Record, p.epoch):
		s.fenced = true
		t.persisted(p, broker.ErrConflict)
	case stored.Revision == p.revision: // a reader behind the writer
		t.persisted(p, broker.ErrUnavailable)
	default:
		p.revision = stored.Revision
	}
}

func (t *Table) persisted(p *place, err error) {
	if w, s := p.busy.persist, p.holder(); w != nil && s != nil {
		t.emit(Effect{Kind: Persisted, Seat: s, Token: w.token, Err: err})
	}
	p.busy.persist = nil
}
