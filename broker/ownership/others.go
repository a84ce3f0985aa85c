package ownership

import (
	"cmp"
	"slices"
	"time"
)

// Asked hears that another instance wants the session of key. Whoever holds it
// is evicted, and Answer with ticket follows when the session is free: at once
// if nobody here has it.
func (t *Table) Asked(key string, ticket uint64, now time.Time) {
	p := t.find(key)
	if p == nil {
		t.emit(Effect{Kind: Answer, Key: key, Ticket: ticket})
		return
	}
	b := p.stir()
	b.tickets = append(b.tickets, ticket)
	if s := p.holder(); s != nil {
		t.evict(s)
	}
	t.advance(p, now)
}

// Heard hears that an instance holds key with epoch. The lower epoch ends.
func (t *Table) Heard(instance, key string, epoch uint64, now time.Time) {
	p := t.find(key)
	if p == nil || instance == t.cfg.Instance {
		return
	}
	if s := p.holder(); s != nil {
		if t.outranks(instance, epoch, p.epoch) {
			t.evict(s)
		} else {
			t.emit(Effect{Kind: Announce, Key: key, Epoch: p.epoch})
		}
	}
}

// HeardAll hears what an instance holds; the keys of claims are not looked at.
// Who holds the same session says so, whichever of the two has to end.
func (t *Table) HeardAll(instance string, claims []Assertion, _ time.Time) {
	if instance == t.cfg.Instance {
		return
	}
	for _, c := range claims {
		for p := t.places[c.Hash]; p != nil; p = p.chain {
			if p.holder() != nil {
				t.emit(Effect{Kind: Announce, Key: p.key, Epoch: p.epoch})
			}
		}
	}
}

// assertAll says what is held here, in batches, and when to do so again: at
// other times than the other nodes.
func (t *Table) assertAll(now time.Time) {
	var held []Assertion
	for hash, p := range t.places {
		for ; p != nil; p = p.chain {
			if p.holder() != nil {
				held = append(held, Assertion{Hash: hash, Epoch: p.epoch, Key: p.key})
			}
		}
	}
	slices.SortFunc(held, func(a, b Assertion) int { // so that a run can be repeated
		return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.Key, b.Key))
	})
	for batch := range slices.Chunk(held, assertionBatch) {
		t.emit(Effect{Kind: Assert, Claims: batch})
	}
	every := int64(t.cfg.AssertEvery)
	t.assert = now.Add(time.Duration(every*3/4 + t.random.Int64N(every/2)))
}

// assertionBatch is how many sessions one message tells of: 32 KiB.
const assertionBatch = 2_048
