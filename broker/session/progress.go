package session

import (
	"slices"
	"time"
)

// progress is how far a session has come in its shard of the log: everything
// up to the floor is done, and so are the acknowledged sequences above it.
type progress struct {
	floor uint64
	since time.Time // no message above the floor is older
	acked []uint64  // rising
	// newest is the highest sequence that came live and was taken.
	newest uint64
}

// done reports whether the message at seq was acknowledged.
func (p *progress) done(seq uint64) bool {
	if seq <= p.floor {
		return true
	}
	_, found := slices.BinarySearch(p.acked, seq)
	return found
}

// ack notes an acknowledgement. They come nearly in order.
func (p *progress) ack(seq uint64) {
	if seq <= p.floor {
		return
	}
	if n := len(p.acked); n == 0 || p.acked[n-1] < seq {
		p.acked = append(p.acked, seq)
		return
	}
	if i, found := slices.BinarySearch(p.acked, seq); !found {
		p.acked = slices.Insert(p.acked, i, seq)
	}
}

// rise lifts the floor; it never falls.
func (p *progress) rise(floor uint64, since time.Time) {
	if floor <= p.floor {
		return
	}
	p.floor, p.since = floor, since
	i, _ := slices.BinarySearch(p.acked, floor+1)
	p.acked = slices.Delete(p.acked, 0, i)
}

func (p *progress) release() {
	if len(p.acked) == 0 {
		p.acked = nil
	}
}

// settleFloor lifts the floor as far as upTo, up to which the log holds nothing
// for the session but what it has, and below what is not acknowledged.
func (s *Session) settleFloor(upTo uint64, now time.Time) {
	since := now
	if seq, at, ok := s.flights.lowest(); ok && seq <= upTo {
		upTo, since = seq-1, time.UnixMilli(int64(at)) //nolint:gosec // a ULID's time has 48 bits
	}
	s.progress.rise(upTo, since)
}
