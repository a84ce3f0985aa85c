package edge_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// forget deletes everything but the sentinel from the log.
func forget(t *testing.T, url string) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "LOG_0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), natsjs.WithPurgeSubject("log.0.*.acme.>")); err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n < 2 {
		t.Fatalf("there was nothing in the log: %d messages", n)
	}
}

// collapsing publishes under a collapse key.
func collapsing(t *testing.T, b *jetstream.Bus, topic, payload string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := &broker.Message{Topic: topic, Payload: []byte(payload), QoS: 2, CollapseKey: "score"}
	if _, err := b.PublishWait(ctx, m); err != nil {
		t.Fatal(err)
	}
}

// releases takes n PUBRELs and completes them.
func (d *device) releases(n int) {
	d.t.Helper()
	for range n {
		var rel packet.Ack
		if err := rel.Decode(d.next(packet.PUBREL)); err != nil {
			d.t.Fatal(err)
		}
		d.send(packet.Ack{Type: packet.PUBCOMP, Version: d.version, PacketID: rel.PacketID}.Append(nil))
	}
}

// The messages of a resumed session's flights may be gone: they have expired, were
// replaced under their collapse key, or an operator has purged the log. What was
// sent by a subscription, as a retained message or by a share group is over then;
// at QoS 2 the exchange is completed. [MQTT-4.3.3-1].
func TestFlightsWhoseMessagesAreGone(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		t.Run("QoS "+string('0'+rune(qos)), func(t *testing.T) {
			url := natsURL(t)
			n := startNode(t, jetstream.Config{Node: "n1", URL: url, Shards: 1, GroupAckWait: groupAckWait})
			bob := n.connect("acme", "bob", "laptop")
			say := func(topic string, retain bool) {
				t.Helper()
				bob.send(packet.Publish{Topic: []byte(topic), Payload: []byte("old"), QoS: 1, Retain: retain, PacketID: 1}.Append(nil))
				bob.next(packet.PUBACK)
			}
			atQoS2 := func(topic string, retain bool) {
				t.Helper()
				bob.send(packet.Publish{Topic: []byte(topic), Payload: []byte("old"), QoS: 2, Retain: retain, PacketID: 1}.Append(nil))
				bob.next(packet.PUBREC)
				bob.send(packet.Ack{Type: packet.PUBREL, PacketID: 1}.Append(nil))
				bob.next(packet.PUBCOMP)
			}
			if qos == 2 {
				say = atQoS2
			}
			say("acme/chat/room/kept/1", true)
			ana := n.connect("acme", "ana", "phone", v5)
			ana.subscribe(qos, "acme/chat/room/own/#", "acme/chat/room/kept/#", "$share/g/acme/chat/room/work/#")
			if p := ana.message(); !p.Retain || p.QoS != qos {
				t.Fatalf("retained: %+v", p)
			}
			say("acme/chat/room/own/1", false)
			ana.message()
			say("acme/chat/room/work/1", false)
			ana.message()
			collapsing(t, n.real, "acme/chat/room/own/2", "old")
			ana.message()
			ana.nc.Close() // nothing was acknowledged
			forget(t, url)
			collapsing(t, n.real, "acme/chat/room/own/2", "new")

			back := n.dial()
			if ack := back.greet(n.world, "acme", "ana", "phone", v5); !ack.SessionPresent {
				t.Fatal("no session present")
			}
			if qos == 2 {
				back.releases(4)
			}
			p := back.message()
			if string(p.Payload) != "new" || p.Dup {
				t.Fatalf("got %s, dup %v", p.Payload, p.Dup)
			}
			if qos == 1 {
				back.send(packet.Ack{Type: packet.PUBACK, Version: packet.V5, PacketID: p.PacketID}.Append(nil))
			} else {
				back.send(packet.Ack{Type: packet.PUBREC, Version: packet.V5, PacketID: p.PacketID}.Append(nil))
				back.releases(1)
			}
			say("acme/chat/room/work/2", false) // the group goes on
			back.message()
			back.ping()
		})
	}
}
