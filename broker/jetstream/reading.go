package jetstream

import (
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// readingAhead is how many positions a reading notes for its next queries.
const readingAhead = 4096

// reading is one query that is answered by a sweep, and afterwards what was
// found for the query that goes on from its answer. Everything in it is guarded
// by the sweep's lock.
type reading struct {
	filters  []string
	key      uint64  // of filters and after, when it is kept
	after    uint64  // what lies up to it was returned
	upTo     uint64  // this far the log was looked at
	ahead    []place // all that matches in (after, upTo]
	bytes    int     // sum of their sizes
	full     bool    // takes no more, so that upTo stays
	attached bool    // to the pass
	loading  bool    // messages are fetched for fn

	// Of whoever waits; fn is nil when nobody does.
	fn    func(broker.Page, error)
	limit int
	asked time.Time
	used  time.Time // when it was answered
}

// place is a message that was found: its position, and its size so that a page
// can be bounded.
type place uint64

const (
	sizeBits = 16
	sizeUnit = 32 // bytes, rounded up: up to 2 MiB
)

func placeOf(seq uint64, size int) place {
	units := min((size+sizeUnit-1)/sizeUnit, 1<<sizeBits-1)
	return place(seq<<sizeBits | uint64(units)) //nolint:gosec // not negative
}

func (p place) seq() uint64 { return uint64(p >> sizeBits) }

func (p place) size() int { return int(p&(1<<sizeBits-1)) * sizeUnit }

// maxPlaces bounds what all readings of a bus note ahead to 8 MiB. A reading
// that is left without room is looked up anew.
const maxPlaces = 1 << 20

// waits reports whether the pass has to go on for r.
func (r *reading) waits() bool { return r.fn != nil && !r.loading }

// enough reports whether what was found fills the page that is waited for.
func (r *reading) enough() bool { return len(r.ahead) >= r.limit || r.bytes >= pageBytes }

// take notes a match. Whoever waits gets a page, so that everybody gets on.
func (r *reading) take(p place, places *atomic.Int64) {
	switch {
	case r.full:
	case len(r.ahead) >= readingAhead || places.Load() >= maxPlaces && (!r.waits() || r.enough()):
		r.full, r.upTo = true, max(r.upTo, p.seq()-1)
	default:
		r.upTo = p.seq()
		r.ahead = append(r.ahead, p)
		r.bytes += p.size()
		places.Add(1)
	}
}

// next are the positions that make the next page.
func (r *reading) next() []uint64 {
	seqs := make([]uint64, 0, min(r.limit, len(r.ahead)))
	bytes := 0
	for _, p := range r.ahead[:min(r.limit, len(r.ahead))] {
		seqs = append(seqs, p.seq())
		if bytes += p.size(); bytes >= pageBytes {
			break
		}
	}
	return seqs
}

// pass goes over the first n positions, which are returned to whoever waits,
// and says up to where everything is known.
func (r *reading) pass(n int, places *atomic.Int64) uint64 {
	for _, p := range r.ahead[:n] {
		r.after = p.seq()
		r.bytes -= p.size()
	}
	if r.ahead = r.ahead[n:]; len(r.ahead) == 0 {
		r.ahead, r.after = nil, r.upTo
	}
	places.Add(-int64(n))
	return r.after
}

// drop gives back what r holds.
func (r *reading) drop(places *atomic.Int64) {
	places.Add(-int64(len(r.ahead)))
	r.ahead, r.bytes = nil, 0
}
