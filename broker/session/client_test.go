package session_test

import (
	"strconv"
	"strings"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Commands that send a packet of the client.

func cmdConnect(w *world, a *args) {
	p := packet.Connect{
		ClientID: a.text("client", "phone"), Clean: !a.has("unclean"),
		KeepAlive: uint16(a.number("keepalive", 0)), Version: packet.Version(a.number("v", 0)),
	}
	p.Username, p.HasUsername = a.take("user")
	if password, ok := a.take("password"); ok {
		p.Password, p.HasPassword = []byte(password), true
	}
	p.Will = will(a)
	props := &p.Properties
	props.SessionExpiry, _ = a.seconds("expiry")
	props.ReceiveMaximum = uint16(a.number("receive", 0))
	props.MaximumPacketSize, _ = a.seconds("max_packet")
	props.TopicAliasMaximum = uint16(a.number("aliases", 0))
	props.RequestResponseInfo, props.NoProblemInfo = a.has("response_info"), a.has("no_problem_info")
	props.AuthMethod, props.HasAuthMethod = a.take("method")
	if token, ok := a.take("token"); ok {
		props.AuthData = []byte(token)
	}
	w.version = p.Version
	w.receive(p.Append(nil))
}

// will is the one that a CONNECT's arguments name, or nil.
func will(a *args) *packet.Will {
	name, ok := a.take("will")
	if !ok {
		return nil
	}
	will := &packet.Will{
		Topic: name, Payload: []byte(a.text("payload", "gone")),
		QoS: byte(a.number("qos", 0)), Retain: a.has("retain"),
	}
	props := &will.Properties
	props.DelayInterval, _ = a.seconds("will_delay")
	props.MessageExpiry, props.HasMessageExpiry = a.seconds("will_expiry")
	if a.has("utf8") {
		props.PayloadFormat = 1
	}
	props.ContentType, props.ResponseTopic = a.text("type", ""), a.text("response", "")
	if c, ok := a.take("correlation"); ok {
		props.CorrelationData = []byte(c)
	}
	props.User = a.pairs("props")
	return will
}

func cmdAuth(w *world, a *args) {
	p := packet.Auth{Reason: packet.ReasonCode(a.number("reason", int(packet.Reauthenticate)))}
	p.Properties.AuthMethod = a.text("method", "JWT")
	if token, ok := a.take("token"); ok {
		p.Properties.AuthData = []byte(token)
	}
	w.receive(p.Append(nil))
}

func cmdPublish(w *world, a *args) {
	p := packet.Publish{
		Version: w.version, Topic: []byte(a.text("topic", "acme/t")), QoS: byte(a.number("qos", 0)),
		PacketID: uint16(a.number("id", 0)), Dup: a.has("dup"), Retain: a.has("retain"), Payload: []byte(a.text("payload", "hi")),
	}
	props := &p.Properties
	props.TopicAlias = uint16(a.number("alias", 0))
	props.MessageExpiry, props.HasMessageExpiry = a.seconds("expiry")
	if a.has("utf8") {
		props.PayloadFormat = 1
	}
	props.ContentType, props.ResponseTopic = []byte(a.text("type", "")), []byte(a.text("response", ""))
	if c, ok := a.take("correlation"); ok {
		props.HasCorrelation, props.Correlation = true, []byte(c)
	}
	if id := a.number("subid", 0); id != 0 {
		props.SubscriptionIDs = []uint32{uint32(id)}
	}
	props.User = a.pairs("props")
	w.receive(p.Append(nil))
}

func cmdAck(w *world, a *args, kind packet.Type) {
	w.receive(packet.Ack{
		Type: kind, Version: w.version, PacketID: uint16(a.number("id", 0)), Reason: packet.ReasonCode(a.number("reason", 0)),
	}.Append(nil))
}

// cmdSubscribe takes filter:qos words, with options behind another colon: n is
// no local, p retain as published, and a digit the retain handling.
func cmdSubscribe(w *world, a *args) {
	p := packet.Subscribe{Version: w.version, PacketID: uint16(a.number("id", 0))}
	p.Properties.SubscriptionID = uint32(a.number("subid", 0))
	for _, word := range a.rest() {
		parts := strings.Split(word, ":")
		qos, err := strconv.Atoi(parts[1])
		if err != nil {
			w.t.Fatal(err)
		}
		sub := packet.Subscription{Filter: parts[0], QoS: byte(qos)}
		for _, option := range strings.Join(parts[2:], "") {
			switch option {
			case 'n':
				sub.NoLocal = true
			case 'p':
				sub.RetainAsPublished = true
			default:
				sub.RetainHandling = byte(option - '0')
			}
		}
		p.Subscriptions = append(p.Subscriptions, sub)
	}
	w.receive(p.Append(nil))
}

func cmdUnsubscribe(w *world, a *args) {
	w.receive(packet.Unsubscribe{Version: w.version, PacketID: uint16(a.number("id", 0)), Filters: a.rest()}.Append(nil))
}

func cmdDisconnect(w *world, a *args) {
	p := packet.Disconnect{Version: w.version, Reason: packet.ReasonCode(a.number("reason", 0))}
	p.Properties.SessionExpiry, p.Properties.HasSessionExpiry = a.seconds("expiry")
	w.receive(p.Append(nil))
}
