package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestEncodedEqualsPublish(t *testing.T) {
	for qos := range byte(3) {
		for _, retain := range []bool{false, true} {
			for _, dup := range []bool{false, true} {
				e := packet.Encode(packet.Publish{Topic: []byte("a/b"), Payload: []byte("hi"), QoS: qos, Retain: retain})
				p := packet.Publish{QoS: qos, Retain: retain, Dup: dup, PacketID: 0x0102, Topic: []byte("a/b"), Payload: []byte("hi")}
				got, want := e.AppendTo([]byte("before"), 0x0102, dup), p.Append([]byte("before"))
				if string(got) != string(want) {
					t.Errorf("QoS %d retain %t dup %t: got %q, want %q", qos, retain, dup, got, want)
				}
				if e.Len() != len(want)-len("before") {
					t.Errorf("Len %d, want %d", e.Len(), len(want)-len("before"))
				}
			}
		}
	}
}

func TestEncodedServesManyReceivers(t *testing.T) {
	e := packet.Encode(packet.Publish{Topic: []byte("t"), Payload: []byte("x"), QoS: 1})
	stream := e.AppendTo(nil, 1, true)
	stream = e.AppendTo(stream, 2, false)
	if want := "\x3a\x06\x00\x01t\x00\x01x\x32\x06\x00\x01t\x00\x02x"; string(stream) != want {
		t.Errorf("got %q, want %q", stream, want)
	}
}

func TestEncodedOwnsItsContent(t *testing.T) {
	payload := []byte("x")
	e := packet.Encode(packet.Publish{Topic: []byte("t"), Payload: payload})
	payload[0] = 'y'
	if got := string(e.AppendTo(nil, 0, false)); got != "\x30\x04\x00\x01tx" {
		t.Errorf("got %q", got)
	}
}

func TestEncodedIgnoresWhatReceiversHaveThemselves(t *testing.T) {
	e := packet.Encode(packet.Publish{Topic: []byte("t"), QoS: 1, Dup: true, PacketID: 9})
	if got := string(e.AppendTo(nil, 1, false)); got != "\x32\x05\x00\x01t\x00\x01" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkPacketEncodedAppendTo(b *testing.B) {
	for _, m := range messages {
		b.Run(m.name, func(b *testing.B) {
			e := packet.Encode(m.p)
			buf := make([]byte, 0, e.Len())
			b.SetBytes(int64(e.Len()))
			b.ReportAllocs()
			for b.Loop() {
				buf = e.AppendTo(buf[:0], 7, false)
			}
		})
	}
}
