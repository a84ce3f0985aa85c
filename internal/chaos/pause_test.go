package chaos_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// testPause: a node hangs until the others have declared it dead. When it goes
// on it closes its connections, and serves again.
func (s *stage) testPause(t *testing.T) {
	observer, _ := s.enter(t, 1, door{id: "pause-observer"})
	observer.subscribe(t, s.topic("pause/will/#"), 1)
	// The will of a client that ends its connection meanwhile is seen to by the
	// node as well, when it goes on.
	with := func(id string, qos byte) door {
		return door{id: "pause-" + id, expiry: week, will: &packet.Will{
			Topic: s.topic("pause/will/" + id), Payload: []byte(id), QoS: qos,
		}}
	}
	stays, _ := s.enter(t, 3, with("stays", 0))
	stays.subscribe(t, s.topic("pause/stays"), 1)
	moves, _ := s.enter(t, 3, with("moves", 1))
	moves.subscribe(t, s.topic("pause/moves"), 2)
	var leavers []*client
	for qos := range byte(2) {
		c, _ := s.enter(t, 3, with(fmt.Sprint("leaves-", qos), qos))
		leavers = append(leavers, c)
	}
	clean := with("clean", 0)
	clean.expiry = 0
	c, _ := s.enter(t, 3, clean)
	leavers = append(leavers, c)

	began := time.Now()
	say := func(what string) { t.Logf("%v: %s", time.Since(began).Round(time.Millisecond), what) }
	s.do(t, "pause", "fanfare-3")
	for _, c := range leavers {
		c.drop()
	}
	moved, present := s.enter(t, 1, door{id: "pause-moves", expiry: week})
	if !present {
		t.Error("the session that has moved is not present")
	}
	publisher, _ := s.enter(t, 2, door{id: "pause-publisher"})
	publisher.publish(s.topic("pause/moves"), "to the moved", 2, 1)
	publisher.acknowledged(t, 2, 1)
	publisher.publish(s.topic("pause/stays"), "to the stayed", 1, 2)
	publisher.acknowledged(t, 1, 2)
	if !moved.until(answerPatience, func() bool { return moved.heard["to the moved"] == 1 }) {
		t.Error("the session that has moved gets nothing")
	}
	// The wills say that the others take it for dead. That of a clean session may
	// take half a minute: after a restart of Redis all nodes are asked for its
	// client, and one that hangs does not answer.
	wills := []string{"stays", "leaves-0", "leaves-1", "clean"}
	for _, will := range wills {
		if !observer.until(time.Minute, func() bool { return observer.heard[will] > 0 }) {
			t.Errorf("the will of %q, a client of a node that hangs, is not published", will)
		}
	}

	say("all wills have come")
	s.do(t, "resume", "fanfare-3")
	for _, c := range []*client{stays, moves} {
		if !c.closed(answerPatience) {
			t.Errorf("%s: its connection to the node that was dead stands", c.id)
		}
	}
	var back *client
	testenv.Eventually(t, 30*time.Second, "the node serves again", func() bool {
		c, ack, err := s.dial(t.Context(), 3, door{id: "pause-stays", expiry: week})
		if err != nil || refused(ack) {
			return false
		}
		t.Cleanup(c.drop)
		if !ack.SessionPresent {
			t.Error("the session that has stayed is not present")
		}
		back = c
		return true
	})
	say("the node serves again")
	testenv.Eventually(t, answerPatience, "who has stayed has its message, perhaps before the connection was closed", func() bool {
		return back.count("to the stayed")+stays.count("to the stayed") > 0
	})
	publisher.publish(s.topic("pause/moves"), "again", 2, 3)
	publisher.acknowledged(t, 2, 3)
	if !moved.until(answerPatience, func() bool { return moved.heard["again"] == 1 }) {
		t.Error("the session that has moved gets nothing more")
	}
	s.noWills(t)
	say("no wills are left")
	for _, will := range wills {
		if n := observer.count(will); n != 1 {
			t.Errorf("the will of %q came %d times, want 1", will, n)
		}
	}
	if n := observer.count("moves"); n != 0 {
		t.Errorf("the will of the client that has moved came %d times", n)
	}
	if n := s.said(t, "fanfare-3", "the node lives again"); n != 1 {
		t.Errorf("the node says %d times that it lives again, want 1", n)
	}
}
