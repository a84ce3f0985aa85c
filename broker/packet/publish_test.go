package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestPublish(t *testing.T) {
	tests := []struct {
		name string
		p    packet.Publish
		wire string
	}{
		{
			"QoS 0",
			packet.Publish{Topic: []byte("a/b"), Payload: []byte("hi")},
			"\x30\x07\x00\x03a/bhi",
		},
		{
			"QoS 1, retained",
			packet.Publish{QoS: 1, Retain: true, PacketID: 10, Topic: []byte("a/b"), Payload: []byte("hi")},
			"\x33\x09\x00\x03a/b\x00\x0ahi",
		},
		{
			"QoS 2, again, without a payload",
			packet.Publish{QoS: 2, Dup: true, PacketID: 0xffff, Topic: []byte("/"), Payload: []byte{}},
			"\x3c\x05\x00\x01/\xff\xff",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { roundTrip[packet.Publish](t, tt.p, tt.wire) })
	}
}

func TestPublishQoS0HasNeitherIdentifierNorDup(t *testing.T) { // [MQTT-2.3.1-5] [MQTT-3.3.1-2]
	got := packet.Publish{Dup: true, PacketID: 7, Topic: []byte("t"), Payload: []byte("x")}.Append(nil)
	if string(got) != "\x30\x04\x00\x01tx" {
		t.Errorf("got %q", got)
	}
}

func TestPublishAliasesTheFrame(t *testing.T) {
	f := split(t, "\x30\x07\x00\x03a/bhi")
	var p packet.Publish
	if err := p.Decode(f); err != nil {
		t.Fatal(err)
	}
	copy(f.Body[2:], "c/dHI")
	if string(p.Topic) != "c/d" || string(p.Payload) != "HI" {
		t.Errorf("got %q %q: a copy was made", p.Topic, p.Payload)
	}
}

func TestPublishRefuses(t *testing.T) {
	refuses[packet.Publish](t, packet.PUBLISH, []fault{
		{"QoS 3", 0b0110, "\x00\x01t\x00\x01", "MQTT-3.3.1-4"},
		{"DUP with QoS 0", 0b1000, "\x00\x01t", "MQTT-3.3.1-2"},
		{"nothing", 0, "", "section 2.2.3"},
		{"a topic that is cut", 0, "\x00\x02t", "section 2.2.3"},
		{"an empty topic", 0, "\x00\x00", "MQTT-4.7.3-1"},
		{"a plus in the topic", 0, "\x00\x03a/+", "MQTT-3.3.2-2"},
		{"a hash in the topic", 0, "\x00\x03a/#", "MQTT-3.3.2-2"},
		{"a wildcard within a level", 0, "\x00\x03a+b", "MQTT-3.3.2-2"},
		{"a topic that is not UTF-8", 0, "\x00\x01\xff", "MQTT-1.5.3-1"},
		{"a topic with NUL", 0, "\x00\x01\x00", "MQTT-1.5.3-2"},
		{"no packet identifier", 0b0010, "\x00\x01t", "section 2.2.3"},
		{"half a packet identifier", 0b0010, "\x00\x01t\x00", "section 2.2.3"},
		{"packet identifier 0", 0b0010, "\x00\x01t\x00\x00", "MQTT-2.3.1-1"},
		{"packet identifier 0 with QoS 2", 0b0100, "\x00\x01t\x00\x00", "MQTT-2.3.1-1"},
	})
}

// messages are what the allocation test and the benchmarks work on.
var messages = []struct {
	name string
	p    packet.Publish
}{
	{"3.1.1/qos=0", packet.Publish{Topic: []byte("acme/chat/users/ana"), Payload: make([]byte, 256)}},
	{"3.1.1/qos=1", packet.Publish{QoS: 1, PacketID: 7, Topic: []byte("acme/chat/users/ana"), Payload: make([]byte, 256)}},
	{"5.0/qos=0", packet.Publish{Version: packet.V5, Topic: []byte("acme/chat/users/ana"), Payload: make([]byte, 256)}},
	{"5.0/qos=1", packet.Publish{Version: packet.V5, QoS: 1, PacketID: 7, Topic: []byte("acme/chat/users/ana"), Payload: make([]byte, 256)}},
	{"5.0/qos=1/properties", packet.Publish{
		Version: packet.V5, QoS: 1, PacketID: 7, Topic: []byte("acme/chat/users/ana"), Payload: make([]byte, 256),
		Properties: packet.PublishProperties{
			PayloadFormat: 1, HasMessageExpiry: true, MessageExpiry: 60, TopicAlias: 5, ResponseTopic: []byte("acme/chat/answers"),
			HasCorrelation: true, Correlation: make([]byte, 16), ContentType: []byte("application/json"),
			User: users("trace", "4bf92f3577b34da6", "sender", "ana"),
		},
	}},
}

func TestPublishDoesNotAllocate(t *testing.T) {
	for _, m := range messages {
		wire := m.p.Append(nil)
		buf := make([]byte, 0, len(wire))
		encoded := packet.Encode(m.p)
		for what, run := range map[string]func(){
			"decode": func() {
				f, _, err := packet.Split(wire, 0)
				f.Version = m.p.Version
				var p packet.Publish
				if err != nil || p.Decode(f) != nil {
					panic("not decoded")
				}
			},
			"append":  func() { buf = m.p.Append(buf[:0]) },
			"encoded": func() { buf = encoded.AppendTo(buf[:0], 7, true) },
		} {
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%s %s: %v allocations", m.name, what, n)
			}
		}
	}
}

func TestSubscriptionIdentifiersAreWrittenWithoutAllocating(t *testing.T) {
	p := messages[len(messages)-1].p
	p.Properties.SubscriptionIDs = []uint32{1, 300}
	buf := p.Append(nil)
	if n := testing.AllocsPerRun(100, func() { buf = p.Append(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPacketPublishDecode(b *testing.B) {
	for _, m := range messages {
		b.Run(m.name, func(b *testing.B) {
			p, wire := m.p, m.p.Append(nil)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				f, _, err := packet.Split(wire, 0)
				if err != nil {
					b.Fatal(err)
				}
				f.Version = m.p.Version
				if err := p.Decode(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPacketPublishAppend(b *testing.B) {
	for _, m := range messages {
		b.Run(m.name, func(b *testing.B) {
			buf := m.p.Append(nil)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf = m.p.Append(buf[:0])
			}
		})
	}
}
