package chaos_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// testPause: a node hangs until the others have declared it dead. When it goes
// on it closes its connections, and serves again.
func (s *stage) testPause(t *testing.T) {
	observer, _ := s.enter(t, 1, door{id: "pause-observer"})
	observer.subscribe(t, s.topic("pause/will/#"), 1)
	will := &packet.Will{Topic: s.topic("pause/will/x"), Payload: []byte("will"), QoS: 1}
	stays, _ := s.enter(t, 3, door{id: "pause-stays", expiry: week, will: will})
	stays.subscribe(t, s.topic("pause/stays"), 1)
	moves, _ := s.enter(t, 3, door{id: "pause-moves", expiry: week, will: &packet.Will{
		Topic: s.topic("pause/will/y"), Payload: []byte("moved"), QoS: 1,
	}})
	moves.subscribe(t, s.topic("pause/moves"), 2)

	s.do(t, "pause", "fanfare-3")
	moved, present := s.enter(t, 1, door{id: "pause-moves", expiry: week})
	if !present {
		t.Error("the session that has moved is not present")
	}
	publisher, _ := s.enter(t, 2, door{id: "pause-publisher"})
	publisher.publish(s.topic("pause/moves"), "to the moved", 2, 1)
	publisher.acknowledged(t, answerPatience, 2, 1)
	publisher.publish(s.topic("pause/stays"), "to the stayed", 1, 2)
	publisher.acknowledged(t, answerPatience, 1, 2)
	if !moved.until(answerPatience, func() bool { return moved.heard["to the moved"] == 1 }) {
		t.Error("the session that has moved gets nothing")
	}
	// The will says that the others take it for dead.
	if !observer.until(30*time.Second, func() bool { return observer.heard["will"] > 0 }) {
		t.Error("the will of a client of a node that hangs is not published")
	}

	s.do(t, "resume", "fanfare-3")
	for _, c := range []*client{stays, moves} {
		if !c.closed(answerPatience) {
			t.Errorf("%s: its connection to the node that was dead stands", c.id)
		}
	}
	var back *client
	eventually(t, 30*time.Second, "the node serves again", func() bool {
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
	// Who was there when it hung may have had it before the connection was closed.
	if !back.until(answerPatience, func() bool { return back.heard["to the stayed"] == 1 }) && stays.count("to the stayed") == 0 {
		t.Error("the session that has stayed is owed a message")
	}
	publisher.publish(s.topic("pause/moves"), "again", 2, 3)
	publisher.acknowledged(t, answerPatience, 2, 3)
	if !moved.until(answerPatience, func() bool { return moved.heard["again"] == 1 }) {
		t.Error("the session that has moved gets nothing more")
	}
	s.noWills(t)
	if will, moved := observer.count("will"), observer.count("moved"); will != 1 || moved != 0 {
		t.Errorf("the wills came %d and %d times, want 1 and 0", will, moved)
	}
	if n := s.said(t, "fanfare-3", "the node lives again"); n != 1 {
		t.Errorf("the node says %d times that it lives again, want 1", n)
	}
}
