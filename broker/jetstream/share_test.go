package jetstream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

const ackWait = 600 * time.Millisecond // of the tests that wait for it

func numbers(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i))
	}
	return strings.Join(all, " ")
}

func publishNumbers(t testing.TB, b *jetstream.Bus, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		publish(t, b, message(byte(1+i%2), "acme/x", fmt.Sprint(i)))
	}
}

// A group without members waits, also over a restart of the node, and its next
// member gets everything in order.
func TestGroupWaitsForAMember(t *testing.T) {
	dir := t.TempDir()
	b, err := jetstream.Open(t.Context(), jetstream.Config{Node: "n", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, message(1, "acme/x", "before the group"))
	join(t, b, "acme/g", "acme/x")
	b.LeaveGroup("acme/g", "acme/x")
	publishNumbers(t, b, 0, 100)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAlone(t, jetstream.Config{Dir: dir})
	publishNumbers(t, b, 100, 200)
	got := joinAs(b)
	join(t, b, "acme/g", "acme/x")
	eventually(t, "all of it", func() bool { return len(got.of("acme/g", "acme/x")) >= 200 })
	if s := strings.Join(got.of("acme/g", "acme/x"), " "); s != numbers(200) {
		t.Errorf("got %s", s)
	}
}

// A node gets no more than it has room for, and the rest goes to others.
func TestGroupByRoom(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	atA, atB := holding(a), holding(b)
	for _, bus := range []*jetstream.Bus{a, b} {
		joinGroup(t, bus, groupOf("acme/g", "acme/x"))
	}
	a.WantGroup("acme/g", "acme/x", 10)
	publishNumbers(t, b, 0, 50)
	eventually(t, "ten", func() bool { return atA.holds() == 10 })
	b.WantGroup("acme/g", "acme/x", 30)
	eventually(t, "thirty", func() bool { return atB.holds() == 30 })
	if n := atA.holds(); n != 10 {
		t.Errorf("%d messages with room for 10", n)
	}
	for _, h := range atA.take() {
		h.Done()
	}
	a.WantGroup("acme/g", "acme/x", 20)
	eventually(t, "the rest", func() bool { return atA.holds() == 10 })
	all := append(atA.of("acme/g", "acme/x"), atB.of("acme/g", "acme/x")...)
	slices.Sort(all)
	if len(slices.Compact(all)) != 50 {
		t.Errorf("got %v", all)
	}
	if n := a.Stats().Loans + b.Stats().Loans; n != 40 {
		t.Errorf("%d loans", n)
	}
}

// What is returned goes to another node at once.
func TestGroupReturns(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	atA, atB := holding(a), joinAs(b)
	join(t, a, "acme/g", "acme/x")
	publishNumbers(t, a, 0, 10)
	eventually(t, "held", func() bool { return atA.holds() == 10 })
	a.LeaveGroup("acme/g", "acme/x")
	join(t, b, "acme/g", "acme/x")
	began := time.Now()
	for _, h := range atA.take() {
		if !h.Return() {
			t.Error("not returned")
		}
		h.Done() // is over
	}
	eventually(t, "at b", func() bool { return len(atB.of("acme/g", "acme/x")) == 10 })
	if s := strings.Join(atB.of("acme/g", "acme/x"), " "); s != numbers(10) || time.Since(began) > 10*time.Second {
		t.Errorf("got %s after %v", s, time.Since(began))
	}
	if s := b.Stats(); s.SharedAgain != 10 || a.Stats().SharedBack != 10 {
		t.Errorf("again %d, returned %d", s.SharedAgain, a.Stats().SharedBack)
	}
}

// What a node holds stays with it for as long as it lives. When it dies its
// messages go to another one, but for those that it was to keep.
func TestGroupOutlivesANode(t *testing.T) {
	url := startNATS(t).url()
	a := open(t, jetstream.Config{Node: "node-a", URL: url, GroupAckWait: ackWait})
	b := open(t, jetstream.Config{Node: "node-b", URL: url, GroupAckWait: ackWait})
	atA, atB := holding(a), joinAs(b)
	join(t, a, "acme/g", "acme/x")
	publishNumbers(t, a, 0, 10)
	eventually(t, "held", func() bool { return atA.holds() == 10 })
	join(t, b, "acme/g", "acme/x")
	mine := atA.take()
	kept := make(chan string, 10)
	for _, h := range mine {
		if h.payload == "3" || h.payload == "7" {
			h.Keep(func() { kept <- h.payload })
		}
	}
	if one, two := <-kept, <-kept; one+two != "37" && one+two != "73" {
		t.Errorf("kept %s and %s", one, two)
	}
	if mine[3].Return() {
		t.Error("a message was returned that was kept")
	}
	deadline := time.Now().Add(3 * ackWait)
	eventually(t, "longer than the server waits", func() bool { return time.Now().After(deadline) })
	if got := atB.of("acme/g", "acme/x"); len(got) != 0 {
		t.Errorf("%v were taken from a node that lives", got)
	}
	a.Side().Close() // it dies
	eventually(t, "at b", func() bool { return len(atB.of("acme/g", "acme/x")) >= 8 })
	publish(t, b, message(1, "acme/x", "last"))
	eventually(t, "at b", func() bool { return slices.Contains(atB.of("acme/g", "acme/x"), "last") })
	if s := strings.Join(atB.of("acme/g", "acme/x"), " "); s != "0 1 2 4 5 6 8 9 last" {
		t.Errorf("got %s", s)
	}
}

// A group is deleted when it had no member for its expiry, of which the longest
// counts; while it has members it is not.
func TestGroupExpires(t *testing.T) {
	url := startNATS(t).url()
	a := open(t, jetstream.Config{Node: "node-a", URL: url, GroupAckWait: ackWait})
	joinAs(a)
	consumers := func() (n int) {
		for range stream(t, a, 0).ConsumerNames(t.Context()).Name() {
			n++
		}
		return n
	}
	short, longer := groupOf("acme/g", "acme/x"), groupOf("acme/g", "acme/y")
	short.Expiry, longer.Expiry = time.Second, time.Second
	joinGroup(t, a, short)
	joinGroup(t, a, longer)
	longer.Expiry = time.Hour
	joinGroup(t, a, longer)
	a.WantGroup("acme/g", "acme/x", 1)
	deadline := time.Now().Add(2 * time.Second)
	eventually(t, "longer than the expiry", func() bool { return time.Now().After(deadline) })
	if n := consumers(); n != 2 {
		t.Fatalf("%d consumers with members", n)
	}
	a.LeaveGroup("acme/g", "acme/x")
	a.LeaveGroup("acme/g", "acme/y")
	a.LeaveGroup("acme/g", "acme/y")
	eventually(t, "deleted", func() bool { return consumers() == 1 })
}

// The log holds the consumers of many, and says so when it has enough.
func TestGroupsAreBounded(t *testing.T) {
	n := startNATS(t)
	first := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	if most := stream(t, first, 0).CachedInfo().Config.MaxConsumers; most != jetstream.MaxConsumers {
		t.Errorf("a stream with %d consumers", most)
	}
	js := jetstream.JetStreamOf(first)
	cfg := stream(t, first, 0).CachedInfo().Config
	if err := js.DeleteStream(t.Context(), cfg.Name); err != nil {
		t.Fatal(err)
	}
	cfg.MaxConsumers = 2
	if _, err := js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	b := open(t, jetstream.Config{Node: "node-b", URL: n.url()})
	join(t, b, "acme/g", "acme/x")
	join(t, b, "acme/g", "acme/y")
	ready := make(chan error, 1)
	b.JoinGroup(groupOf("acme/g", "acme/z"), func(err error) { ready <- err })
	if err := <-ready; err == nil || code(err) != code(broker.ErrGroups) {
		t.Errorf("got %v", err)
	}
}

// An operator who deletes a group's consumer does not stop the group.
func TestGroupIsMadeAgain(t *testing.T) {
	b := open(t, jetstream.Config{Node: "node-a", URL: startNATS(t).url(), GroupAckWait: ackWait})
	got := joinAs(b)
	join(t, b, "acme/g", "acme/x")
	publish(t, b, message(1, "acme/x", "0"))
	eventually(t, "the first", func() bool { return len(got.of("acme/g", "acme/x")) == 1 })
	s := stream(t, b, 0)
	names := func() (all []string) {
		for name := range s.ConsumerNames(t.Context()).Name() {
			all = append(all, name)
		}
		return all
	}
	if err := s.DeleteConsumer(t.Context(), names()[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "made again", func() bool { return len(names()) == 1 })
	publish(t, b, message(1, "acme/x", "1"))
	eventually(t, "the second", func() bool { return len(got.of("acme/g", "acme/x")) == 2 })
}

// The servers of the log fail over, and a group goes on: every message comes.
func TestGroupOnReplicas(t *testing.T) {
	servers := startCluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	cfg := jetstream.Config{Node: "node-a", URL: strings.Join(urls, ","), Shards: 1, Replicas: 3, GroupAckWait: 2 * time.Second}
	a := open(t, cfg)
	cfg.Node = "node-b"
	b := open(t, cfg)
	atA, atB := joinAs(a), joinAs(b)
	join(t, a, "acme/g", "acme/x")
	join(t, b, "acme/g", "acme/x")
	publishNumbers(t, a, 0, 50)
	var name string
	for name = range stream(t, a, 0).ConsumerNames(t.Context()).Name() {
	}
	leader := func() string {
		c, err := jetstream.JetStreamOf(a).Consumer(t.Context(), jetstream.StreamName(0), name)
		if err != nil {
			return ""
		}
		info, err := c.Info(t.Context())
		if err != nil || info.Cluster == nil {
			return ""
		}
		if info.Config.Replicas != 0 && info.Config.Replicas != 3 || len(info.Cluster.Replicas) != 2 {
			t.Fatalf("a consumer of %d replicas, %d others", info.Config.Replicas, len(info.Cluster.Replicas))
		}
		return info.Cluster.Leader
	}
	var was string
	eventually(t, "a leader", func() bool { was = leader(); return was != "" })
	for _, s := range servers {
		if s.Name() == was {
			s.Shutdown()
			s.WaitForShutdown()
		}
	}
	publishNumbers(t, a, 50, 100)
	seen := make(map[string]bool)
	eventually(t, "all", func() bool {
		for _, s := range append(atA.of("acme/g", "acme/x"), atB.of("acme/g", "acme/x")...) {
			seen[s] = true
		}
		return len(seen) == 100
	})
}
