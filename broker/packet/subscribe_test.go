package packet_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestSubscribe(t *testing.T) {
	roundTrip[packet.Subscribe](t, packet.Subscribe{
		PacketID:      10,
		Subscriptions: []packet.Subscription{{Filter: "a/+", QoS: 1}, {Filter: "#", QoS: 0}, {Filter: "b", QoS: 2}},
	}, "\x82\x10\x00\x0a\x00\x03a/+\x01\x00\x01#\x00\x00\x01b\x02")
}

// An ill-placed wildcard refuses a filter, not the connection: the session answers it.
func TestSubscribeLeavesWildcardsToTheSession(t *testing.T) {
	roundTrip[packet.Subscribe](t, packet.Subscribe{
		PacketID:      1,
		Subscriptions: []packet.Subscription{{Filter: "a#/+b"}},
	}, "\x82\x0a\x00\x01\x00\x05a#/+b\x00")
}

func TestSubscribeRefuses(t *testing.T) {
	refuses[packet.Subscribe](t, packet.SUBSCRIBE, []fault{
		{"no flags", 0, "\x00\x01\x00\x01a\x00", "MQTT-3.8.1-1"},
		{"no packet identifier", 2, "", "section 2.2.3"},
		{"packet identifier 0", 2, "\x00\x00\x00\x01a\x00", "MQTT-2.3.1-1"},
		{"no filter", 2, "\x00\x01", "MQTT-3.8.3-3"},
		{"an empty filter", 2, "\x00\x01\x00\x00\x00", "MQTT-4.7.3-1"},
		{"a filter that is not UTF-8", 2, "\x00\x01\x00\x01\xff\x00", "MQTT-1.5.3-1"},
		{"a filter with NUL", 2, "\x00\x01\x00\x01\x00\x00", "MQTT-1.5.3-2"},
		{"a filter that is cut", 2, "\x00\x01\x00\x09a", "section 2.2.3"},
		{"no QoS", 2, "\x00\x01\x00\x01a", "section 2.2.3"},
		{"QoS 3", 2, "\x00\x01\x00\x01a\x03", "MQTT-3.8.3-4"},
		{"reserved bits of the QoS byte", 2, "\x00\x01\x00\x01a\x04", "MQTT-3.8.3-4"},
		{"a bad second filter", 2, "\x00\x01\x00\x01a\x01\x00\x00\x00", "MQTT-4.7.3-1"},
	})
}
