package session_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// TestNeverAcknowledged holds a client to its oldest message. Its packet
// identifier is not given out again, though all others are, and what has to be
// remembered meanwhile has a bound. [MQTT-2.2.1-4] [MQTT-2.3.1-3].
func TestNeverAcknowledged(t *testing.T) {
	s := open(t, "phone", 1, false)
	deliver := func(seq uint64) uint16 {
		s.Deliver(&broker.Message{
			Topic: "acme/chat/users/ana/0", QoS: 1, Position: broker.Position{Seq: seq},
		}, new(session.Encodings), false, epoch)
		var p packet.Publish
		if err := p.Decode(frame(t, s.Output())); err != nil {
			t.Fatal(err)
		}
		return p.PacketID
	}
	first := deliver(1)
	for seq := uint64(2); !s.Closed(); seq++ {
		id := deliver(seq)
		if id == first || id == 0 {
			t.Fatalf("message %d has the identifier %d", seq, id)
		}
		if seq > 70_000 {
			t.Fatal("the client may leave out a message for ever")
		}
		s.Receive(packet.Frame{Type: packet.PUBACK, Body: []byte{byte(id >> 8), byte(id)}}, epoch)
	}
	effects := s.Effects()
	if last := effects[len(effects)-1]; last.Reason.Name != session.ReasonSlowConsumer.Name {
		t.Fatalf("closed by %s", last.Reason.Name)
	}
}

// TestLongWay reads more of the log in one go than may be remembered above the
// floor: what was read and acknowledged lifts it on the way.
func TestLongWay(t *testing.T) {
	s := open(t, "phone", 1, false)
	const way = 70_000
	s.Deliver(&broker.Message{
		Topic: "acme/chat/users/ana/0", QoS: 1, Position: broker.Position{Seq: way + 1}, Previous: way,
	}, new(session.Encodings), false, epoch)
	got := uint64(0)
	for got < way && !s.Closed() {
		var after uint64
		asked := false
		for _, e := range s.Effects() {
			if e.Kind == session.Read {
				asked, after = true, e.Query.After
			}
		}
		if !asked {
			t.Fatalf("no question after message %d", got)
		}
		page := broker.Page{More: true}
		for seq := after + 1; seq <= min(after+100, way); seq++ {
			page.Messages = append(page.Messages, &broker.Message{
				Topic: "acme/chat/users/ana/0", QoS: 1, Position: broker.Position{Seq: seq},
			})
		}
		s.Page(page, nil, epoch)
		for out := s.Output(); len(out) > 0; out = s.Output() {
			for len(out) > 0 {
				f, n, err := packet.Split(out, len(out))
				if err != nil || n == 0 {
					t.Fatal(n, err)
				}
				var p packet.Publish
				if err := p.Decode(f); err != nil {
					t.Fatal(err)
				}
				got, out = got+1, out[n:]
				s.Receive(packet.Frame{Type: packet.PUBACK, Body: []byte{byte(p.PacketID >> 8), byte(p.PacketID)}}, epoch)
			}
		}
	}
	if s.Closed() {
		t.Fatalf("closed after message %d", got)
	}
}

// TestUnloggedBacklog fills the room for messages that are nowhere else.
func TestUnloggedBacklog(t *testing.T) {
	s := open(t, "phone", 1, false)
	for i := range 200 {
		if s.Closed() {
			if i < 100 {
				t.Fatalf("closed after %d messages", i)
			}
			return
		}
		s.Deliver(&broker.Message{Topic: "acme/chat/users/ana/0", QoS: 1}, new(session.Encodings), false, epoch)
	}
	t.Fatal("messages wait without bound")
}

// TestShareTakesItsWindow: a member takes what Load says and no more, so that
// nothing waits here which another member could have.
func TestShareTakesItsWindow(t *testing.T) {
	s := open(t, "phone", 0, false)
	const filter = "$share/g/acme/t"
	s.Receive(frame(t, packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: filter, QoS: 1}}}.Append(nil)), epoch)
	_, room := s.Load()
	took := 0
	for ; took < 1000; took++ {
		if !s.DeliverShared(filter, &broker.Message{Topic: "acme/t", QoS: 1}, loan(took), false, epoch) {
			break
		}
	}
	inflight, left := s.Load()
	if took != room || took != standard.MaxInflight || inflight != took || left != 0 {
		t.Fatalf("took %d messages with room for %d; then %d in flight and room for %d", took, room, inflight, left)
	}
}

// TestDeliverAllocatesNothing holds the hot path to it: QoS 0 and 1 for a
// client without options.
func TestDeliverAllocatesNothing(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		s := open(t, "phone", 1, false)
		m := &broker.Message{Topic: "acme/chat/users/ana/0", QoS: qos, Payload: make([]byte, 64)}
		e, id := new(session.Encodings), make([]byte, 2)
		once := func() {
			m.Position.Seq++
			s.Deliver(m, e, false, epoch)
			if out := s.Output(); qos > 0 {
				copy(id, out[4+len(m.Topic):])
				complete(s, qos, id)
			}
		}
		for range 10_000 {
			once() // buffers have grown
		}
		if n := testing.AllocsPerRun(1000, once); n > 0 {
			t.Errorf("QoS %d: %v allocations", qos, n)
		}
	}
}
