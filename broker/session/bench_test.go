package session_test

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// frame cuts one encoded packet.
func frame(tb testing.TB, b []byte) packet.Frame {
	tb.Helper()
	f, n, err := packet.Split(b, 0)
	if err != nil || n != len(b) {
		tb.Fatal(n, err)
	}
	return f
}

// standard limits are shared, as in a driver.
var standard = session.DefaultLimits()

// open returns a session with n subscriptions of alternating QoS if mixed.
func open(tb testing.TB, clientID string, n int, mixed bool) *session.Session {
	tb.Helper()
	s := session.New(&standard, epoch)
	s.Receive(frame(tb, packet.Connect{ClientID: clientID, Clean: true, KeepAlive: 60}.Append(nil)), epoch)
	s.Accept(session.Admission{
		Key: broker.SessionKey("acme", "chat", "ana", clientID), Authorizer: grants{allow: []string{"acme/#"}},
		Expires: epoch.Add(time.Hour), Lossless: true,
	}, epoch)
	s.Claimed(nil, nil, epoch)
	for i := range n {
		id, qos := uint16(i+1), byte(2)
		if mixed && i%2 == 0 {
			qos = 0
		}
		s.Receive(frame(tb, packet.Subscribe{PacketID: id, Subscriptions: []packet.Subscription{
			{Filter: "acme/chat/users/ana/" + strconv.Itoa(i), QoS: qos},
		}}.Append(nil)), epoch)
		s.Subscribed(id, 0, nil, epoch)
		for _, e := range s.Effects() {
			if e.Kind == session.Replay {
				s.Replayed(e.Cursor, nil, true, nil, epoch)
			}
		}
		s.Effects()
	}
	s.Output()
	return s
}

func BenchmarkDeliver(b *testing.B) {
	for _, bb := range []struct {
		name          string
		qos           byte
		subscriptions int
		mixed         bool
	}{
		{"qos0/subscriptions=1", 0, 1, false},
		{"qos1/subscriptions=1", 1, 1, false},
		{"qos1/subscriptions=50", 1, 50, false},
		{"qos1/subscriptions=50/mixed", 1, 50, true},
		{"qos2/subscriptions=1", 2, 1, false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := open(b, "phone", bb.subscriptions, bb.mixed)
			m := &broker.Message{
				Topic: "acme/chat/users/ana/" + strconv.Itoa(bb.subscriptions-1), QoS: bb.qos, Payload: make([]byte, 64),
			}
			var e session.Encodings
			id := make([]byte, 2)
			b.ReportAllocs()
			for b.Loop() {
				m.Position.Seq++ // nobody else has it
				s.Deliver(m, &e, false, epoch)
				out := s.Output()
				if bb.qos > 0 {
					at := 2 + 2 + len(m.Topic) // fixed header, length of the topic, topic
					copy(id, out[at:at+2])
					complete(s, bb.qos, id)
				}
			}
			if s.Closed() {
				b.Fatal("closed")
			}
		})
	}
}

// complete acknowledges a message to the end.
func complete(s *session.Session, qos byte, id []byte) {
	if qos == 1 {
		s.Receive(packet.Frame{Type: packet.PUBACK, Body: id}, epoch)
		return
	}
	s.Receive(packet.Frame{Type: packet.PUBREC, Body: id}, epoch)
	s.Receive(packet.Frame{Type: packet.PUBCOMP, Body: id}, epoch)
	s.Output()
}

// BenchmarkPublish is a QoS 1 publish of a client and its PUBACK.
func BenchmarkPublish(b *testing.B) {
	s := open(b, "phone", 0, false)
	f := frame(b, packet.Publish{Topic: []byte("acme/chat/users/ana/up"), QoS: 1, PacketID: 1, Payload: make([]byte, 64)}.Append(nil))
	b.ReportAllocs()
	for b.Loop() {
		s.Receive(f, epoch)
		s.Effects()
		s.Published(1, nil, epoch)
		s.Output()
	}
}

// BenchmarkIdle reports the memory of a session with one subscription that
// has received a message and pinged since.
func BenchmarkIdle(b *testing.B) {
	const sessions = 10_000
	for b.Loop() {
		before := heap()
		all := make([]*session.Session, sessions)
		for i := range all {
			all[i] = open(b, "device-"+strconv.Itoa(i), 1, false)
			idle(b, all[i])
		}
		b.ReportMetric(float64(heap()-before)/sessions, "B/session")
		runtime.KeepAlive(all)
	}
}

// idle takes a session through one message and a ping.
func idle(tb testing.TB, s *session.Session) {
	tb.Helper()
	s.Deliver(&broker.Message{
		Topic: "acme/chat/users/ana/0", QoS: 1, Payload: make([]byte, 2000), Position: broker.Position{Seq: 1},
	}, new(session.Encodings), false, epoch)
	s.Output()
	s.Receive(frame(tb, packet.Ack{Type: packet.PUBACK, PacketID: 1}.Append(nil)), epoch)
	s.Receive(frame(tb, packet.Pingreq{}.Append(nil)), epoch)
	s.Output()
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestIdleMemory keeps the cost of an idle session in sight: at 100,000 of
// them, 100 bytes are 10 MB.
func TestIdleMemory(t *testing.T) {
	const sessions, most = 2_000, 750
	before := heap()
	all := make([]*session.Session, sessions)
	for i := range all {
		all[i] = open(t, "device-"+strconv.Itoa(i), 1, false)
		idle(t, all[i])
	}
	each := (heap() - before) / sessions
	runtime.KeepAlive(all)
	t.Logf("%d bytes per idle session with one subscription", each)
	if session.Size > 512 { // where the allocator's next class begins
		t.Errorf("the struct has %d bytes", session.Size)
	}
	if each > most {
		t.Errorf("%d bytes per idle session, want at most %d", each, most)
	}
}
