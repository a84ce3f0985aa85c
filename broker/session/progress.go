package session

import (
	"slices"
	"time"
)

// progress is how far a session has come in its shard of the log: everything
// up to the floor is done, and so are the acknowledged sequences above it.
type progress struct {
	floor  uint64
	since  instant  // no message above the floor is older
	acked  []uint64 // rising
	newest uint64   // the highest that came live and was taken
	heard  uint64   // the highest that the session has heard of
	begun  uint64   // the latest Start of a subscription
	early  uint64   // the highest that came before its subscription had begun, and too early
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

// rise lifts the floor; it never falls, and it may be known anew.
func (p *progress) rise(floor uint64, since instant) {
	if floor <= p.floor {
		if floor == p.floor {
			p.since = max(p.since, since)
		}
		return
	}
	p.floor, p.since = floor, max(p.since, since)
	i, _ := slices.BinarySearch(p.acked, floor+1)
	p.acked = slices.Delete(p.acked, 0, i)
}

// maxAcked bounds the acknowledgements above the floor, 512 KiB of them: a
// client that acknowledges so many and leaves an older message out will never
// do it.
const maxAcked = 1 << 16

func (p *progress) release() {
	if len(p.acked) == 0 {
		p.acked = nil
	}
}

// settleFloor lifts the floor as far as upTo, up to which the log holds nothing
// for the session but what it has, and below what is not acknowledged. Nothing
// above upTo is older than since.
func (s *Session) settleFloor(upTo uint64, since instant) {
	if seq, ms, ok := s.flights.lowest(s.progress.floor); ok && seq <= upTo {
		upTo, since = seq-1, min(since, at(time.UnixMilli(int64(ms)))) //nolint:gosec // a ULID's time has 48 bits
	}
	s.progress.rise(upTo, since)
}
