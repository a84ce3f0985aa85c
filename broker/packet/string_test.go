package packet_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestStrings(t *testing.T) {
	tests := []struct {
		name   string
		s      string
		clause string // broken by it, or empty
	}{
		{"ASCII", "a/b", ""},
		{"every length of UTF-8", "aß€𝄞", ""},
		{"control characters", "a\x01\x7f\u0085", ""},
		{"non-characters", "\uffff\U0001ffff", ""},
		{"the longest", strings.Repeat("x", packet.MaxString), ""},
		{"a surrogate", "\xed\xa0\x80", "MQTT-1.5.3-1"},
		{"a surrogate pair (CESU-8)", "\xed\xa0\xb4\xed\xb4\x9e", "MQTT-1.5.3-1"},
		{"an overlong form of /", "\xc0\xaf", "MQTT-1.5.3-1"},
		{"an overlong NUL", "\xc0\x80", "MQTT-1.5.3-1"},
		{"beyond Unicode", "\xf4\x90\x80\x80", "MQTT-1.5.3-1"},
		{"cut within a character", "a\xe2\x82", "MQTT-1.5.3-1"},
		{"NUL", "a\x00b", "MQTT-1.5.3-2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := packet.Publish{Topic: []byte(tt.s)}.Append(nil)
			var p packet.Publish
			err := p.Decode(split(t, string(wire)))
			if tt.clause != "" {
				wantMalformed(t, err, packet.PUBLISH, tt.clause)
				return
			}
			if err != nil || string(p.Topic) != tt.s {
				t.Errorf("got %q, %v", p.Topic, err)
			}
		})
	}
}

func TestByteOrderMarkIsKept(t *testing.T) { // [MQTT-1.5.3-3]
	roundTrip[packet.Unsubscribe](t, packet.Unsubscribe{PacketID: 1, Filters: []string{"\ufeffa"}}, "\xa2\x08\x00\x01\x00\x04\xef\xbb\xbfa")
}

func TestTooLongAStringLeavesTheFrameReadable(t *testing.T) {
	long := strings.Repeat("x", packet.MaxString+1)
	wire := packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: long, QoS: 1}}}.Append(nil)
	var p packet.Subscribe
	if err := p.Decode(split(t, string(wire))); err != nil {
		t.Fatal(err)
	}
	if got := p.Subscriptions[0]; got.Filter != long[1:] || got.QoS != 1 {
		t.Errorf("a filter of %d bytes and QoS %d", len(got.Filter), got.QoS)
	}
}
