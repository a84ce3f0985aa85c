package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestDisconnect(t *testing.T) {
	roundTrip[packet.Disconnect](t, packet.Disconnect{}, "\xe0\x00")
}

func TestDisconnectRefuses(t *testing.T) {
	refuses[packet.Disconnect](t, packet.DISCONNECT, []fault{
		{"flags", 1, "", "MQTT-3.14.1-1"},
		{"the body of 5.0", 0, "\x00", "section 2.2.3"},
	})
}

func TestDecodeOfAnotherTypeIsAnError(t *testing.T) {
	err := new(packet.Disconnect).Decode(packet.Frame{Type: packet.PINGREQ})
	wantMalformed(t, err, packet.DISCONNECT, "section 2.2.1")
	err = new(packet.Connect).Decode(packet.Frame{Type: packet.PINGREQ})
	wantMalformed(t, err, packet.CONNECT, "section 2.2.1")
}

func TestDisconnectOf5(t *testing.T) {
	bye := packet.Disconnect{Version: packet.V5}
	roundTrip[packet.Disconnect](t, bye, "\xe0\x00")
	decodes[packet.Disconnect](t, bye, "\xe0\x01\x00")     // the reason need not be left out
	decodes[packet.Disconnect](t, bye, "\xe0\x02\x00\x00") // nor the properties
	bye.Reason = packet.DisconnectWithWill
	roundTrip[packet.Disconnect](t, bye, "\xe0\x01\x04")
	bye.Properties = packet.DisconnectProperties{
		HasSessionExpiry: true, ReasonString: "why", User: users("k", "v"), ServerReference: "other",
	}
	roundTrip[packet.Disconnect](t, bye, "\xe0\x1c\x04\x1a\x11\x00\x00\x00\x00\x1f\x00\x03why\x26\x00\x01k\x00\x01v\x1c\x00\x05other")
	roundTrip[packet.Disconnect](t, packet.Disconnect{Version: packet.V5, Properties: packet.DisconnectProperties{
		HasSessionExpiry: true, SessionExpiry: 10,
	}}, "\xe0\x07\x00\x05\x11\x00\x00\x00\x0a")
}

func TestDisconnectBefore5SaysNothing(t *testing.T) {
	for _, version := range []packet.Version{0, packet.V31, packet.V311} {
		p := packet.Disconnect{Version: version, Reason: packet.ServerBusy}
		if got := string(p.Append(nil)); got != "\xe0\x00" {
			t.Errorf("%v: got %q", version, got)
		}
	}
}

func TestDisconnectOf5Refuses(t *testing.T) {
	refuses5[packet.Disconnect](t, packet.DISCONNECT, []fault5{
		{"flags", 1, "", "MQTT-3.14.1-1", malformed},
		{"too long", 0, "\x00\x00\x00", "section 2.1.4", malformed},
	})
}
