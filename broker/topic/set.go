package topic

import "slices"

// smallSet is up to how many values a set is searched one by one. Most
// filters have one subscriber, and a map would cost more than the value.
const smallSet = 16

// set holds the values at one filter: a slice, because visiting is what
// happens most, and for a large one an index beside it, because a hundred
// thousand subscribers of one broadcast may all leave at once.
type set[V comparable] struct {
	values []V
	index  map[V]int // value to its place in values; nil for a small set
}

func (s *set[V]) find(v V) int {
	if s.index == nil {
		return slices.Index(s.values, v)
	}
	if i, ok := s.index[v]; ok {
		return i
	}
	return -1
}

// add reports whether v was not there before.
func (s *set[V]) add(v V) bool {
	if s.find(v) >= 0 {
		return false
	}
	s.values = append(s.values, v)
	switch {
	case s.index != nil:
		s.index[v] = len(s.values) - 1
	case len(s.values) > smallSet:
		s.index = make(map[V]int, 2*len(s.values))
		for i, v := range s.values {
			s.index[v] = i
		}
	}
	return true
}

// remove reports whether v was there. The last value takes its place.
func (s *set[V]) remove(v V) bool {
	i := s.find(v)
	if i < 0 {
		return false
	}
	last := len(s.values) - 1
	if s.index != nil {
		s.index[s.values[last]] = i
		delete(s.index, v)
	}
	s.values[i] = s.values[last]
	s.values = slices.Delete(s.values, last, last+1)
	s.shrink()
	return true
}

// shrink gives memory back after a crowd has left.
func (s *set[V]) shrink() {
	switch n := len(s.values); {
	case n == 0:
		s.values, s.index = nil, nil
	case s.index != nil && n <= smallSet/2:
		s.values, s.index = slices.Clone(s.values), nil
	}
}

func (s *set[V]) visit(visit func(V)) {
	for _, v := range s.values {
		visit(v)
	}
}
