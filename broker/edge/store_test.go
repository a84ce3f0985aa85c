package edge_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// store keeps records and wills in memory, as buckets do.
type store struct {
	mu      sync.Mutex
	stored  map[string]broker.Stored
	wills   map[string]*broker.Will
	last    uint64
	starts  int
	lost    func()
	away    bool // nothing is answered but that
	events  []broker.Event
	pending sync.WaitGroup // answers on their way
}

// answer says it later, as the real one does.
func (s *store) answer(fn func()) { s.pending.Go(fn) }

func (s *store) Load(key string, fn func(broker.Stored, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		s.answer(func() { fn(broker.Stored{}, broker.ErrUnavailable) })
		return
	}
	stored := s.stored[key]
	if stored.Record != nil {
		r := *stored.Record
		stored.Record = &r
	}
	s.answer(func() { fn(stored, nil) })
}

func (s *store) write(key string, r *broker.Record, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.away:
		return 0, broker.ErrUnavailable
	case s.stored[key].Revision != revision:
		return 0, broker.ErrConflict
	case s.stored == nil:
		s.stored = make(map[string]broker.Stored)
	}
	s.last++
	s.stored[key] = broker.Stored{Record: r, Revision: s.last}
	return s.last, nil
}

func (s *store) Save(key string, r *broker.Record, revision uint64, fn func(uint64, error)) {
	copied := *r
	revision, err := s.write(key, &copied, revision)
	s.answer(func() { fn(revision, err) })
}

func (s *store) Erase(key string, revision uint64, fn func(error)) {
	_, err := s.write(key, nil, revision)
	s.answer(func() { fn(err) })
}

func (s *store) CountSessions(org, app string, fn func(int, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key, stored := range s.stored {
		if stored.Record != nil && strings.HasPrefix(key, strings.TrimSuffix(org+"/"+app, "/")+"/") {
			n++
		}
	}
	s.answer(func() { fn(n, nil) })
}

func (s *store) PutWill(w *broker.Will, fn func(uint64, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wills == nil {
		s.wills = make(map[string]*broker.Will)
	}
	copied := *w
	s.last++
	copied.Revision = s.last
	s.wills[w.Instance+" "+w.Key] = &copied
	s.answer(func() { fn(copied.Revision, nil) })
}

func (s *store) DropWill(instance, key string, revision uint64, fn func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wills[instance+" "+key]
	if w != nil && revision != 0 && w.Revision != revision {
		s.answer(func() { fn(broker.ErrConflict) })
		return
	}
	delete(s.wills, instance+" "+key)
	s.answer(func() { fn(nil) })
}

func (s *store) Wills(instance string, fn func([]*broker.Will, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*broker.Will
	for name, w := range s.wills {
		if strings.HasPrefix(name, instance+" ") {
			all = append(all, w)
		}
	}
	s.answer(func() { fn(all, nil) })
}

func (s *store) Will(instance, key string, fn func(*broker.Will, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wills[instance+" "+key]
	s.answer(func() { fn(w, nil) })
}

func (s *store) TakeWill(instance, key string, revision uint64, fn func(error)) {
	s.mu.Lock()
	gone := s.wills[instance+" "+key] == nil
	s.mu.Unlock()
	if gone {
		s.answer(func() { fn(broker.ErrConflict) })
		return
	}
	s.DropWill(instance, key, revision, fn)
}

func (s *store) Orphans(_ string, fn func([]string, error)) { s.answer(func() { fn(nil, nil) }) }

func (s *store) Leases(fn func([]broker.Lease, error)) {
	l := broker.Lease{Instance: s.Instance(), State: broker.LeaseAlive}
	s.answer(func() { fn([]broker.Lease{l}, nil) })
}

func (s *store) DeclareDead(_ broker.Lease, fn func(error)) { s.answer(func() { fn(nil) }) }

func (s *store) Bury(_ broker.Lease, fn func(error)) { s.answer(func() { fn(nil) }) }

// Renewed is now: nobody is held up.
func (s *store) Renewed() time.Time { return time.Now() }

func (s *store) Instance() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "i" + strconv.Itoa(s.starts+1)
}

func (s *store) OnLost(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = fn
}

func (s *store) Reborn(context.Context) (string, error) {
	s.mu.Lock()
	s.starts++
	s.mu.Unlock()
	return s.Instance(), nil
}

func (s *store) Ask(_ string, _ []byte, fn func([]byte, error)) { fn(nil, broker.ErrUnavailable) }

func (s *store) OnAsk(string, func([]byte, func([]byte))) error { return nil }

func (s *store) Emit(e broker.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *store) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// record is what is stored of a session, nil if nothing is.
func (s *store) record(key string) *broker.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored[key].Record
}

// told are the types and reasons of the events of a client.
func (s *store) told(clientID string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.ClientID == clientID {
			all = append(all, strings.TrimSpace(e.Type+" "+e.Reason))
		}
	}
	return all
}
