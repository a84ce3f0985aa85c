package jetstream_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// members is a node's edge that remembers what its share groups got. It takes
// everything at once, unless it holds.
type members struct {
	bus  *jetstream.Bus
	mu   sync.Mutex
	got  map[string][]string // by group and filter
	hold bool
	held []held
}

// held is a message that was not dealt with.
type held struct {
	broker.Loan

	payload string
}

func joinAs(b *jetstream.Bus) *members {
	m := &members{bus: b, got: make(map[string][]string)}
	b.Attach(m)
	return m
}

// holding is joinAs of members that keep what they get.
func holding(b *jetstream.Bus) *members {
	m := &members{bus: b, got: make(map[string][]string), hold: true}
	b.Attach(m)
	return m
}

func (s *members) Deliver(*broker.Message) {}

func (s *members) DeliverShared(group, filter string, m *broker.Message, loan broker.Loan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := group + " " + filter
	s.got[key] = append(s.got[key], string(m.Payload))
	switch {
	case loan == nil:
	case s.hold:
		s.held = append(s.held, held{loan, string(m.Payload)})
	default:
		loan.Done()
		s.bus.WantGroup(group, filter, 100)
	}
}

// take returns what is held, and holds it no longer.
func (s *members) take() []held {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.held
	s.held = nil
	return all
}

func (s *members) holds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

func (s *members) of(group, filter string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got[group+" "+filter])
}

// of a week is how long a group outlives its members.
func groupOf(name, filter string) broker.Group {
	return broker.Group{Name: name, Filter: filter, Expiry: 7 * 24 * time.Hour}
}

// join makes a bus a member with room for 100 messages.
func join(t testing.TB, b *jetstream.Bus, group, filter string) {
	t.Helper()
	joinGroup(t, b, groupOf(group, filter))
	b.WantGroup(group, filter, 100)
}

func joinGroup(t testing.TB, b *jetstream.Bus, group broker.Group) {
	t.Helper()
	ready := make(chan error, 1)
	b.JoinGroup(group, func(err error) { ready <- err })
	select {
	case err := <-ready:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("membership was never ready")
	}
}

func TestGroupOfNodes(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	atA, atB := joinAs(a), joinAs(b)
	for _, bus := range []*jetstream.Bus{a, b} {
		join(t, bus, "acme/g", "acme/chat/#")
		join(t, bus, "acme/g", "acme/chat/#") // counted
		join(t, bus, "acme/g", "acme/chat/+") // another subscription of the same name
	}
	join(t, b, "acme/other group/$x", "acme/chat/x")
	const n = 400
	for i := range n {
		publish(t, []*jetstream.Bus{a, b}[i%2], message(byte(i/2%3), "acme/chat/x", fmt.Sprint(i)))
	}
	publish(t, a, message(0, "acme/chat", "parent"))
	publish(t, a, message(0, "acme/elsewhere", "nobody"))
	once := func(filter string, want int) {
		t.Helper()
		eventually(t, filter, func() bool { return len(atA.of("acme/g", filter))+len(atB.of("acme/g", filter)) >= want })
		seen := make(map[string]int)
		for _, s := range append(atA.of("acme/g", filter), atB.of("acme/g", filter)...) {
			seen[s]++
			if seen[s] > 1 {
				t.Errorf("%s: %s came %d times", filter, s, seen[s])
			}
		}
		if len(seen) != want {
			t.Errorf("%s: %d messages, want %d", filter, len(seen), want)
		}
	}
	once("acme/chat/#", n+1)
	once("acme/chat/+", n)
	if len(atA.of("acme/g", "acme/chat/#")) == 0 || len(atB.of("acme/g", "acme/chat/#")) == 0 {
		t.Error("one node got everything")
	}
	eventually(t, "the other group", func() bool { return len(atB.of("acme/other group/$x", "acme/chat/x")) == n })
}

func TestLeaveGroup(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	atA, atB := joinAs(a), joinAs(b)
	for _, bus := range []*jetstream.Bus{a, b, b} {
		join(t, bus, "acme/g", "acme/x")
	}
	b.LeaveGroup("acme/g", "acme/none")
	b.LeaveGroup("acme/g", "acme/x")
	if b.Stats().Groups != 1 {
		t.Errorf("%d groups", b.Stats().Groups)
	}
	b.LeaveGroup("acme/g", "acme/x")
	b.LeaveGroup("acme/g", "acme/x")
	eventually(t, "left", func() bool { return b.Stats().Groups == 0 })
	join(t, b, "acme/h", "acme/y") // its flush follows the leaving
	before := len(atB.of("acme/g", "acme/x"))
	for i := range 50 {
		publish(t, b, message(0, "acme/x", fmt.Sprint(i)))
	}
	eventually(t, "all at a", func() bool { return len(atA.of("acme/g", "acme/x")) == 50 })
	if n := len(atB.of("acme/g", "acme/x")); n != before {
		t.Errorf("%d messages after leaving", n-before)
	}
	join(t, b, "acme/g", "acme/x")
	a.LeaveGroup("acme/g", "acme/x")
	join(t, a, "acme/h", "acme/z")
	publish(t, a, message(1, "acme/x", "back"))
	eventually(t, "at b", func() bool { return strings.Join(atB.of("acme/g", "acme/x"), " ") == "back" })
}

func TestGroupRefusesAndEnds(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	ready := make(chan error, 1)
	b.JoinGroup(groupOf("acme/g", "+/x"), func(err error) { ready <- err })
	if err := <-ready; code(err) != "invalid" {
		t.Errorf("got %v", err)
	}
	n.stop()
	b.JoinGroup(groupOf("acme/g", "acme/x"), func(err error) { ready <- err })
	_ = b.Close()
	if err := <-ready; code(err) != "unavailable" {
		t.Errorf("got %v", err)
	}
	b.JoinGroup(groupOf("acme/g", "acme/x"), func(err error) { ready <- err })
	if err := <-ready; code(err) != "unavailable" {
		t.Errorf("after Close: %v", err)
	}
	n.start()
}

func TestGroupOutlivesNATS(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	got := joinAs(b)
	join(t, b, "acme/g", "acme/old")
	n.stop()
	ready := make(chan error, 1)
	b.JoinGroup(groupOf("acme/g", "acme/new"), func(err error) { ready <- err })
	n.start()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	b.WantGroup("acme/g", "acme/new", 100)
	eventually(t, "back", func() bool { return b.Ready(t.Context()) == nil })
	publish(t, b, message(1, "acme/old", "1"))
	publish(t, b, message(1, "acme/new", "2"))
	eventually(t, "received", func() bool {
		return len(got.of("acme/g", "acme/old")) == 1 && len(got.of("acme/g", "acme/new")) == 1
	})
}

// Alone QoS 0 is the edge's business, and the rest comes from the log as
// everywhere.
func TestGroupAlone(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	got := joinAs(b)
	join(t, b, "acme/g", "acme/x")
	publish(t, b, message(0, "acme/x", "0"))
	publish(t, b, message(1, "acme/x", "1"))
	publish(t, b, message(2, "acme/x", "2"))
	eventually(t, "shared", func() bool { return len(got.of("acme/g", "acme/x")) >= 2 })
	b.LeaveGroup("acme/g", "acme/x")
	if s := strings.Join(got.of("acme/g", "acme/x"), " "); s != "1 2" {
		t.Errorf("got %s", s)
	}
}
