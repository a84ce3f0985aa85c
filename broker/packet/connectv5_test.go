package packet_test

import (
	"errors"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestConnectOf5(t *testing.T) {
	tests := []struct {
		name string
		p    packet.Connect
		wire string
	}{
		{"the least there is", packet.Connect{}, "\x10\x0d\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00"},
		{
			"a password without a user name",
			packet.Connect{HasPassword: true, Password: []byte("pw")},
			"\x10\x11\x00\x04MQTT\x05\x40\x00\x00\x00\x00\x00\x00\x02pw",
		},
		{
			"every property",
			packet.Connect{Clean: true, KeepAlive: 60, ClientID: "c", Properties: packet.ConnectProperties{
				SessionExpiry: 0xffffffff, ReceiveMaximum: 10, MaximumPacketSize: 65536, TopicAliasMaximum: 5,
				RequestResponseInfo: true, NoProblemInfo: true, User: users("k", "v", "k", "w"),
				HasAuthMethod: true, AuthMethod: "JWT", AuthData: []byte("\xff"),
			}},
			"\x10\x3a\x00\x04MQTT\x05\x02\x00\x3c\x2c\x11\xff\xff\xff\xff\x21\x00\x0a\x27\x00\x01\x00\x00\x22\x00\x05" +
				"\x19\x01\x17\x00\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01w\x15\x00\x03JWT\x16\x00\x01\xff\x00\x01c",
		},
		{
			"an empty method, without data",
			packet.Connect{Properties: packet.ConnectProperties{HasAuthMethod: true}},
			"\x10\x10\x00\x04MQTT\x05\x00\x00\x00\x03\x15\x00\x00\x00\x00",
		},
		{
			"every property of a will",
			packet.Connect{ClientID: "c", Will: &packet.Will{
				Topic: "w", Payload: []byte("bye"), QoS: 2, Retain: true, Properties: packet.WillProperties{
					DelayInterval: 5, PayloadFormat: 1, HasMessageExpiry: true, MessageExpiry: 60, ContentType: "text",
					ResponseTopic: "a/r", CorrelationData: []byte("\x00"), User: users("k", "v"),
				},
			}},
			"\x10\x3b\x00\x04MQTT\x05\x34\x00\x00\x00\x00\x01c\x24\x18\x00\x00\x00\x05\x01\x01\x02\x00\x00\x00\x3c" +
				"\x03\x00\x04text\x08\x00\x03a/r\x09\x00\x01\x00\x26\x00\x01k\x00\x01v\x00\x01w\x00\x03bye",
		},
		{
			"a will without, and a login",
			packet.Connect{
				Will:        &packet.Will{Topic: "w", Payload: []byte{}, Properties: packet.WillProperties{HasMessageExpiry: true}},
				HasUsername: true, Username: "u", HasPassword: true, Password: []byte{},
			},
			"\x10\x1d\x00\x04MQTT\x05\xc4\x00\x00\x00\x00\x00\x05\x02\x00\x00\x00\x00\x00\x01w\x00\x00\x00\x01u\x00\x00",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Version, tt.p.ProtocolName = packet.V5, "MQTT"
			roundTrip[packet.Connect](t, tt.p, tt.wire)
		})
	}
}

// What is the default says nothing, whether it is written or not.
func TestConnectOf5Defaults(t *testing.T) {
	decodes[packet.Connect](t, packet.Connect{Version: packet.V5, ProtocolName: "MQTT"},
		"\x10\x19\x00\x04MQTT\x05\x00\x00\x00\x0c\x11\x00\x00\x00\x00\x22\x00\x00\x17\x01\x19\x00\x00\x00")
}

func TestConnectIgnoresTheVersionOfTheFrame(t *testing.T) {
	for _, wire := range []string{
		"\x10\x0d\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00",
		"\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00",
		"\x10\x0e\x00\x06MQIsdp\x03\x00\x00\x00\x00\x00",
	} {
		for _, version := range []packet.Version{0, packet.V31, packet.V311, packet.V5} {
			f := split(t, wire)
			f.Version = version
			var p packet.Connect
			if err := p.Decode(f); err != nil || string(p.Append(nil)) != wire {
				t.Errorf("%q on a frame of %v: %+v, %v", wire, version, p, err)
			}
		}
	}
}

func TestConnectOf5Refuses(t *testing.T) {
	const mqtt = "\x00\x04MQTT\x05"
	refuses5[packet.Connect](t, packet.CONNECT, []fault5{
		{"flags of the fixed header", 1, mqtt + "\x02\x00\x00\x00\x00\x00", "MQTT-2.1.3-1", malformed},
		{"no flags", 0, mqtt, "section 2.1.4", malformed},
		{"reserved flag", 0, mqtt + "\x03\x00\x00\x00\x00\x00", "MQTT-3.1.2-3", malformed},
		{"will QoS without a will", 0, mqtt + "\x0a\x00\x00\x00\x00\x00", "MQTT-3.1.2-11", malformed},
		{"will QoS 3", 0, mqtt + "\x1e\x00\x00\x00\x00\x00\x00\x00\x01w\x00\x00", "MQTT-3.1.2-12", malformed},
		{"will retain without a will", 0, mqtt + "\x22\x00\x00\x00\x00\x00", "MQTT-3.1.2-13", malformed},
		{"no property length", 0, mqtt + "\x02\x00\x00", "section 2.1.4", malformed},
		{"no client identifier", 0, mqtt + "\x02\x00\x00\x00", "section 2.1.4", malformed},
		{"a client identifier that is not UTF-8", 0, mqtt + "\x02\x00\x00\x00\x00\x01\xff", "MQTT-1.5.4-1", malformed},
		{"a client identifier with NUL", 0, mqtt + "\x02\x00\x00\x00\x00\x01\x00", "MQTT-1.5.4-2", malformed},
		{"no will", 0, mqtt + "\x06\x00\x00\x00\x00\x00", "section 2.1.4", malformed},
		{"no will topic", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x00", "section 2.1.4", malformed},
		{"an empty will topic", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "MQTT-4.7.3-1", malformed},
		{"a wildcard in the will topic", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x00\x00\x01#\x00\x00", "MQTT-4.7.0-1", malformed},
		{"a wildcard in the will's response topic", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x04\x08\x00\x01+\x00\x01w\x00\x00", "MQTT-3.3.2-14", malformed},
		{"an empty response topic of the will", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x03\x08\x00\x00\x00\x01w\x00\x00", "MQTT-4.7.3-1", malformed},
		{"no will message", 0, mqtt + "\x06\x00\x00\x00\x00\x00\x00\x00\x01w", "section 2.1.4", malformed},
		{"no user name", 0, mqtt + "\x82\x00\x00\x00\x00\x00", "section 2.1.4", malformed},
		{"a user name that is not UTF-8", 0, mqtt + "\x82\x00\x00\x00\x00\x00\x00\x01\xff", "MQTT-1.5.4-1", malformed},
		{"no password", 0, mqtt + "\x42\x00\x00\x00\x00\x00", "section 2.1.4", malformed},
		{"a user name that the flags do not have", 0, mqtt + "\x02\x00\x00\x00\x00\x00\x00\x01u", "section 2.1.4", malformed},
		{"authentication data without a method", 0, mqtt + "\x02\x00\x00\x04\x16\x00\x01x\x00\x00", "section 3.1.2.11.10", protocol},
	})
}

func TestConnectOf31(t *testing.T) {
	const head = "\x00\x06MQIsdp\x03"
	login := packet.Connect{HasUsername: true, Username: "u", HasPassword: true, Password: []byte("pw")}
	tests := []struct {
		name string
		p    packet.Connect
		body string
		same bool // written again as it was
	}{
		{"the least there is", packet.Connect{}, "\x00\x00\x00\x00\x00", true},
		{"a long client identifier", packet.Connect{ClientID: "0123456789012345678901234567890"}, "\x00\x00\x00\x00\x1f0123456789012345678901234567890", true},
		{"a will", packet.Connect{Will: &packet.Will{Topic: "w", Payload: []byte("\xff"), QoS: 1, Retain: true}}, "\x2c\x00\x00\x00\x00\x00\x01w\x00\x01\xff", true},
		{"a login", login, "\xc0\x00\x00\x00\x00\x00\x01u\x00\x02pw", true},
		{"the reserved flag", packet.Connect{Clean: true}, "\x03\x00\x00\x00\x00", false},
		{"a will's QoS and retain without a will", packet.Connect{}, "\x38\x00\x00\x00\x00", false},
		{"neither user name nor password", packet.Connect{}, "\xc0\x00\x00\x00\x00", false},
		{"a user name without its password", packet.Connect{HasUsername: true, Username: "u"}, "\xc0\x00\x00\x00\x00\x00\x01u", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Version, tt.p.ProtocolName = packet.V31, "MQIsdp"
			wire := "\x10" + section(head+tt.body)
			decodes[packet.Connect](t, tt.p, wire)
			if got := string(tt.p.Append(nil)); tt.same && got != wire {
				t.Errorf("Append\n got %q\nwant %q", got, wire)
			}
		})
	}
	refuses[packet.Connect](t, packet.CONNECT, []fault{
		{"will QoS 3", 0, head + "\x1c\x00\x00\x00\x00\x00\x01w\x00\x00", "MQTT-3.1.2-14"},
		{"a password without a user name", 0, head + "\x40\x00\x00\x00\x00\x00\x01p", "MQTT-3.1.2-22"},
		{"half a user name", 0, head + "\xc0\x00\x00\x00\x00\x00", "section 2.2.3"},
		{"a will that is missing", 0, head + "\x04\x00\x00\x00\x00", "section 2.2.3"},
		{"too long", 0, head + "\x00\x00\x00\x00\x00\x00", "section 2.2.3"},
	})
}

func TestConnectOf5OwnsItsContent(t *testing.T) {
	want := packet.Connect{
		Version: packet.V5, ClientID: "c",
		Properties: packet.ConnectProperties{HasAuthMethod: true, AuthMethod: "m", AuthData: []byte("d"), User: users("k", "v")},
		Will: &packet.Will{Topic: "w", Properties: packet.WillProperties{
			ContentType: "t", ResponseTopic: "r", CorrelationData: []byte("d"), User: users("k", "v"),
		}},
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

// A frame of 5.0 says its length in its shortest form; older versions let it be.
func TestRemainingLengthInItsShortestForm(t *testing.T) { // [MQTT-1.5.5-1]
	for version, wire := range map[packet.Version]string{
		packet.V31:  "\x10\x8e\x00\x00\x06MQIsdp\x03\x00\x00\x00\x00\x00",
		packet.V311: "\x10\x8c\x80\x00\x00\x04MQTT\x04\x00\x00\x00\x00\x00",
		packet.V5:   "\x10\x8d\x80\x80\x00\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00",
	} {
		ping := split(t, "\xc0\x80\x00")
		ping.Version = version
		for _, f := range []packet.Frame{split(t, wire), ping} {
			_, err := decode(f)
			if version == packet.V5 {
				wantMalformed(t, err, f.Type, "MQTT-1.5.5-1")
			} else if err != nil {
				t.Errorf("%v %v: %v", version, f.Type, err)
			}
		}
	}
}

func TestAFrameOfAnUnknownVersionIsNoError(t *testing.T) {
	p := packet.Publish{}
	err := p.Decode(packet.Frame{Type: packet.PUBLISH, Body: []byte("\x00\x01t"), Version: 99})
	if err != nil || errors.Is(err, packet.ErrUnsupportedVersion) || p.Version != packet.V311 {
		t.Errorf("got %+v, %v: want 3.1.1", p, err)
	}
}
