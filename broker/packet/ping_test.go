package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestPing(t *testing.T) {
	roundTrip[packet.Pingreq](t, packet.Pingreq{}, "\xc0\x00")
	roundTrip[packet.Pingresp](t, packet.Pingresp{}, "\xd0\x00")
}

func TestPingRefuses(t *testing.T) {
	faults := []fault{
		{"flags", 1, "", "MQTT-2.2.2-2"},
		{"a body", 0, "x", "section 2.2.3"},
	}
	refuses[packet.Pingreq](t, packet.PINGREQ, faults)
	refuses[packet.Pingresp](t, packet.PINGRESP, faults)
}
