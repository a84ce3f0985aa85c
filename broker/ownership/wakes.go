package ownership

import (
	"container/heap"
	"time"
)

// wakes are the places that something is due for, the next one first.
type wakes []*place

// Len, Less, Swap, Push and Pop are those of heap.Interface.
func (w wakes) Len() int           { return len(w) }
func (w wakes) Less(i, j int) bool { return w[i].busy.due.Before(w[j].busy.due) }
func (w wakes) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].busy.index, w[j].busy.index = i+1, j+1
}

// Push adds a place.
func (w *wakes) Push(x any) {
	if p, ok := x.(*place); ok {
		*w = append(*w, p)
		p.busy.index = len(*w)
	}
}

// Pop removes the last place.
func (w *wakes) Pop() any {
	old := *w
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	p.busy.index = 0
	return p
}

// set has a place woken at due, and no more at any other time; zero is never.
func (w *wakes) set(p *place, due time.Time) {
	b := p.busy
	switch {
	case due.IsZero():
		w.remove(p)
	case b.index == 0:
		b.due = due
		heap.Push(w, p)
	case !due.Equal(b.due):
		b.due = due
		heap.Fix(w, b.index-1)
	}
}

func (w *wakes) remove(p *place) {
	if p.busy != nil && p.busy.index != 0 {
		heap.Remove(w, p.busy.index-1)
		p.busy.due = time.Time{}
	}
}

// earliest is the earlier of two times, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// passed reports whether t is over at now; zero never is.
func passed(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// Deadline is when Tick has something to do; zero is never.
func (t *Table) Deadline() time.Time {
	if len(t.wakes) == 0 {
		return t.assert
	}
	return earliest(t.assert, t.wakes[0].busy.due)
}

// Tick does what is due at now.
func (t *Table) Tick(now time.Time) {
	for len(t.wakes) > 0 && passed(t.wakes[0].busy.due, now) {
		p := t.wakes[0]
		t.wakes.remove(p)
		t.impatient(p, now)
		t.advance(p, now)
	}
	if passed(t.assert, now) {
		t.assertAll(now)
	}
}

// schedule has a place woken when the first of what it waits for is due.
func (t *Table) schedule(p *place) {
	b := p.busy
	due := b.retry
	for s := p.first; s != nil; s = s.next {
		if c := s.claim; c != nil && !s.evicted {
			due = earliest(due, c.limit)
			if b.number != 0 && b.kind == Ask && s == p.first {
				due = earliest(due, c.askLimit)
			}
		}
	}
	if b.leaving != nil && !b.leaving.settled {
		due = earliest(due, b.leaving.limit)
	}
	t.wakes.set(p, due)
}

// impatient gives up what has waited too long.
func (t *Table) impatient(p *place, now time.Time) {
	for s := p.first; s != nil; {
		next := s.next
		if c := s.claim; c != nil && !s.evicted && passed(c.limit, now) {
			t.refuse(s, errPatience)
		}
		s = next
	}
	b := p.busy
	if b.number != 0 && b.kind == Ask && p.first != nil && p.first.claim != nil && passed(p.first.claim.askLimit, now) {
		b.number = 0
		p.first.claim.step = stepLoad
	}
	if l := b.leaving; l != nil && passed(l.limit, now) {
		l.settled = true
	}
}

// backOff lets a place wait before it tries again: from a quarter of a second
// to eight, and by chance half as much more.
func (t *Table) backOff(p *place, now time.Time) {
	b := p.busy
	delay := firstRetry << b.tries
	b.tries = min(b.tries+1, retryDoublings)
	b.retry = now.Add(delay + time.Duration(t.random.Int64N(int64(delay/2)+1)))
}

const (
	firstRetry     = 250 * time.Millisecond
	retryDoublings = 5
)
