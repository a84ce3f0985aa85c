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
}
