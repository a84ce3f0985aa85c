package packet_test

import (
	"bytes"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// An independent codec reads what this one wrote and writes the same bytes
// again: the two agree on the wire, not only each with itself.
func TestAnotherCodecAgrees(t *testing.T) {
	all := []appender{
		packet.Connect{Clean: true, KeepAlive: 60, ClientID: "c"},
		packet.Connect{
			ClientID: "phone", Will: &packet.Will{Topic: "a/w", Payload: []byte("bye"), QoS: 2, Retain: true},
			HasUsername: true, Username: "acme/chat", HasPassword: true, Password: []byte("\x00pw"),
		},
		packet.Connack{SessionPresent: true},
		packet.Connack{Code: packet.BadUserNameOrPassword},
		packet.Publish{Topic: []byte("a/b"), Payload: make([]byte, 20_000)},
		packet.Publish{QoS: 1, Dup: true, Retain: true, PacketID: 300, Topic: []byte("a/ß"), Payload: []byte("hi")},
		packet.Ack{Type: packet.PUBACK, PacketID: 300},
		packet.Ack{Type: packet.PUBREC, PacketID: 300},
		packet.Ack{Type: packet.PUBREL, PacketID: 300},
		packet.Ack{Type: packet.PUBCOMP, PacketID: 300},
		packet.Ack{Type: packet.UNSUBACK, PacketID: 300},
		packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: "a/+", QoS: 1}, {Filter: "#", QoS: 2}}},
		packet.Suback{PacketID: 1, Codes: []byte{0, 1, 2, packet.SubackFailure}},
		packet.Unsubscribe{PacketID: 1, Filters: []string{"a/+", "#"}},
		packet.Pingreq{},
		packet.Pingresp{},
		packet.Disconnect{},
	}
	for _, p := range all {
		wire := p.Append(nil)
		theirs, err := packets.ReadPacket(bytes.NewReader(wire))
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		var again bytes.Buffer
		if err := theirs.Write(&again); err != nil || !bytes.Equal(again.Bytes(), wire) {
			t.Errorf("%T: wrote %q, read as %v, written again as %q, %v", p, wire, theirs, again.Bytes(), err)
		}
	}
}
