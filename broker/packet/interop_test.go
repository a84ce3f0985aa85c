package packet_test

import (
	"bytes"
	"reflect"
	"testing"

	packets5 "github.com/eclipse/paho.golang/packets"
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

// The same for 5.0, where the other codec may order properties as it likes:
// what it writes again must be read as what it was.
func TestAnotherCodecAgreesOn5(t *testing.T) {
	v5 := packet.V5
	ack := packet.AckProperties{ReasonString: "why", User: users("k", "v", "k", "w")}
	all := []appender{
		packet.Connect{Version: v5, Clean: true, KeepAlive: 60, ClientID: "c"},
		packet.Connect{
			Version: v5, ClientID: "phone",
			Properties: packet.ConnectProperties{
				SessionExpiry: 0xffffffff, ReceiveMaximum: 10, MaximumPacketSize: 65536, TopicAliasMaximum: 5,
				RequestResponseInfo: true, NoProblemInfo: true, User: users("k", "v"),
				HasAuthMethod: true, AuthMethod: "JWT", AuthData: []byte("\xff"),
			},
			Will: &packet.Will{
				Topic: "a/w", Payload: []byte("bye"), QoS: 2, Retain: true,
				Properties: packet.WillProperties{DelayInterval: 5, User: users("k", "v")}, // it writes no others again
			},
			HasUsername: true, Username: "acme/chat", HasPassword: true, Password: []byte("\x00pw"),
		},
		packet.Connack{Version: v5, SessionPresent: true},
		packet.Connack{Version: v5, Reason: packet.UseAnotherServer, Properties: packet.ConnackProperties{
			HasSessionExpiry: true, SessionExpiry: 3600, ReceiveMaximum: 10, HasMaximumQoS: true, MaximumQoS: 1,
			RetainUnavailable: true, MaximumPacketSize: 262144, AssignedClientID: "id", TopicAliasMaximum: 5,
			ReasonString: "why", User: users("k", "v"), WildcardUnavailable: true, SubscriptionIDsUnavailable: true,
			SharedUnavailable: true, HasServerKeepAlive: true, ServerKeepAlive: 60, ResponseInfo: "r",
			ServerReference: "other", AuthMethod: "JWT", AuthData: []byte("\xff"),
		}},
		packet.Publish{Version: v5, Topic: []byte("a/b"), Payload: make([]byte, 20_000)},
		packet.Publish{
			Version: v5, QoS: 1, Dup: true, Retain: true, PacketID: 300, Topic: []byte("a/ß"), Payload: []byte("hi"),
			Properties: packet.PublishProperties{
				PayloadFormat: 1, HasMessageExpiry: true, MessageExpiry: 60, TopicAlias: 5, ResponseTopic: []byte("a/r"),
				HasCorrelation: true, Correlation: []byte("\x00\xff"), ContentType: []byte("text"),
				SubscriptionIDs: []uint32{268_435_455}, User: users("k", "v", "k", "w"),
			},
		},
		packet.Ack{Version: v5, Type: packet.PUBACK, PacketID: 300},
		packet.Ack{Version: v5, Type: packet.PUBACK, PacketID: 300, Reason: packet.QuotaExceeded, Properties: ack},
		packet.Ack{Version: v5, Type: packet.PUBREC, PacketID: 300, Reason: packet.NoMatchingSubscribers},
		packet.Ack{Version: v5, Type: packet.PUBREL, PacketID: 300, Reason: packet.PacketIdentifierNotFound, Properties: ack},
		packet.Ack{Version: v5, Type: packet.PUBCOMP, PacketID: 300, Properties: ack},
		packet.Subscribe{
			Version: v5, PacketID: 1, Subscriptions: []packet.Subscription{
				{Filter: "a/+", QoS: 1, NoLocal: true}, {Filter: "#", QoS: 2, RetainAsPublished: true, RetainHandling: 2},
			},
			Properties: packet.SubscribeProperties{SubscriptionID: 300, User: users("k", "v")},
		},
		packet.Suback{Version: v5, PacketID: 1, Codes: []byte{0, 1, 2, 0x87}, Properties: ack},
		packet.Unsubscribe{Version: v5, PacketID: 1, Filters: []string{"a/+", "#"}, Properties: packet.UnsubscribeProperties{User: users("k", "v")}},
		packet.Unsuback{Version: v5, PacketID: 1, Codes: []packet.ReasonCode{packet.Success, packet.NoSubscriptionExisted}, Properties: ack},
		packet.Pingreq{Version: v5},
		packet.Pingresp{Version: v5},
		packet.Disconnect{Version: v5, Reason: packet.DisconnectWithWill}, // it cannot read the empty one
		packet.Disconnect{Version: v5, Reason: packet.ServerMoved, Properties: packet.DisconnectProperties{
			HasSessionExpiry: true, SessionExpiry: 10, ReasonString: "why", User: users("k", "v"), ServerReference: "other",
		}},
		packet.Auth{Reason: packet.Reauthenticate, Properties: packet.AuthProperties{
			AuthMethod: "JWT", AuthData: []byte("\xff"), ReasonString: "why", User: users("k", "v"),
		}},
	}
	for _, p := range all {
		wire := p.Append(nil)
		theirs, err := packets5.ReadPacket(bytes.NewReader(wire))
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		var again bytes.Buffer
		if _, err := theirs.WriteTo(&again); err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		if got, want := decoded(t, again.String()), decoded(t, string(wire)); !reflect.DeepEqual(got, want) {
			t.Errorf("%T: wrote %+v, they %+v", p, want, got)
		}
	}
}

// decoded is the packet of 5.0 that the bytes are.
func decoded(t *testing.T, wire string) appender {
	t.Helper()
	f := split(t, wire)
	f.Version = packet.V5
	p, err := decode(f)
	if err != nil {
		t.Errorf("%q: %v", wire, err)
	}
	return p
}
