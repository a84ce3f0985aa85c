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

func TestSubscribeOf31(t *testing.T) {
	p := packet.Subscribe{Version: packet.V31, PacketID: 10, Subscriptions: []packet.Subscription{{Filter: "a/+", QoS: 2}}}
	roundTrip[packet.Subscribe](t, p, "\x82\x08\x00\x0a\x00\x03a/+\x02")
	decodes[packet.Subscribe](t, p, "\x8a\x08\x00\x0a\x00\x03a/+\x02") // DUP
	decodes[packet.Subscribe](t, p, "\x82\x08\x00\x0a\x00\x03a/+\xfe") // bits that are not used
	for body, clause := range map[string]string{"\x00\x01\x00\x01a\x03": "MQTT-3.8.3-4", "\x00\x01": "MQTT-3.8.3-3"} {
		err := new(packet.Subscribe).Decode(packet.Frame{
			Type: packet.SUBSCRIBE, Flags: 2, Body: []byte(body), Version: packet.V31,
		})
		wantMalformed(t, err, packet.SUBSCRIBE, clause)
	}
}

func TestSubscribeOf5(t *testing.T) {
	roundTrip[packet.Subscribe](t, packet.Subscribe{
		Version: packet.V5, PacketID: 10, Subscriptions: []packet.Subscription{
			{Filter: "a/+", QoS: 1},
			{Filter: "#", NoLocal: true},
			{Filter: "b", QoS: 2, RetainAsPublished: true, RetainHandling: 2},
			{Filter: "$share/g/b", QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 1}, // the session's to refuse
		},
	}, "\x82\x1e\x00\x0a\x00\x00\x03a/+\x01\x00\x01#\x04\x00\x01b\x2a\x00\x0a$share/g/b\x1e")
	roundTrip[packet.Subscribe](t, packet.Subscribe{
		Version: packet.V5, PacketID: 10, Subscriptions: []packet.Subscription{{Filter: "a"}},
		Properties: packet.SubscribeProperties{SubscriptionID: 268_435_455, User: users("k", "v")},
	}, "\x82\x13\x00\x0a\x0c\x0b\xff\xff\xff\x7f\x26\x00\x01k\x00\x01v\x00\x01a\x00")
}

func TestSubscribeBefore5HasNoOptions(t *testing.T) {
	got := packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{
		{Filter: "a", QoS: 1, NoLocal: true, RetainAsPublished: true, RetainHandling: 2},
	}}.Append(nil)
	if string(got) != "\x82\x06\x00\x01\x00\x01a\x01" {
		t.Errorf("got %q", got)
	}
}

func TestSubscribeOf5Refuses(t *testing.T) {
	refuses5[packet.Subscribe](t, packet.SUBSCRIBE, []fault5{
		{"no flags", 0, "\x00\x01\x00\x00\x01a\x00", "MQTT-3.8.1-1", malformed},
		{"packet identifier 0", 2, "\x00\x00\x00\x00\x01a\x00", "MQTT-2.2.1-3", malformed},
		{"no filter", 2, "\x00\x01\x00", "MQTT-3.8.3-2", protocol},
		{"an empty filter", 2, "\x00\x01\x00\x00\x00\x00", "MQTT-4.7.3-1", malformed},
		{"a filter that is not UTF-8", 2, "\x00\x01\x00\x00\x01\xff\x00", "MQTT-1.5.4-1", malformed},
		{"a filter with NUL", 2, "\x00\x01\x00\x00\x01\x00\x00", "MQTT-1.5.4-2", malformed},
		{"no options", 2, "\x00\x01\x00\x00\x01a", "section 2.1.4", malformed},
		{"QoS 3", 2, "\x00\x01\x00\x00\x01a\x03", "section 3.8.3.1", protocol},
		{"retain handling 3", 2, "\x00\x01\x00\x00\x01a\x30", "section 3.8.3.1", protocol},
		{"a reserved bit", 2, "\x00\x01\x00\x00\x01a\x40", "MQTT-3.8.3-5", malformed},
		{"the other reserved bit", 2, "\x00\x01\x00\x00\x01a\x80", "MQTT-3.8.3-5", malformed},
	})
}
