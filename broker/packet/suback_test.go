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
