package jetstream

import "github.com/oklog/ulid/v2"

// seenMessages is the size of one generation: the copies of a message arrive
// right after one another, so a few would do.
const seenMessages = 4096

// seen remembers the last messages: one to two generations of them, so that
// neither memory nor time grows.
type seen struct {
	young, old map[ulid.ULID]struct{}
	size       int // of a generation
}

func newSeen(size int) seen {
	return seen{
		young: make(map[ulid.ULID]struct{}, size),
		old:   make(map[ulid.ULID]struct{}, size),
		size:  size,
	}
}

// add reports whether id is new.
func (s *seen) add(id ulid.ULID) bool {
	if _, ok := s.young[id]; ok {
		return false
	}
	if _, ok := s.old[id]; ok {
		return false
	}
	if len(s.young) >= s.size {
		s.young, s.old = s.old, s.young
		clear(s.young)
	}
	s.young[id] = struct{}{}
	return true
}
