package packet_test

import (
	"errors"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestConnect(t *testing.T) {
	tests := []struct {
		name string
		p    packet.Connect
		wire string
	}{
		{
			"the least there is",
			packet.Connect{ProtocolName: "MQTT", Version: packet.V311},
			"\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00",
		},
		{
			"everything",
			packet.Connect{
				ProtocolName: "MQTT", Version: packet.V311, Clean: true, KeepAlive: 60, ClientID: "phone",
				Will:        &packet.Will{Topic: "a/w", Payload: []byte("bye"), QoS: 1, Retain: true},
				HasUsername: true, Username: "acme/chat", HasPassword: true, Password: []byte("\x00pw"),
			},
			"\x10\x2b\x00\x04MQTT\x04\xee\x00\x3c\x00\x05phone\x00\x03a/w\x00\x03bye\x00\x09acme/chat\x00\x03\x00pw",
		},
		{
			"present and empty",
			packet.Connect{
				ProtocolName: "MQTT", Version: packet.V311, Will: &packet.Will{Topic: "w", Payload: []byte{}, QoS: 2},
				HasUsername: true, HasPassword: true, Password: []byte{},
			},
			"\x10\x15\x00\x04MQTT\x04\xd4\x00\x00\x00\x00\x00\x01w\x00\x00\x00\x00\x00\x00",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { roundTrip[packet.Connect](t, tt.p, tt.wire) })
	}
}

func TestConnectDefaults(t *testing.T) {
	for version, want := range map[packet.Version]string{
		0:           "\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00",
		packet.V31:  "\x10\x0e\x00\x06MQIsdp\x03\x00\x00\x00\x00\x00",
		packet.V311: "\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00",
		packet.V5:   "\x10\x0d\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00",
	} {
		if got := string(packet.Connect{Version: version}.Append(nil)); got != want {
			t.Errorf("version %v: got %q, want %q", version, got, want)
		}
	}
}

func TestConnectOfAnUnsupportedVersion(t *testing.T) { // [MQTT-3.1.2-2]
	tests := []struct {
		name, body string
		protocol   string
		version    packet.Version
	}{
		{"the level of 5.0 under the name of 3.1", "\x00\x06MQIsdp\x05\x02\x00\x3c\x00\x00\x01c", "MQIsdp", packet.V5},
		{"the oldest there was", "\x00\x06MQIsdp\x02\x02\x00\x3c\x00\x01c", "MQIsdp", 2},
		{"the level of 3.1 under the name of 3.1.1", "\x00\x04MQTT\x03\x02\x00\x3c\x00\x01c", "MQTT", packet.V31},
		{"the level of 3.1.1 under the name of 3.1", "\x00\x06MQIsdp\x04\x02\x00\x3c\x00\x01c", "MQIsdp", packet.V311},
		{"a bridge", "\x00\x04MQTT\x84\x02\x00\x3c\x00\x01c", "MQTT", 0x84},
		{"the future, in a form unknown", "\x00\x04MQTT\x63", "MQTT", 99},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p packet.Connect
			err := p.Decode(packet.Frame{Type: packet.CONNECT, Body: []byte(tt.body)})
			if !errors.Is(err, packet.ErrUnsupportedVersion) || errors.Is(err, packet.ErrMalformed) {
				t.Fatalf("error %v, want ErrUnsupportedVersion", err)
			}
			if p.ProtocolName != tt.protocol || p.Version != tt.version {
				t.Errorf("got %q %d, want %q %d", p.ProtocolName, p.Version, tt.protocol, tt.version)
			}
		})
	}
}

func TestConnectRefuses(t *testing.T) {
	const mqtt = "\x00\x04MQTT\x04"
	refuses[packet.Connect](t, packet.CONNECT, []fault{
		{"flags of the fixed header", 1, mqtt + "\x02\x00\x00\x00\x00", "MQTT-2.2.2-2"},
		{"nothing", 0, "", "section 2.2.3"},
		{"another protocol", 0, "\x00\x04mqtt\x04\x02\x00\x00\x00\x00", "MQTT-3.1.2-1"},
		{"no protocol", 0, "\x00\x00\x04\x02\x00\x00\x00\x00", "MQTT-3.1.2-1"},
		{"a protocol that is not UTF-8", 0, "\x00\x01\xff\x04\x02\x00\x00\x00\x00", "MQTT-1.5.3-1"},
		{"no level", 0, "\x00\x04MQTT", "section 2.2.3"},
		{"no flags", 0, mqtt, "section 2.2.3"},
		{"reserved flag", 0, mqtt + "\x03\x00\x00\x00\x00", "MQTT-3.1.2-3"},
		{"will QoS without a will", 0, mqtt + "\x0a\x00\x00\x00\x00", "MQTT-3.1.2-13"},
		{"will QoS 3", 0, mqtt + "\x1e\x00\x00\x00\x00\x00\x01w\x00\x00", "MQTT-3.1.2-14"},
		{"will retain without a will", 0, mqtt + "\x22\x00\x00\x00\x00", "MQTT-3.1.2-15"},
		{"password without a user name", 0, mqtt + "\x42\x00\x00\x00\x00\x00\x01p", "MQTT-3.1.2-22"},
		{"half a keep alive", 0, mqtt + "\x02\x00", "section 2.2.3"},
		{"no client identifier", 0, mqtt + "\x02\x00\x00", "section 2.2.3"},
		{"a client identifier that is not UTF-8", 0, mqtt + "\x02\x00\x00\x00\x01\xff", "MQTT-1.5.3-1"},
		{"a client identifier with NUL", 0, mqtt + "\x02\x00\x00\x00\x01\x00", "MQTT-1.5.3-2"},
		{"a client identifier that is cut", 0, mqtt + "\x02\x00\x00\x00\x05ab", "section 2.2.3"},
		{"no will topic", 0, mqtt + "\x06\x00\x00\x00\x00", "section 2.2.3"},
		{"an empty will topic", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x00\x00\x00", "MQTT-4.7.3-1"},
		{"a wildcard in the will topic", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x01#\x00\x00", "MQTT-4.7.1-1"},
		{"no will message", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x01w", "section 2.2.3"},
		{"no user name", 0, mqtt + "\x82\x00\x00\x00\x00", "section 2.2.3"},
		{"a user name that is not UTF-8", 0, mqtt + "\x82\x00\x00\x00\x00\x00\x01\xff", "MQTT-1.5.3-1"},
		{"no password", 0, mqtt + "\xc2\x00\x00\x00\x00\x00\x01u", "section 2.2.3"},
		{"a user name that the flags do not have", 0, mqtt + "\x02\x00\x00\x00\x00\x00\x01u", "section 2.2.3"},
		{"a password that the flags do not have", 0, mqtt + "\x82\x00\x00\x00\x00\x00\x01u\x00\x01p", "section 2.2.3"},
	})
}

// The server must answer these two with a CONNACK, so they are not malformed.
func TestConnectLeavesTheEmptyClientIDToTheSession(t *testing.T) { // [MQTT-3.1.3-8]
	for _, flags := range []string{"\x00", "\x02"} {
		var p packet.Connect
		err := p.Decode(packet.Frame{Type: packet.CONNECT, Body: []byte("\x00\x04MQTT\x04" + flags + "\x00\x00\x00\x00")})
		if err != nil || p.ClientID != "" {
			t.Errorf("flags %q: got %q, %v", flags, p.ClientID, err)
		}
	}
}

func TestConnectOwnsItsContent(t *testing.T) {
	want := packet.Connect{
		ClientID: "c", Will: &packet.Will{Topic: "w", Payload: []byte("bye")},
		HasUsername: true, Username: "u", HasPassword: true, Password: []byte("p"),
	}.Append(nil)
	f := split(t, string(want))
	var p packet.Connect
	if err := p.Decode(f); err != nil {
		t.Fatal(err)
	}
	clear(f.Body)
	if got := p.Append(nil); string(got) != string(want) {
		t.Errorf("after the buffer was reused: %q, want %q", got, want)
	}
}
