package chaos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// testator is a device with a will on the node that is killed.
type testator struct {
	door
	back int // the node that it comes back on at once; 0: it never does
	owed int // how often its will is published
}

// testators are all kinds of them with each QoS.
func (s *stage) testators() (all []testator) {
	for qos := range byte(3) {
		for _, k := range []struct {
			name    string
			version packet.Version
			clean   bool
			expiry  uint32
			delay   uint32
			retain  bool
			back    int
		}{
			{name: "clean", clean: true},
			{name: "clean311", version: packet.V311, clean: true, retain: true},
			{name: "durable", expiry: week},
			{name: "durable311", version: packet.V311},
			{name: "retained", expiry: week, retain: true},
			{name: "delayed", expiry: week, delay: 4},
			{name: "brief", expiry: 2, delay: 3600}, // its session ends before the delay does
			{name: "back", expiry: week, delay: 12, back: 3},
			{name: "back311", version: packet.V311, back: 1},
			{name: "backclean", clean: true, back: 1},
			{name: "anew", clean: true, expiry: week, back: 3}, // which ends the session that has the will
		} {
			id := fmt.Sprintf("will-%s-%d", k.name, qos)
			will := &packet.Will{Topic: s.topic("will/" + id), Payload: []byte(id), QoS: qos, Retain: k.retain}
			will.Properties.DelayInterval = k.delay
			owed := 1
			if k.back != 0 && k.name != "anew" {
				owed = 0
			}
			all = append(all, testator{
				door: door{id: id, version: k.version, clean: k.clean, expiry: k.expiry, will: will},
				back: k.back, owed: owed,
			})
		}
	}
	return all
}

// testWills: a node is killed. The others publish the wills of those of its
// clients that do not come back, once, and do not do so again when it is back.
func (s *stage) testWills(t *testing.T) {
	observers := s.observers(t)
	all := s.testators()
	for i := range all {
		c, _ := s.enter(t, 2, all[i].door)
		c.subscribe(t, s.topic("for/"+all[i].id), 1) // a session that has nothing in it is begun anew
	}
	killed := time.Now()
	s.do(t, "kill", "fanfare-2")
	for i := range all {
		if w := &all[i]; w.back != 0 {
			w.will = nil
			if _, present := s.enter(t, w.back, w.door); present == w.clean {
				t.Errorf("%s: back, session present: %v", w.id, present)
			}
		}
	}
	s.willsCame(t, all, observers, killed)
	s.do(t, "start", "fanfare-2")
	s.noWills(t)
	s.published(t, all, observers)
	var retained []string
	for i := range all {
		if w := &all[i]; w.will != nil && w.will.Retain {
			retained = append(retained, w.id)
		}
	}
	late, _ := s.enter(t, 2, door{id: "will-late"})
	late.subscribe(t, s.topic("will/#"), 0)
	late.until(answerPatience, func() bool { return len(late.order) >= len(retained) })
	if !late.open() || !slices.Equal(slices.Sorted(slices.Values(late.order)), slices.Sorted(slices.Values(retained))) {
		t.Errorf("retained are %v, want %v", late.order, retained)
	}
}

// observers hear all wills, on nodes that live.
func (s *stage) observers(t *testing.T) []*client {
	t.Helper()
	var all []*client
	for _, node := range []int{1, 3} {
		c, _ := s.enter(t, node, door{id: fmt.Sprintf("will-observer-%d", node), expiry: week})
		c.subscribe(t, s.topic("will/#"), 2)
		all = append(all, c)
	}
	return all
}

// willsCame waits for the wills that are owed.
func (s *stage) willsCame(t *testing.T, all []testator, observers []*client, killed time.Time) {
	t.Helper()
	for i := range all {
		w := &all[i]
		if w.owed == 0 {
			continue
		}
		for _, o := range observers {
			if !o.until(time.Until(killed.Add(time.Minute)), func() bool { return o.heard[w.id] > 0 }) {
				t.Errorf("%s has not heard %s", o.id, w.id)
			}
		}
	}
	t.Logf("all wills have come %v after the kill", time.Since(killed).Round(time.Millisecond))
}

// noWills waits until none is left that anybody could publish.
func (s *stage) noWills(t *testing.T) {
	t.Helper()
	kv := s.bucket(t, "WILLS")
	testenv.Eventually(t, time.Minute, "there are no wills in the store", func() bool { return len(keys(t, kv)) == 0 })
}

// published: each will that is owed has come once, and no other.
func (s *stage) published(t *testing.T, all []testator, observers []*client) {
	t.Helper()
	last, _ := s.enter(t, 1, door{id: "will-last"})
	last.publish(s.topic("will/last"), "last", 2, 1)
	last.acknowledged(t, 2, 1)
	for _, o := range observers {
		if !o.until(answerPatience, func() bool { return o.heard["last"] > 0 }) {
			t.Errorf("%s has not heard the last message", o.id)
		}
		for i := range all {
			if n := o.count(all[i].id); n != all[i].owed {
				t.Errorf("%s heard the will of %s %d times, want %d", o.id, all[i].id, n, all[i].owed)
			}
		}
	}
}
