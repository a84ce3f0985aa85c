package broker

import "slices"

// Generation is a span of a shard's life in which no sequence was given out
// twice. A power loss or a restore may take the end of the log; what is then
// appended gets sequences that others had before.
type Generation struct {
	// Number rises from one generation to the next; it is about the Unix
	// milliseconds of its beginning.
	Number uint64
	// Start is the first sequence that belongs to it.
	Start uint64
}

// Renew makes a record one of the log's present generation. Sequences from the
// start of a later generation than the record's on name other messages by now,
// or will: the floor and the starts of subscriptions are cut to below it, what
// was acknowledged from there on is owed again, and what was on its way is gone.
// It reports whether anything had to be cut. The generations may be in any
// order, and must reach back to the record's own; a record of generation 0, that
// is of nobody knows which, is taken for one of the present.
func (r *Record) Renew(generations []Generation) bool {
	cut, newest := ^uint64(0), r.Generation
	for _, g := range generations {
		if r.Generation != 0 && g.Number > r.Generation {
			cut = min(cut, g.Start-1)
		}
		newest = max(newest, g.Number)
	}
	r.Generation = newest
	if cut == ^uint64(0) || r.reach() <= cut {
		return false
	}
	r.Floor = min(r.Floor, cut)
	r.Acked = slices.DeleteFunc(slices.Clone(r.Acked), func(seq uint64) bool { return seq > cut })
	r.Subscriptions = slices.Clone(r.Subscriptions)
	for i := range r.Subscriptions {
		r.Subscriptions[i].Start = min(r.Subscriptions[i].Start, cut)
	}
	r.Inflight = cutFlights(r.Inflight, cut)
	return true
}

// cutFlights takes the messages above cut off their flights. A QoS 2 exchange
// has to be completed all the same: what is left is its packet identifier.
func cutFlights(flights []Flight, cut uint64) []Flight {
	var left []Flight
	for _, f := range flights {
		if f.Seq > cut {
			if f.QoS != 2 {
				continue
			}
			f.Seq, f.Released = 0, true
		}
		left = append(left, f)
	}
	return left
}

// reach is the highest sequence that the record names.
func (r *Record) reach() uint64 {
	top := r.Floor
	if n := len(r.Acked); n > 0 {
		top = max(top, r.Acked[n-1])
	}
	for _, f := range r.Inflight {
		top = max(top, f.Seq)
	}
	for _, sub := range r.Subscriptions {
		top = max(top, sub.Start)
	}
	return top
}
