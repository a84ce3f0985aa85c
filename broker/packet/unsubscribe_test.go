package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestUnsubscribe(t *testing.T) {
	roundTrip[packet.Unsubscribe](t, packet.Unsubscribe{
		PacketID: 10, Filters: []string{"a/+", "#"},
	}, "\xa2\x0a\x00\x0a\x00\x03a/+\x00\x01#")
}

func TestUnsubscribeRefuses(t *testing.T) {
	refuses[packet.Unsubscribe](t, packet.UNSUBSCRIBE, []fault{
		{"no flags", 0, "\x00\x01\x00\x01a", "MQTT-3.10.1-1"},
		{"packet identifier 0", 2, "\x00\x00\x00\x01a", "MQTT-2.3.1-1"},
		{"no filter", 2, "\x00\x01", "MQTT-3.10.3-2"},
		{"an empty filter", 2, "\x00\x01\x00\x00", "MQTT-4.7.3-1"},
		{"a filter that is not UTF-8", 2, "\x00\x01\x00\x01\xff", "MQTT-1.5.3-1"},
		{"a filter that is cut", 2, "\x00\x01\x00\x02a", "section 2.2.3"},
		{"half a length", 2, "\x00\x01\x00\x01a\x00", "section 2.2.3"},
	})
}

func TestUnsubscribeOfOtherVersions(t *testing.T) {
	roundTrip[packet.Unsubscribe](t, packet.Unsubscribe{
		Version: packet.V31, PacketID: 10, Filters: []string{"a/+", "#"},
	}, "\xa2\x0a\x00\x0a\x00\x03a/+\x00\x01#")
	decodes[packet.Unsubscribe](t, packet.Unsubscribe{
		Version: packet.V31, PacketID: 10, Filters: []string{"#"},
	}, "\xaa\x05\x00\x0a\x00\x01#") // DUP
	roundTrip[packet.Unsubscribe](t, packet.Unsubscribe{
		Version: packet.V5, PacketID: 10, Filters: []string{"a/+", "#"},
	}, "\xa2\x0b\x00\x0a\x00\x00\x03a/+\x00\x01#")
	roundTrip[packet.Unsubscribe](t, packet.Unsubscribe{
		Version: packet.V5, PacketID: 10, Filters: []string{"#"},
		Properties: packet.UnsubscribeProperties{User: users("k", "v")},
	}, "\xa2\x0d\x00\x0a\x07\x26\x00\x01k\x00\x01v\x00\x01#")
}

func TestUnsubscribeOf5Refuses(t *testing.T) {
	refuses5[packet.Unsubscribe](t, packet.UNSUBSCRIBE, []fault5{
		{"no flags", 0, "\x00\x01\x00\x00\x01a", "MQTT-3.10.1-1", malformed},
		{"packet identifier 0", 2, "\x00\x00\x00\x00\x01a", "MQTT-2.2.1-3", malformed},
		{"no filter", 2, "\x00\x01\x00", "MQTT-3.10.3-2", protocol},
		{"an empty filter", 2, "\x00\x01\x00\x00\x00", "MQTT-4.7.3-1", malformed},
		{"a filter that is not UTF-8", 2, "\x00\x01\x00\x00\x01\xff", "MQTT-1.5.4-1", malformed},
		{"a filter that is cut", 2, "\x00\x01\x00\x00\x02a", "section 2.1.4", malformed},
	})
}
