package sim

import "time"

// event is one thing that happens in a world. Events of one moment happen in
// the order in which they were planned.
type event struct {
	at    time.Duration
	order uint64
	do    func()
}

func (e *event) before(o *event) bool {
	return e.at < o.at || (e.at == o.at && e.order < o.order)
}

// schedule is a heap of events, the next one first. container/heap would box
// each of them.
type schedule struct {
	heap  []event
	order uint64
}

func (s *schedule) push(at time.Duration, do func()) {
	s.order++
	s.heap = append(s.heap, event{at, s.order, do})
	for i := len(s.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !s.heap[i].before(&s.heap[up]) {
			return
		}
		s.heap[i], s.heap[up] = s.heap[up], s.heap[i]
		i = up
	}
}

// pop takes the next event off; it must not be called when there is none.
func (s *schedule) pop() event {
	first, last := s.heap[0], len(s.heap)-1
	s.heap[0], s.heap[last] = s.heap[last], event{}
	s.heap = s.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s.heap[child].before(&s.heap[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		s.heap[i], s.heap[least] = s.heap[least], s.heap[i]
		i = least
	}
}
