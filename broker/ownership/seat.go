package ownership

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// Seat is one connection's place in the row of a session key, from Connect
// until Refuse, Abandon or Close.
type Seat struct {
	// Conn is the driver's connection.
	Conn any

	place   *place
	next    *Seat // newer
	number  uint64
	claim   *claim // until Enter
	durable bool
	willed  bool // the store has its will
	evicted bool
	fenced  bool // the record is another connection's
	gone    bool
}

// claim is what a connection does to get its session.
type claim struct {
	Request
	step     step
	numbered bool   // the claim was answered
	former   string // instance that held the key before
	limit    time.Time

	stored     broker.Stored  // before we wrote
	record     *broker.Record // what is taken over
	asked      string         // whom, for which epoch, until when
	askedEpoch uint64
	asks       int
	askLimit   time.Time
	epoch      uint64 // that we write
	above      uint64 // the highest that was ever found stored
	conflicted bool   // another has written since we read
	willed     bool   // our will may be stored, and nobody is there for it
	reload     bool   // what was handed over here may not be what is stored
	doubtful   bool   // a write of ours may have been stored
	written    bool   // a write of ours is stored
}

// step is what a claim does next.
type step uint8

const (
	stepLoad step = iota
	stepAsk
	stepWrite
	stepOldWill
	stepNewWill
	stepEnter
)

// place is a session key with its row of seats. The first holds the session or
// is about to; the others wait for it.
type place struct {
	key      string
	hash     uint64
	chain    *place
	first    *Seat
	last     *Seat
	revision uint64 // of the record that this instance has written
	epoch    uint64 // of the seat that holds the session, or held it last
	busy     *busy
}

// busy is what a place has only while something is under way.
type busy struct {
	number  uint32 // of the operation that waits for its answer; 0: none
	kind    Kind   // of that one
	why     purpose
	orphan  *claim // whose seat is gone, of the operation under way
	leaving *leaving
	persist *persist
	disown  bool // the holder's will is to go from the store
	tickets []uint64
	tries   uint8
	retry   time.Time // not before; zero: at once
	due     time.Time // when the place is woken; zero: never
	index   int       // among the wakes, plus one; 0: not there
}

// purpose is who an operation is for.
type purpose uint8

const (
	forClaim purpose = iota
	forPersist
	forDisown
	forLeaving
)

// holder is the seat that holds the session, nil if none does.
func (p *place) holder() *Seat {
	if p.first != nil && p.first.claim == nil {
		return p.first
	}
	return nil
}

func (p *place) stir() *busy {
	if p.busy == nil {
		p.busy = new(busy)
	}
	return p.busy
}

func (b *busy) idle() bool {
	return b.number == 0 && b.leaving == nil && b.persist == nil && !b.disown && b.orphan == nil && len(b.tickets) == 0
}

func (t *Table) find(key string) *place {
	p := t.places[Hash(key)]
	for p != nil && p.key != key {
		p = p.chain
	}
	return p
}

func (t *Table) place(key string) *place {
	if p := t.find(key); p != nil {
		return p
	}
	hash := Hash(key)
	p := &place{key: key, hash: hash, chain: t.places[hash]}
	t.places[hash] = p
	return p
}

// forget removes a place that nobody holds, wants or has left unsaved.
func (t *Table) forget(p *place) {
	t.wakes.remove(p)
	p.busy = nil
	head := t.places[p.hash]
	switch {
	case head == p && p.chain == nil:
		delete(t.places, p.hash)
	case head == p:
		t.places[p.hash] = p.chain
	default:
		for head != nil && head.chain != p {
			head = head.chain
		}
		if head != nil {
			head.chain = p.chain
		}
	}
	p.chain = nil
}

// seat appends a connection to the row.
func (t *Table) seat(p *place, s *Seat) {
	s.place = p
	if p.last == nil {
		p.first = s
	} else {
		p.last.next = s
	}
	p.last = s
	t.seats++
}

// unseat takes a seat out of the row. Its claim on the key goes with it, unless
// somebody else here has a newer one.
func (t *Table) unseat(s *Seat) {
	p := s.place
	var before *Seat
	for at := p.first; at != s; at = at.next {
		before = at
	}
	if before == nil {
		p.first = s.next
	} else {
		before.next = s.next
	}
	if p.last == s {
		p.last = before
	}
	s.next, s.gone = nil, true
	t.seats--
}

func (t *Table) unclaim(p *place, number uint64) {
	if number != 0 && p.first == nil {
		t.emit(Effect{Kind: Unclaim, Key: p.key, Number: number})
	}
}

// evict ends a connection whose session is another's.
func (t *Table) evict(s *Seat) {
	if !s.evicted {
		s.evicted = true
		t.emit(Effect{Kind: Evict, Seat: s})
	}
}
