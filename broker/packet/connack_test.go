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

func TestConnackOf31(t *testing.T) {
	roundTrip[packet.Connack](t, packet.Connack{Version: packet.V31, Code: packet.NotAuthorized}, "\x20\x02\x00\x05")
	if got := string(packet.Connack{Version: packet.V31, SessionPresent: true}.Append(nil)); got != "\x20\x02\x00\x00" {
		t.Errorf("got %q: 3.1 has no session present", got)
	}
	decodes[packet.Connack](t, packet.Connack{Version: packet.V31}, "\x20\x02\xff\x00") // reserved, and not used
}

func TestConnackOf5(t *testing.T) {
	tests := []struct {
		name string
		p    packet.Connack
		wire string
	}{
		{"the least there is", packet.Connack{}, "\x20\x03\x00\x00\x00"},
		{"session present", packet.Connack{SessionPresent: true}, "\x20\x03\x01\x00\x00"},
		{"a refusal", packet.Connack{Reason: packet.ServerBusy}, "\x20\x03\x00\x89\x00"},
		{
			"everything",
			packet.Connack{Properties: packet.ConnackProperties{
				HasSessionExpiry: true, SessionExpiry: 3600, ReceiveMaximum: 10, HasMaximumQoS: true, MaximumQoS: 1,
				RetainUnavailable: true, MaximumPacketSize: 262144, AssignedClientID: "id", TopicAliasMaximum: 5,
				ReasonString: "why", User: users("k", "v"), WildcardUnavailable: true, SubscriptionIDsUnavailable: true,
				SharedUnavailable: true, HasServerKeepAlive: true, ServerKeepAlive: 60, ResponseInfo: "r",
				ServerReference: "other", AuthMethod: "JWT", AuthData: []byte("\xff"),
			}},
			"\x20\x48\x00\x00\x45\x11\x00\x00\x0e\x10\x21\x00\x0a\x24\x01\x25\x00\x27\x00\x04\x00\x00\x12\x00\x02id" +
				"\x22\x00\x05\x1f\x00\x03why\x26\x00\x01k\x00\x01v\x28\x00\x29\x00\x2a\x00\x13\x00\x3c\x1a\x00\x01r" +
				"\x1c\x00\x05other\x15\x00\x03JWT\x16\x00\x01\xff",
		},
		{
			"present and zero",
			packet.Connack{Properties: packet.ConnackProperties{
				HasSessionExpiry: true, HasMaximumQoS: true, HasServerKeepAlive: true, AuthData: []byte{},
			}},
			"\x20\x10\x00\x00\x0d\x11\x00\x00\x00\x00\x24\x00\x13\x00\x00\x16\x00\x00",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Version = packet.V5
			roundTrip[packet.Connack](t, tt.p, tt.wire)
		})
	}
}

// What a server says it can do is what it can do without saying so.
func TestConnackOf5ThatOffersEverything(t *testing.T) {
	decodes[packet.Connack](t, packet.Connack{Version: packet.V5}, "\x20\x0b\x00\x00\x08\x25\x01\x28\x01\x29\x01\x2a\x01")
}

func TestConnackOf5RefusalHasNoSession(t *testing.T) { // [MQTT-3.2.2-6]
	got := packet.Connack{Version: packet.V5, SessionPresent: true, Reason: packet.Banned}.Append(nil)
	if string(got) != "\x20\x03\x00\x8a\x00" {
		t.Errorf("got %q", got)
	}
}

func TestConnackOf5Refuses(t *testing.T) {
	refuses5[packet.Connack](t, packet.CONNACK, []fault5{
		{"flags of the fixed header", 8, "\x00\x00\x00", "MQTT-2.1.3-1", malformed},
		{"too short", 0, "\x00", "section 2.1.4", malformed},
		{"no property length", 0, "\x00\x00", "section 2.1.4", malformed},
		{"too long", 0, "\x00\x00\x00\x00", "section 2.1.4", malformed},
		{"reserved acknowledge flags", 0, "\x02\x00\x00", "MQTT-3.2.2-1", malformed},
		{"session present with a refusal", 0, "\x01\x87\x00", "MQTT-3.2.2-6", malformed},
		{"a return code of 3.1.1", 0, "\x00\x05\x00", "MQTT-3.2.2-8", protocol},
	})
}
