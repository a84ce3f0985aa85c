package sim

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// store is the model of the buckets of records and wills: compare-and-set, with
// requests and answers that are lost and reads that are late.
type store struct {
	w        *world
	revision uint64
	records  map[string]*cell
	wills    []*broker.Will
	leases   []broker.Lease
}

// cell is a key of the bucket of records, with what it was before, which a
// replica may still say.
type cell struct {
	now, old broker.Stored
}

func newStore(w *world) *store { return &store{w: w, records: map[string]*cell{}} }

func (s *store) cell(key string) *cell {
	c := s.records[key]
	if c == nil {
		c = new(cell)
		s.records[key] = c
	}
	return c
}

// load reads a record, which a stale reader sees as it was.
func (s *store) load(key string, stale bool) broker.Stored {
	c := s.cell(key)
	found := c.now
	if stale && c.old.Revision != 0 {
		found = c.old
	}
	if r := found.Record; r != nil {
		if !r.Expires.IsZero() && !epoch.Add(s.w.now).Before(r.Expires) {
			return broker.Stored{Revision: found.Revision}
		}
		found.Record = clone(r)
	}
	return found
}

// save writes a record, nil to erase it, if what is there has the revision.
func (s *store) save(key string, r *broker.Record, revision uint64) (uint64, error) {
	c := s.cell(key)
	if c.now.Revision != revision && (revision != 0 || s.load(key, false).Record != nil) {
		return 0, broker.ErrConflict
	}
	s.w.oracle.saved(key, c.now.Record, r)
	s.revision++
	c.old = c.now
	c.now = broker.Stored{Record: clone(r), Revision: s.revision}
	return s.revision, nil
}

func (s *store) findWill(instance, key string) int {
	return slices.IndexFunc(s.wills, func(w *broker.Will) bool { return w.Instance == instance && w.Key == key })
}

func (s *store) putWill(w *broker.Will) uint64 {
	s.revision++
	kept := *w
	kept.Revision = s.revision
	if i := s.findWill(w.Instance, w.Key); i >= 0 {
		s.wills[i] = &kept
	} else {
		s.wills = append(s.wills, &kept)
	}
	return s.revision
}

// dropWill removes a will; revision 0 is any. One that is not there is as good
// as removed.
func (s *store) dropWill(instance, key string, revision uint64) error {
	i := s.findWill(instance, key)
	if i < 0 {
		return nil
	}
	if revision != 0 && s.wills[i].Revision != revision {
		return broker.ErrConflict
	}
	s.wills = slices.Delete(s.wills, i, i+1)
	return nil
}

// clone is what becomes of a record that is written and read.
func clone(r *broker.Record) *broker.Record {
	if r == nil {
		return nil
	}
	c := *r
	c.FloorTime = c.FloorTime.Truncate(time.Millisecond)
	c.Subscriptions, c.Acked, c.Inflight = slices.Clone(r.Subscriptions), slices.Clone(r.Acked), slices.Clone(r.Inflight)
	c.Received, c.Publishing = slices.Clone(r.Received), slices.Clone(r.Publishing)
	return &c
}

// storePatience is how long a node waits for an answer of the store.
const storePatience = 2 * time.Second

// request has work done at the store, and then answer here. Without an answer
// in time it says that there is none; the work may be done, or still to come: a
// compare-and-set does no harm then.
func (n *node) request(work func(), answer func(err error)) {
	n.requestIn(3*storePatience, work, answer)
}

// requestIn is request for work that is done by most, or not at all.
func (n *node) requestIn(most time.Duration, work func(), answer func(err error)) {
	w, answered := n.w, false
	reply := func(err error) {
		if !answered {
			answered = true
			answer(err)
		}
	}
	life := n.life
	n.after(storePatience, func() { reply(broker.ErrUnavailable) })
	if !n.reaches() || w.faults.lost(w) {
		return
	}
	delay := w.short(w.faults.delay)
	if w.faults.lost(w) && most > storePatience {
		delay = w.between(storePatience, most) // later than anybody waits
	}
	w.after(delay, func() {
		if w.faults.outage {
			return
		}
		work()
		n.afterIn(life, w.short(w.faults.delay), func() {
			if n.reaches() && !w.faults.lost(w) {
				reply(nil)
			}
		})
	})
}
