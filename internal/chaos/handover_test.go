package chaos_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// flight is a packet that a connection is owed again.
type flight struct {
	kind    packet.Type
	id      uint16
	payload string
}

// flights are what arrived on a connection of PUBLISH and PUBREL, in order.
func (c *client) flights(t *testing.T) (all []flight, dup []bool) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.got {
		switch f.Type {
		case packet.PUBLISH:
			var p packet.Publish
			if err := p.Decode(f); err != nil {
				t.Fatal(err)
			}
			all, dup = append(all, flight{f.Type, p.PacketID, string(p.Payload)}), append(dup, p.Dup)
		case packet.PUBREL:
			var p packet.Ack
			if err := p.Decode(f); err != nil {
				t.Fatal(err)
			}
			all, dup = append(all, flight{f.Type, p.PacketID, ""}), append(dup, false)
		default:
		}
	}
	return all, dup
}

// testHandover: a device that has acknowledged nothing comes back on another
// node, which sends everything again as the first one did.
func (s *stage) testHandover(t *testing.T) {
	for _, version := range []packet.Version{packet.V5, packet.V311} {
		id := fmt.Sprintf("handover-%d", version)
		as := door{id: id, version: version, expiry: week, hold: true}
		old, present := s.enter(t, 1, as)
		if present {
			t.Fatal("a new session is called present")
		}
		old.subscribe(t, s.topic(id), 2)
		publisher, _ := s.enter(t, 3, door{id: id + "-publisher"})
		const messages = 6
		for n := range uint16(messages) {
			qos := byte(1 + n%2)
			publisher.publish(s.topic(id), fmt.Sprint("m", n), qos, n+1)
			publisher.acknowledged(t, qos, n+1)
		}
		if !old.until(answerPatience, func() bool { return len(old.order) == messages }) {
			t.Fatalf("%s: %v have come", id, old.order)
		}
		first, dup := old.flights(t)
		if slices.Contains(dup, true) {
			t.Errorf("%s: DUP at the first sending: %v", id, first)
		}
		// The last one, of QoS 2, comes on to PUBREL.
		released := first[messages-1]
		old.send(packet.Ack{Type: packet.PUBREC, Version: version, PacketID: released.id}.Append(nil))
		if !old.until(answerPatience, func() bool { return old.got[len(old.got)-1].Type == packet.PUBREL }) {
			t.Fatalf("%s: no PUBREL", id)
		}
		want := append(slices.Clone(first[:messages-1]), flight{packet.PUBREL, released.id, ""})

		now, present := s.enter(t, 2, as)
		if !present {
			t.Errorf("%s: its session is not present on the other node", id)
		}
		if reason := old.farewell(t); version == packet.V5 && reason != packet.SessionTakenOver {
			t.Errorf("%s: the old connection was told %v", id, reason)
		}
		if !old.closed(answerPatience) {
			t.Errorf("%s: the old connection stands", id)
		}
		if !now.until(answerPatience, func() bool { return len(now.order) == messages-1 }) || !now.open() {
			t.Errorf("%s: %v have come again", id, now.order)
		}
		again, dup := now.flights(t)
		if !slices.Equal(again, want) {
			t.Errorf("%s: sent again %v, want %v", id, again, want)
		}
		for i, f := range again {
			if f.kind == packet.PUBLISH && !dup[i] {
				t.Errorf("%s: %v was sent again without DUP", id, f)
			}
		}
		now.release()
		s.nothingLeft(t, now, as, publisher)
	}
}

// nothingLeft: what was acknowledged after a takeover does not come a third
// time, and what is published next does.
func (s *stage) nothingLeft(t *testing.T, now *client, as door, publisher *client) {
	t.Helper()
	testenv.Eventually(t, answerPatience, as.id+" has completed its QoS 2 messages", func() bool {
		now.mu.Lock()
		defer now.mu.Unlock()
		return len(now.waiting) == 0
	})
	now.leave(t)
	as.hold = false
	last, _ := s.enter(t, 3, as)
	publisher.publish(s.topic(as.id), "last", 1, 100)
	publisher.acknowledged(t, 1, 100)
	if !last.until(answerPatience, func() bool { return len(last.order) > 0 }) || !slices.Equal(last.order, []string{"last"}) {
		t.Errorf("%s: %v came after all was acknowledged", as.id, last.order)
	}
}
