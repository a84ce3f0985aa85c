package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestPublishOf5(t *testing.T) {
	tests := []struct {
		name string
		p    packet.Publish
		wire string
	}{
		{"QoS 0", packet.Publish{Topic: []byte("a/b"), Payload: []byte("hi")}, "\x30\x08\x00\x03a/b\x00hi"},
		{
			"QoS 1",
			packet.Publish{QoS: 1, PacketID: 10, Topic: []byte("t"), Payload: []byte{}},
			"\x32\x06\x00\x01t\x00\x0a\x00",
		},
		{
			"an alias in place of a topic",
			packet.Publish{Topic: []byte{}, Payload: []byte("hi"), Properties: packet.PublishProperties{TopicAlias: 5}},
			"\x30\x08\x00\x00\x03\x23\x00\x05hi",
		},
		{
			"every property",
			packet.Publish{QoS: 2, PacketID: 10, Topic: []byte("t"), Payload: []byte("hi"), Properties: packet.PublishProperties{
				PayloadFormat: 1, HasMessageExpiry: true, MessageExpiry: 60, TopicAlias: 5, ResponseTopic: []byte("a/r"),
				HasCorrelation: true, Correlation: []byte("\x00\xff"), ContentType: []byte("text"),
				SubscriptionIDs: []uint32{1, 128, 268_435_455, 1}, User: users("k", "v", "k", "w"),
			}},
			"\x34\x3e\x00\x01t\x00\x0a\x36\x01\x01\x02\x00\x00\x00\x3c\x23\x00\x05\x08\x00\x03a/r\x09\x00\x02\x00\xff\x03\x00\x04text" +
				"\x0b\x01\x0b\x80\x01\x0b\xff\xff\xff\x7f\x0b\x01\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01whi",
		},
		{
			"present and empty",
			packet.Publish{Topic: []byte("t"), Payload: []byte{}, Properties: packet.PublishProperties{
				HasMessageExpiry: true, HasCorrelation: true, Correlation: []byte{},
			}},
			"\x30\x0c\x00\x01t\x08\x02\x00\x00\x00\x00\x09\x00\x00",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Version = packet.V5
			roundTrip[packet.Publish](t, tt.p, tt.wire)
		})
	}
}

// Before 5.0 there is no room for them.
func TestPublishBefore5HasNoProperties(t *testing.T) {
	p := packet.Publish{Topic: []byte("t"), Payload: []byte("x"), Properties: packet.PublishProperties{TopicAlias: 1, User: users("k", "v")}}
	for _, version := range []packet.Version{0, packet.V31, packet.V311} {
		p.Version = version
		if got := string(p.Append(nil)); got != "\x30\x04\x00\x01tx" {
			t.Errorf("%v: got %q", version, got)
		}
	}
}

func TestPublishOf31(t *testing.T) {
	want := packet.Publish{Version: packet.V31, Topic: []byte("t"), Payload: []byte("x")}
	roundTrip[packet.Publish](t, want, "\x30\x04\x00\x01tx")
	decodes[packet.Publish](t, want, "\x38\x04\x00\x01tx") // DUP means nothing with QoS 0
	for flags, body := range map[byte]string{0b0110: "\x00\x01t\x00\x01", 0: "\x00\x00"} {
		err := new(packet.Publish).Decode(packet.Frame{Type: packet.PUBLISH, Flags: flags, Body: []byte(body), Version: packet.V31})
		clause := "MQTT-4.7.3-1"
		if flags != 0 {
			clause = "MQTT-3.3.1-4"
		}
		wantMalformed(t, err, packet.PUBLISH, clause)
	}
}

func TestPublishOf5Refuses(t *testing.T) {
	refuses5[packet.Publish](t, packet.PUBLISH, []fault5{
		{"QoS 3", 0b0110, "\x00\x01t\x00\x01\x00", "MQTT-3.3.1-4", malformed},
		{"DUP with QoS 0", 0b1000, "\x00\x01t\x00", "MQTT-3.3.1-2", malformed},
		{"nothing", 0, "", "section 2.1.4", malformed},
		{"a plus in the topic", 0, "\x00\x03a/+\x00", "MQTT-3.3.2-2", malformed},
		{"a hash in the topic", 0, "\x00\x03a/#\x00", "MQTT-3.3.2-2", malformed},
		{"a topic that is not UTF-8", 0, "\x00\x01\xff\x00", "MQTT-1.5.4-1", malformed},
		{"a topic with NUL", 0, "\x00\x01\x00\x00", "MQTT-1.5.4-2", malformed},
		{"a packet identifier that is cut", 0b0010, "\x00\x01t\x00", "section 2.1.4", malformed},
		{"packet identifier 0", 0b0010, "\x00\x01t\x00\x00\x00", "MQTT-2.2.1-3", malformed},
		{"no property length", 0, "\x00\x01t", "section 2.1.4", malformed},
		{"neither topic nor alias", 0, "\x00\x00\x00", "section 3.3.2.1", protocol},
		{"alias 0 and no topic", 0, "\x00\x00\x03\x23\x00\x00", "MQTT-3.3.2-8", protocol},
		{"a wildcard in the response topic", 0, "\x00\x01t\x06\x08\x00\x03a/#", "MQTT-3.3.2-14", malformed},
		{"an empty response topic", 0, "\x00\x01t\x03\x08\x00\x00", "MQTT-4.7.3-1", malformed},
	})
}

func TestEncodedOf5EqualsPublish(t *testing.T) {
	for qos := range byte(3) {
		for _, p := range []packet.Publish{
			{Topic: []byte("a/b")},
			{Properties: packet.PublishProperties{TopicAlias: 7}},
			{Topic: []byte("a/b"), Properties: packet.PublishProperties{
				ContentType: make([]byte, 200), SubscriptionIDs: []uint32{1, 300}, User: users("k", "v"),
			}},
		} {
			p.Version, p.QoS, p.Payload = packet.V5, qos, []byte("hi")
			e := packet.Encode(p)
			p.Dup, p.PacketID = true, 0x0102
			got, want := e.AppendTo([]byte("before"), 0x0102, true), p.Append([]byte("before"))
			if string(got) != string(want) || e.Len() != len(want)-len("before") {
				t.Errorf("QoS %d: got %q of %d, want %q", qos, got, e.Len(), want)
			}
		}
	}
}
