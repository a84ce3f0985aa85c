package jetstream_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// members is a node's edge that remembers what its share groups got.
type members struct {
	mu  sync.Mutex
	got map[string][]string // by group and filter
}

func joinAs(b *jetstream.Bus) *members {
	m := &members{got: make(map[string][]string)}
	b.Attach(m)
	return m
}

func (s *members) Deliver(*broker.Message) {}

func (s *members) DeliverShared(group, filter string, m *broker.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := group + " " + filter
	s.got[key] = append(s.got[key], string(m.Payload))
}

func (s *members) of(group, filter string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[group+" "+filter]
}

func join(t testing.TB, b *jetstream.Bus, group, filter string) {
	t.Helper()
	ready := make(chan error, 1)
	b.JoinGroup(group, filter, func(err error) { ready <- err })
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
	b.JoinGroup("acme/g", "+/x", func(err error) { ready <- err })
	if err := <-ready; code(err) != "invalid" {
		t.Errorf("got %v", err)
	}
	n.stop()
	b.JoinGroup("acme/g", "acme/x", func(err error) { ready <- err })
	_ = b.Close()
	if err := <-ready; code(err) != "unavailable" {
		t.Errorf("got %v", err)
	}
	b.JoinGroup("acme/g", "acme/x", func(err error) { ready <- err })
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
	b.JoinGroup("acme/g", "acme/new", func(err error) { ready <- err })
	n.start()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	eventually(t, "back", func() bool { return b.Ready(t.Context()) == nil })
	publish(t, b, message(1, "acme/old", "1"))
	publish(t, b, message(1, "acme/new", "2"))
	eventually(t, "received", func() bool {
		return len(got.of("acme/g", "acme/old")) == 1 && len(got.of("acme/g", "acme/new")) == 1
	})
}

func TestGroupAlone(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	got := joinAs(b)
	join(t, b, "acme/g", "acme/x")
	publish(t, b, message(1, "acme/x", "1"))
	b.LeaveGroup("acme/g", "acme/x")
	if len(got.got) != 0 {
		t.Errorf("got %v", got.got)
	}
}
