package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestConnack(t *testing.T) {
	roundTrip[packet.Connack](t, packet.Connack{}, "\x20\x02\x00\x00")
	roundTrip[packet.Connack](t, packet.Connack{SessionPresent: true}, "\x20\x02\x01\x00")
	roundTrip[packet.Connack](t, packet.Connack{Code: packet.NotAuthorized}, "\x20\x02\x00\x05")
}

func TestConnackRefusalHasNoSession(t *testing.T) { // [MQTT-3.2.2-4]
	got := packet.Connack{SessionPresent: true, Code: packet.ServerUnavailable}.Append(nil)
	if string(got) != "\x20\x02\x00\x03" {
		t.Errorf("got %q", got)
	}
}

func TestConnackRefuses(t *testing.T) {
	refuses[packet.Connack](t, packet.CONNACK, []fault{
		{"flags of the fixed header", 8, "\x00\x00", "MQTT-2.2.2-2"},
		{"too short", 0, "\x00", "section 2.2.3"},
		{"too long", 0, "\x00\x00\x00", "section 2.2.3"},
		{"reserved acknowledge flags", 0, "\x02\x00", "section 3.2.2.1"},
		{"reserved return code", 0, "\x00\x06", "section 3.2.2.3"},
		{"session present with a refusal", 0, "\x01\x05", "MQTT-3.2.2-4"},
	})
}
