package session_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// floorClock is a durable session on a log that may lose live messages.
type floorClock struct {
	t   *testing.T
	s   *session.Session
	now time.Time
}

func newFloorClock(t *testing.T) *floorClock {
	t.Helper()
	return newFloorClockOn(t, false)
}

func newFloorClockOn(t *testing.T, lossless bool) *floorClock {
	t.Helper()
	c := &floorClock{t: t, s: session.New(&standard, epoch), now: epoch}
	c.receive(packet.Connect{ClientID: "c"}.Append(nil))
	c.s.Accept(session.Admission{
		Key: "acme/chat/ana/c", Authorizer: grants{allow: []string{"acme/#"}}, MaxExpiry: 1000 * time.Hour,
		Lossless: lossless,
	}, c.now)
	c.s.Claimed(nil, nil, c.now)
	c.receive(packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: "acme/a", QoS: 1}}}.Append(nil))
	c.s.Subscribed(1, 0, nil, c.now)
	return c
}

func (c *floorClock) receive(b []byte) { c.s.Receive(frame(c.t, b), c.now) }

func (c *floorClock) deliver(seq uint64) {
	m := &broker.Message{Topic: "acme/a", QoS: 1, Position: broker.Position{Seq: seq}}
	if err := m.ID.SetTime(uint64(c.now.UnixMilli())); err != nil {
		c.t.Fatal(err)
	}
	c.s.Deliver(m, new(session.Encodings), false, c.now)
}

// floor is what the session's record says at its end.
func (c *floorClock) floor() (uint64, time.Time) {
	c.s.Lost(c.now)
	effects := c.s.Effects()
	r := effects[len(effects)-1].Record
	return r.Floor, r.FloorTime
}

// TestFloorTimeOfAnAnswer: what a log says is as old as the question. A message
// that comes after that and is lost live lies above the floor, and is younger
// than the floor's time, however late the floor rises.
func TestFloorTimeOfAnAnswer(t *testing.T) {
	c := newFloorClock(t)
	c.deliver(1)
	c.now = c.now.Add(time.Hour)
	c.s.Probe(c.now)
	asked := c.now
	c.now = c.now.Add(time.Minute)
	c.s.Page(broker.Page{UpTo: 9}, nil, c.now)
	c.now = c.now.Add(10 * time.Hour)
	c.receive(packet.Ack{Type: packet.PUBACK, PacketID: 1}.Append(nil))
	if floor, since := c.floor(); floor != 9 || !since.Equal(asked) {
		t.Errorf("floor %d since %v, want 9 since %v", floor, since, asked)
	}
}

// TestFloorTimeOfCatchingUp is the same for a session that reads.
func TestFloorTimeOfCatchingUp(t *testing.T) {
	c := newFloorClock(t)
	m := &broker.Message{Topic: "acme/a", QoS: 1, Previous: 3, Position: broker.Position{Seq: 4}}
	c.s.Deliver(m, new(session.Encodings), false, c.now) // 3 was lost, so it reads
	asked := c.now
	c.now = c.now.Add(3 * time.Hour)
	c.s.Page(broker.Page{UpTo: 4}, nil, c.now)
	if floor, since := c.floor(); floor != 4 || !since.Equal(asked) {
		t.Errorf("floor %d since %v, want 4 since %v", floor, since, asked)
	}
}

// TestFloorTimeOfSubscribing: the first subscription's floor is as old as its
// SUBSCRIBE, as the log's head was asked for after that.
func TestFloorTimeOfSubscribing(t *testing.T) {
	c := newFloorClock(t)
	c.now = c.now.Add(time.Hour)
	if floor, since := c.floor(); floor != 0 || !since.Equal(epoch) {
		t.Errorf("floor %d since %v, want the beginning", floor, since)
	}
	c = newFloorClock(t)
	c.receive(packet.Unsubscribe{PacketID: 2, Filters: []string{"acme/a"}}.Append(nil))
	c.receive(packet.Subscribe{PacketID: 3, Subscriptions: []packet.Subscription{{Filter: "acme/a", QoS: 1}}}.Append(nil))
	asked := c.now
	c.now = c.now.Add(time.Minute)
	c.s.Subscribed(3, 7, nil, c.now)
	if floor, since := c.floor(); floor != 7 || !since.Equal(asked) {
		t.Errorf("floor %d since %v, want 7 since %v", floor, since, asked)
	}
}

// TestFloorTimeOfAPart: behind the end of an answer that is not all there is lies
// what is older than the question.
func TestFloorTimeOfAPart(t *testing.T) {
	c := newFloorClock(t)
	began := c.now
	c.now = c.now.Add(3 * time.Hour)
	c.s.Probe(c.now)
	foreign := &broker.Message{Topic: "acme/b", QoS: 1, Position: broker.Position{Seq: 5}}
	c.s.Page(broker.Page{Messages: []*broker.Message{foreign}, More: true}, nil, c.now)
	if floor, since := c.floor(); floor != 5 || !since.Equal(began) {
		t.Errorf("floor %d since %v, want 5 since %v", floor, since, began)
	}
}

// TestFloorOfALongBacklog: who reads more than a session may remember of
// acknowledgements is not sent away, and its record says how far it is, and that
// what follows may be old, also on a node that is alone.
func TestFloorOfALongBacklog(t *testing.T) {
	for name, lossless := range map[string]bool{"cluster": false, "alone": true} {
		t.Run(name, func(t *testing.T) { readLongBacklog(t, newFloorClockOn(t, lossless)) })
	}
}

func readLongBacklog(t *testing.T, c *floorClock) {
	t.Helper()
	began := c.now
	c.now = c.now.Add(time.Hour)
	const head, page = 70_000, 64
	c.s.Deliver(&broker.Message{
		Topic: "acme/a", QoS: 1, Previous: head - 1, Position: broker.Position{Seq: head},
	}, new(session.Encodings), false, c.now)
	var p packet.Publish
	for read := uint64(0); read < head; {
		answer := broker.Page{More: true}
		for range min(page, head-read) {
			read++
			answer.Messages = append(answer.Messages, &broker.Message{Topic: "acme/a", QoS: 1, Position: broker.Position{Seq: read}})
		}
		answer.UpTo = read
		c.s.Page(answer, nil, c.now)
		for out := c.s.Output(); len(out) > 0; {
			f, n, err := packet.Split(out, 0)
			if err != nil {
				t.Fatal(err)
			}
			out = out[n:]
			if f.Type != packet.PUBLISH || p.Decode(f) != nil || read == head && p.PacketID%8 == 0 {
				continue // one of the last page is not acknowledged
			}
			c.receive(packet.Ack{Type: packet.PUBACK, PacketID: p.PacketID}.Append(nil))
		}
		if c.s.Closed() {
			t.Fatalf("the session ended at %d", read)
		}
		c.s.Effects()
	}
	if floor, since := c.floor(); floor < head-page || floor >= head || !since.Equal(began) {
		t.Errorf("floor %d since %v, want nearly %d since %v", floor, since, head, began)
	}
}
