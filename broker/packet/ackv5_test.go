package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

var acks = map[packet.Type]byte{packet.PUBACK: 0x40, packet.PUBREC: 0x50, packet.PUBREL: 0x62, packet.PUBCOMP: 0x70}

func TestAckOf5(t *testing.T) {
	for typ, first := range acks {
		head := string([]byte{first})
		ack := packet.Ack{Type: typ, Version: packet.V5, PacketID: 0x0102}
		roundTrip[packet.Ack](t, ack, head+"\x02\x01\x02")
		decodes[packet.Ack](t, ack, head+"\x03\x01\x02\x00")     // the reason need not be left out
		decodes[packet.Ack](t, ack, head+"\x04\x01\x02\x00\x00") // nor the properties
		ack.Properties.ReasonString = "why"
		roundTrip[packet.Ack](t, ack, head+"\x0a\x01\x02\x00\x06\x1f\x00\x03why")
		ack.Properties.User = users("k", "v")
		roundTrip[packet.Ack](t, ack, head+"\x11\x01\x02\x00\x0d\x1f\x00\x03why\x26\x00\x01k\x00\x01v")
		ack.Properties = packet.AckProperties{}
		ack.Reason = packet.PacketIdentifierNotFound
		if typ == packet.PUBACK || typ == packet.PUBREC {
			ack.Reason = packet.NoMatchingSubscribers
		}
		roundTrip[packet.Ack](t, ack, head+"\x03\x01\x02"+string([]byte{byte(ack.Reason)}))
	}
}

func TestAckOf5Refuses(t *testing.T) {
	for typ, first := range acks {
		flags, clause := first&0xf, "MQTT-2.1.3-1"
		if typ == packet.PUBREL {
			clause = "MQTT-3.6.1-1"
		}
		refuses5[packet.Ack](t, typ, []fault5{
			{"flags", 1, "\x00\x01", clause, malformed},
			{"no packet identifier", flags, "", "section 2.1.4", malformed},
			{"packet identifier 0", flags, "\x00\x00", "MQTT-2.2.1-3", malformed},
			{"too long", flags, "\x00\x01\x00\x00\x00", "section 2.1.4", malformed},
		})
	}
	refuses5[packet.Ack](t, packet.UNSUBACK, []fault5{{"an UNSUBACK has codes", 0, "\x00\x01", "section 2.1.2", malformed}})
}

// 3.1 has no reserved flags, and DUP on what is sent again.
func TestFlagsOf31(t *testing.T) {
	for typ, flags := range map[packet.Type][]byte{
		packet.PUBACK: {0, 1, 8, 0xf}, packet.PUBREL: {2, 0b1010, 0b1011}, packet.PINGREQ: {0, 0xf},
	} {
		for _, flags := range flags {
			f := packet.Frame{Type: typ, Flags: flags, Body: []byte("\x00\x01"), Version: packet.V31}
			if typ == packet.PINGREQ {
				f.Body = nil
			}
			if _, err := decode(f); err != nil {
				t.Errorf("%v with flags %04b: %v", typ, flags, err)
			}
		}
	}
	for _, flags := range []byte{0, 0b0100, 0b0110, 0b1000} {
		_, err := decode(packet.Frame{Type: packet.PUBREL, Flags: flags, Body: []byte("\x00\x01"), Version: packet.V31})
		wantMalformed(t, err, packet.PUBREL, "MQTT-3.6.1-1")
	}
}
