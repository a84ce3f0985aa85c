package broker

import "slices"

// Generation is one life of a shard of the log. After a power loss or a restore
// the log may have lost its end, and gives those sequences out again: a
// generation begins with every start.
type Generation struct {
	// Number rises from 1.
	Number uint64
	// Start is the last sequence that the log had when the generation began.
	Start uint64
}

// Renew makes a record of the log's present generation. Sequences that lie above
// the beginning of a later generation than the record's name other messages by
// now, or will: the floor and the starts of subscriptions are cut to it, what
// was acknowledged above it is owed again, and what was on its way is gone. It
// reports whether anything had to be cut. The generations may be in any order;
// they must reach back to the record's own.
func (r *Record) Renew(generations []Generation) bool {
	cut, newest := ^uint64(0), r.Generation
	for _, g := range generations {
		if g.Number > r.Generation {
			cut = min(cut, g.Start)
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
