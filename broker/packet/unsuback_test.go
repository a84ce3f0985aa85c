package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestUnsuback(t *testing.T) {
	for _, version := range []packet.Version{0, packet.V31, packet.V311} {
		roundTrip[packet.Unsuback](t, packet.Unsuback{Version: version, PacketID: 0x0102}, "\xb0\x02\x01\x02")
	}
	roundTrip[packet.Unsuback](t, packet.Unsuback{
		Version: packet.V5, PacketID: 10,
		Codes: []packet.ReasonCode{packet.Success, packet.NoSubscriptionExisted, packet.NotAuthorizedV5},
	}, "\xb0\x06\x00\x0a\x00\x00\x11\x87")
	roundTrip[packet.Unsuback](t, packet.Unsuback{
		Version: packet.V5, PacketID: 10, Codes: []packet.ReasonCode{packet.Success},
		Properties: packet.AckProperties{ReasonString: "why", User: users("k", "v")},
	}, "\xb0\x11\x00\x0a\x0d\x1f\x00\x03why\x26\x00\x01k\x00\x01v\x00")
}

func TestUnsubackRefuses(t *testing.T) {
	refuses[packet.Unsuback](t, packet.UNSUBACK, []fault{
		{"flags", 2, "\x00\x01", "MQTT-2.2.2-2"},
		{"no packet identifier", 0, "", "section 2.2.3"},
		{"packet identifier 0", 0, "\x00\x00", "MQTT-2.3.1-1"},
		{"the codes of 5.0", 0, "\x00\x01\x00\x00", "section 2.2.3"},
	})
	refuses5[packet.Unsuback](t, packet.UNSUBACK, []fault5{
		{"flags", 2, "\x00\x01\x00\x00", "MQTT-2.1.3-1", malformed},
		{"packet identifier 0", 0, "\x00\x00\x00\x00", "MQTT-2.2.1-3", malformed},
		{"no property length", 0, "\x00\x01", "section 2.1.4", malformed},
		{"no reason code", 0, "\x00\x01\x00", "MQTT-3.11.3-1", malformed},
		{"a bad second code", 0, "\x00\x01\x00\x00\x01", "MQTT-3.11.3-2", protocol},
	})
}
