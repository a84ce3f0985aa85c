package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestSuback(t *testing.T) {
	roundTrip[packet.Suback](t, packet.Suback{
		PacketID: 10, Codes: []byte{0, 1, 2, packet.SubackFailure},
	}, "\x90\x06\x00\x0a\x00\x01\x02\x80")
}

func TestSubackRefuses(t *testing.T) {
	refuses[packet.Suback](t, packet.SUBACK, []fault{
		{"flags", 2, "\x00\x01\x00", "MQTT-2.2.2-2"},
		{"packet identifier 0", 0, "\x00\x00\x00", "MQTT-2.3.1-1"},
		{"no return code", 0, "\x00\x01", "MQTT-3.8.4-5"},
		{"a reserved return code", 0, "\x00\x01\x00\x03", "MQTT-3.9.3-2"},
	})
}

func TestSubackOfOtherVersions(t *testing.T) {
	roundTrip[packet.Suback](t, packet.Suback{
		Version: packet.V31, PacketID: 10, Codes: []byte{0, 1, 2, packet.SubackFailure},
	}, "\x90\x06\x00\x0a\x00\x01\x02\x80")
	roundTrip[packet.Suback](t, packet.Suback{
		Version: packet.V5, PacketID: 10, Codes: []byte{0, 1, 2, byte(packet.NotAuthorizedV5)},
	}, "\x90\x07\x00\x0a\x00\x00\x01\x02\x87")
	roundTrip[packet.Suback](t, packet.Suback{
		Version: packet.V5, PacketID: 10, Codes: []byte{0},
		Properties: packet.AckProperties{ReasonString: "why", User: users("k", "v")},
	}, "\x90\x11\x00\x0a\x0d\x1f\x00\x03why\x26\x00\x01k\x00\x01v\x00")
}

func TestSubackOf5Refuses(t *testing.T) {
	refuses5[packet.Suback](t, packet.SUBACK, []fault5{
		{"flags", 2, "\x00\x01\x00\x00", "MQTT-2.1.3-1", malformed},
		{"packet identifier 0", 0, "\x00\x00\x00\x00", "MQTT-2.2.1-3", malformed},
		{"no property length", 0, "\x00\x01", "section 2.1.4", malformed},
		{"no reason code", 0, "\x00\x01\x00", "MQTT-3.8.4-6", malformed},
		{"a bad second code", 0, "\x00\x01\x00\x00\x03", "MQTT-3.9.3-2", protocol},
	})
}
