package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestAuth(t *testing.T) {
	roundTrip[packet.Auth](t, packet.Auth{}, "\xf0\x00")
	roundTrip[packet.Auth](t, packet.Auth{
		Reason: packet.Reauthenticate, Properties: packet.AuthProperties{AuthMethod: "JWT"},
	}, "\xf0\x08\x19\x06\x15\x00\x03JWT")
	roundTrip[packet.Auth](t, packet.Auth{
		Reason: packet.ContinueAuthentication,
		Properties: packet.AuthProperties{
			AuthMethod: "JWT", AuthData: []byte("\xff"), ReasonString: "why", User: users("k", "v"),
		},
	}, "\xf0\x19\x18\x17\x15\x00\x03JWT\x16\x00\x01\xff\x1f\x00\x03why\x26\x00\x01k\x00\x01v")
	roundTrip[packet.Auth](t, packet.Auth{
		Properties: packet.AuthProperties{AuthMethod: "JWT", AuthData: []byte{}},
	}, "\xf0\x0b\x00\x09\x15\x00\x03JWT\x16\x00\x00")
}

func TestAuthRefuses(t *testing.T) {
	refuses5[packet.Auth](t, packet.AUTH, []fault5{
		{"flags", 1, "", "MQTT-3.15.1-1", malformed},
		{"a reason without a property length", 0, "\x18", "section 2.1.4", malformed},
		{"no method", 0, "\x18\x00", "section 3.15.2.2.2", protocol},
		{"data without a method", 0, "\x18\x04\x16\x00\x01x", "section 3.15.2.2.2", protocol},
		{"too long", 0, "\x18\x06\x15\x00\x03JWT\x00", "section 2.1.4", malformed},
	})
	for _, version := range []packet.Version{packet.V31, packet.V311, 0} {
		err := new(packet.Auth).Decode(packet.Frame{Type: packet.AUTH, Version: version})
		wantMalformed(t, err, packet.AUTH, "section 2.2.1")
	}
}
