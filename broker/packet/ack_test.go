package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestAck(t *testing.T) {
	for typ, wire := range map[packet.Type]string{
		packet.PUBACK:   "\x40\x02\x01\x02",
		packet.PUBREC:   "\x50\x02\x01\x02",
		packet.PUBREL:   "\x62\x02\x01\x02",
		packet.PUBCOMP:  "\x70\x02\x01\x02",
		packet.UNSUBACK: "\xb0\x02\x01\x02",
	} {
		roundTrip[packet.Ack](t, packet.Ack{Type: typ, PacketID: 0x0102}, wire)
	}
}

func TestAckRefuses(t *testing.T) {
	refuses[packet.Ack](t, packet.PUBACK, []fault{
		{"flags", 2, "\x00\x01", "MQTT-2.2.2-2"},
		{"no packet identifier", 0, "", "section 2.2.3"},
		{"half a packet identifier", 0, "\x00", "section 2.2.3"},
		{"packet identifier 0", 0, "\x00\x00", "MQTT-2.3.1-1"},
		{"too long", 0, "\x00\x01\x00", "section 2.2.3"},
	})
	refuses[packet.Ack](t, packet.PUBREL, []fault{
		{"no flags", 0, "\x00\x01", "MQTT-3.6.1-1"},
		{"the DUP flag of 3.1", 0b1010, "\x00\x01", "MQTT-3.6.1-1"},
	})
	refuses[packet.Ack](t, packet.SUBACK, []fault{
		{"a packet that is none of the five", 0, "\x00\x01", "section 2.2.1"},
	})
}

func TestAckDoesNotAllocate(t *testing.T) {
	for _, p := range []packet.Ack{
		{Type: packet.PUBACK, PacketID: 7},
		{Type: packet.PUBACK, Version: packet.V5, PacketID: 7},
		{Type: packet.PUBREC, Version: packet.V5, PacketID: 7, Reason: packet.NoMatchingSubscribers},
	} {
		wire := p.Append(nil)
		n := testing.AllocsPerRun(100, func() {
			f, _, err := packet.Split(wire, 0)
			f.Version = p.Version
			var back packet.Ack
			if err != nil || back.Decode(f) != nil {
				panic("not decoded")
			}
			wire = back.Append(wire[:0])
		})
		if n != 0 {
			t.Errorf("%+v: %v allocations", p, n)
		}
	}
}
