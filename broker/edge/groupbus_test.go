package edge_test

import (
	"sync"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// shared are the share groups of a bus in memory: each knows which messages of
// the log it has had, and hands the others out as members have room.
type shared struct {
	bus  *bus
	wake chan struct{} // capacity 1

	mu     sync.Mutex // guards the fields below
	groups map[[2]string]*shareGroup
}

type shareGroup struct {
	broker.Group

	members, next, room int
	back                []*broker.Message
}

func newShared(b *bus) *shared {
	return &shared{bus: b, wake: make(chan struct{}, 1), groups: make(map[[2]string]*shareGroup)}
}

func (s *shared) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run hands messages out until done is closed.
func (s *shared) run(done <-chan struct{}) {
	for {
		select {
		case <-s.wake:
			for s.handOut() {
			}
		case <-done:
			return
		}
	}
}

// handOut gives one message to the edge, if there is one for it.
func (s *shared) handOut() bool {
	s.bus.mu.Lock()
	log := s.bus.log
	s.bus.mu.Unlock()
	s.mu.Lock()
	for key, g := range s.groups {
		if m := g.take(log); m != nil {
			s.mu.Unlock()
			s.bus.edge.DeliverShared(key[0], key[1], m, &sharedLoan{shared: s, group: g, message: m})
			return true
		}
	}
	s.mu.Unlock()
	return false
}

func (g *shareGroup) take(log []*broker.Message) *broker.Message {
	if g.members == 0 || g.room <= 0 {
		return nil
	}
	if len(g.back) > 0 {
		m := g.back[0]
		g.back, g.room = g.back[1:], g.room-1
		return m
	}
	for g.next < len(log) {
		m := log[g.next]
		g.next++
		if topic.Match(g.Filter, m.Topic) {
			g.room--
			return m
		}
	}
	return nil
}

func (b *bus) JoinGroup(group broker.Group, ready func(error)) {
	b.mu.Lock()
	end := len(b.log)
	b.mu.Unlock()
	s := b.shared
	s.mu.Lock()
	g := s.groups[[2]string{group.Name, group.Filter}]
	if g == nil {
		g = &shareGroup{Group: group, next: end}
		s.groups[[2]string{group.Name, group.Filter}] = g
	}
	g.members++
	s.mu.Unlock()
	s.ring()
	go ready(nil)
}

func (b *bus) LeaveGroup(group, filter string) {
	s := b.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[[2]string{group, filter}]; g != nil {
		g.members--
	}
}

func (b *bus) WantGroup(group, filter string, n int) {
	s := b.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[[2]string{group, filter}]; g != nil {
		g.room = n
		s.ring()
	}
}

// sharedLoan is one message that a group has handed out.
type sharedLoan struct {
	shared  *shared
	group   *shareGroup
	message *broker.Message
	over    bool
	kept    bool
}

func (l *sharedLoan) Done() {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	l.over = true
}

func (l *sharedLoan) Return() bool {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	if l.kept {
		return false
	}
	if !l.over {
		l.over = true
		l.group.back = append(l.group.back, l.message)
		l.shared.ring()
	}
	return true
}

func (l *sharedLoan) Keep(kept func()) {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	l.kept = true
	go kept()
}
