package packet_test

import (
	"strings"

	"pgregory.net/rapid"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// What the packets of the identity test are made of.
var (
	anyText = rapid.Map(rapid.String(), func(s string) string {
		return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	})
	anyFilter = rapid.Map(anyText, func(s string) string { return "f" + s })
	anyTopic  = rapid.Map(anyText, func(s string) string { return "t" + strings.NewReplacer("+", "", "#", "").Replace(s) })
	anyBytes  = rapid.SliceOfN(rapid.Byte(), 0, 300)
	// anyData is nil for absent.
	anyData   = rapid.OneOf(rapid.Just[[]byte](nil), anyBytes)
	anyQoS    = rapid.ByteRange(0, 2)
	anyID     = rapid.Uint16Range(1, 0xffff)
	anySubID  = rapid.Uint32Range(1, 268_435_455)
	anyMaybe  = rapid.Bool()
	anyUsers  = rapid.Map(rapid.SliceOfN(anyText, 0, 6), func(s []string) packet.UserProperties { return users(s[:len(s)&^1]...) })
	anyNumber = rapid.Uint32()
)

// when is the value if it is there, and zero if not.
func when[V any](there bool, v V) V {
	if !there {
		var zero V
		return zero
	}
	return v
}

// filled is the text as bytes, nil if empty.
func filled(s string) []byte { return when(s != "", []byte(s)) }

func drawConnect(t *rapid.T, v packet.Version) packet.Connect {
	p := packet.Connect{
		ProtocolName: "MQTT", Version: v, Clean: anyMaybe.Draw(t, "clean"), KeepAlive: rapid.Uint16().Draw(t, "keep alive"),
		ClientID: anyText.Draw(t, "client id"), HasUsername: anyMaybe.Draw(t, "has user name"),
	}
	if v == packet.V31 {
		p.ProtocolName = "MQIsdp"
	}
	p.Username = when(p.HasUsername, anyText.Draw(t, "user name"))
	p.HasPassword = anyMaybe.Draw(t, "has password") && (p.HasUsername || v == packet.V5)
	p.Password = when(p.HasPassword, anyBytes.Draw(t, "password"))
	if anyMaybe.Draw(t, "has will") {
		p.Will = drawWill(t, v)
	}
	if v == packet.V5 {
		p.Properties = packet.ConnectProperties{
			SessionExpiry: anyNumber.Draw(t, "expiry"), ReceiveMaximum: rapid.Uint16().Draw(t, "receive maximum"),
			MaximumPacketSize: anyNumber.Draw(t, "packet size"), TopicAliasMaximum: rapid.Uint16().Draw(t, "aliases"),
			RequestResponseInfo: anyMaybe.Draw(t, "response info"), NoProblemInfo: anyMaybe.Draw(t, "no problem info"),
			HasAuthMethod: anyMaybe.Draw(t, "has method"), User: anyUsers.Draw(t, "user"),
		}
		p.Properties.AuthMethod = when(p.Properties.HasAuthMethod, anyText.Draw(t, "method"))
		p.Properties.AuthData = when(p.Properties.HasAuthMethod, anyData.Draw(t, "data"))
	}
	return p
}

func drawWill(t *rapid.T, v packet.Version) *packet.Will {
	w := &packet.Will{
		Topic: anyTopic.Draw(t, "will topic"), Payload: anyBytes.Draw(t, "will payload"),
		QoS: anyQoS.Draw(t, "will QoS"), Retain: anyMaybe.Draw(t, "will retain"),
	}
	if v == packet.V5 {
		w.Properties = packet.WillProperties{
			DelayInterval: anyNumber.Draw(t, "delay"), PayloadFormat: rapid.ByteRange(0, 1).Draw(t, "format"),
			HasMessageExpiry: anyMaybe.Draw(t, "has expiry"), ContentType: anyText.Draw(t, "content type"),
			ResponseTopic:   when(anyMaybe.Draw(t, "has response topic"), anyTopic.Draw(t, "response topic")),
			CorrelationData: anyData.Draw(t, "correlation"), User: anyUsers.Draw(t, "user"),
		}
		w.Properties.MessageExpiry = when(w.Properties.HasMessageExpiry, anyNumber.Draw(t, "expiry"))
	}
	return w
}

func drawConnack(t *rapid.T, v packet.Version) packet.Connack {
	p := packet.Connack{Version: v}
	if v != packet.V5 {
		p.Code = rapid.SampledFrom([]packet.ConnackCode{0, 1, 2, 3, 4, 5}).Draw(t, "code")
		p.SessionPresent = v == packet.V311 && p.Code == 0 && anyMaybe.Draw(t, "present")
		return p
	}
	p.Reason = drawReason(t, 'c')
	p.SessionPresent = p.Reason == 0 && anyMaybe.Draw(t, "present")
	p.Properties = packet.ConnackProperties{
		HasSessionExpiry: anyMaybe.Draw(t, "has expiry"), ReceiveMaximum: rapid.Uint16().Draw(t, "receive maximum"),
		HasMaximumQoS: anyMaybe.Draw(t, "has QoS"), RetainUnavailable: anyMaybe.Draw(t, "no retain"),
		MaximumPacketSize: anyNumber.Draw(t, "packet size"), AssignedClientID: anyText.Draw(t, "client id"),
		TopicAliasMaximum: rapid.Uint16().Draw(t, "aliases"), ReasonString: anyText.Draw(t, "why"),
		User: anyUsers.Draw(t, "user"), WildcardUnavailable: anyMaybe.Draw(t, "no wildcards"),
		SubscriptionIDsUnavailable: anyMaybe.Draw(t, "no ids"), SharedUnavailable: anyMaybe.Draw(t, "not shared"),
		HasServerKeepAlive: anyMaybe.Draw(t, "has keep alive"), ResponseInfo: anyText.Draw(t, "response info"),
		ServerReference: anyText.Draw(t, "reference"), AuthMethod: anyText.Draw(t, "method"), AuthData: anyData.Draw(t, "data"),
	}
	p.Properties.SessionExpiry = when(p.Properties.HasSessionExpiry, anyNumber.Draw(t, "expiry"))
	p.Properties.MaximumQoS = when(p.Properties.HasMaximumQoS, rapid.ByteRange(0, 1).Draw(t, "QoS"))
	p.Properties.ServerKeepAlive = when(p.Properties.HasServerKeepAlive, rapid.Uint16().Draw(t, "keep alive"))
	return p
}

func drawPublish(t *rapid.T, v packet.Version) packet.Publish {
	p := packet.Publish{
		Version: v, QoS: anyQoS.Draw(t, "QoS"), Retain: anyMaybe.Draw(t, "retain"),
		Topic: []byte(anyTopic.Draw(t, "topic")), Payload: anyBytes.Draw(t, "payload"),
	}
	p.Dup = p.QoS > 0 && anyMaybe.Draw(t, "dup")
	p.PacketID = when(p.QoS > 0, anyID.Draw(t, "id"))
	if v != packet.V5 {
		return p
	}
	p.Properties = packet.PublishProperties{
		PayloadFormat: rapid.ByteRange(0, 1).Draw(t, "format"), HasMessageExpiry: anyMaybe.Draw(t, "has expiry"),
		TopicAlias: rapid.Uint16().Draw(t, "alias"), HasCorrelation: anyMaybe.Draw(t, "has correlation"),
		ResponseTopic: when(anyMaybe.Draw(t, "has response topic"), []byte(anyTopic.Draw(t, "response topic"))),
		ContentType:   filled(anyText.Draw(t, "content type")), User: anyUsers.Draw(t, "user"),
	}
	p.Properties.MessageExpiry = when(p.Properties.HasMessageExpiry, anyNumber.Draw(t, "expiry"))
	p.Properties.Correlation = when(p.Properties.HasCorrelation, anyBytes.Draw(t, "correlation"))
	if ids := rapid.SliceOfN(anySubID, 0, 4).Draw(t, "ids"); len(ids) > 0 {
		p.Properties.SubscriptionIDs = ids
	}
	if p.Properties.TopicAlias != 0 && anyMaybe.Draw(t, "no topic") {
		p.Topic = []byte{}
	}
	return p
}

// drawReason is one of the codes of a packet, by its letter in table26.
func drawReason(t *rapid.T, letter rune) packet.ReasonCode {
	var codes []packet.ReasonCode
	for code := range 256 {
		if r := packet.ReasonCode(code); strings.ContainsRune(table26[r].packets, letter) {
			codes = append(codes, r)
		}
	}
	return rapid.SampledFrom(codes).Draw(t, "reason")
}

func drawAckProperties(t *rapid.T) packet.AckProperties {
	return packet.AckProperties{ReasonString: anyText.Draw(t, "why"), User: anyUsers.Draw(t, "user")}
}

func drawAck(typ packet.Type, letter rune) func(*rapid.T, packet.Version) appender {
	return func(t *rapid.T, v packet.Version) appender {
		p := packet.Ack{Type: typ, Version: v, PacketID: anyID.Draw(t, "id")}
		if v == packet.V5 {
			p.Reason, p.Properties = drawReason(t, letter), drawAckProperties(t)
		}
		return p
	}
}

func drawSubscribe(t *rapid.T, v packet.Version) appender {
	p := packet.Subscribe{Version: v, PacketID: anyID.Draw(t, "id")}
	for range rapid.IntRange(1, 4).Draw(t, "filters") {
		s := packet.Subscription{Filter: anyFilter.Draw(t, "filter"), QoS: anyQoS.Draw(t, "QoS")}
		if v == packet.V5 {
			s.NoLocal, s.RetainAsPublished = anyMaybe.Draw(t, "no local"), anyMaybe.Draw(t, "as published")
			s.RetainHandling = rapid.ByteRange(0, 2).Draw(t, "handling")
		}
		p.Subscriptions = append(p.Subscriptions, s)
	}
	if v == packet.V5 {
		p.Properties.SubscriptionID = when(anyMaybe.Draw(t, "has id"), anySubID.Draw(t, "id"))
		p.Properties.User = anyUsers.Draw(t, "user")
	}
	return p
}

func drawSuback(t *rapid.T, v packet.Version) appender {
	p := packet.Suback{Version: v, PacketID: anyID.Draw(t, "id")}
	if v == packet.V5 {
		p.Properties = drawAckProperties(t)
	}
	for range rapid.IntRange(1, 4).Draw(t, "codes") {
		code := rapid.SampledFrom([]byte{0, 1, 2, packet.SubackFailure}).Draw(t, "code")
		if v == packet.V5 {
			code = byte(drawReason(t, 's'))
		}
		p.Codes = append(p.Codes, code)
	}
	return p
}

func drawUnsubscribe(t *rapid.T, v packet.Version) appender {
	p := packet.Unsubscribe{
		Version: v, PacketID: anyID.Draw(t, "id"), Filters: rapid.SliceOfN(anyFilter, 1, 4).Draw(t, "filters"),
	}
	if v == packet.V5 {
		p.Properties.User = anyUsers.Draw(t, "user")
	}
	return p
}

func drawUnsuback(t *rapid.T, v packet.Version) appender {
	p := packet.Unsuback{Version: v, PacketID: anyID.Draw(t, "id")}
	if v == packet.V5 {
		p.Properties = drawAckProperties(t)
		for range rapid.IntRange(1, 4).Draw(t, "codes") {
			p.Codes = append(p.Codes, drawReason(t, 'u'))
		}
	}
	return p
}

func drawDisconnect(t *rapid.T, v packet.Version) appender {
	p := packet.Disconnect{Version: v}
	if v == packet.V5 {
		p.Reason = drawReason(t, 'D')
		p.Properties = packet.DisconnectProperties{
			HasSessionExpiry: anyMaybe.Draw(t, "has expiry"), ReasonString: anyText.Draw(t, "why"),
			User: anyUsers.Draw(t, "user"), ServerReference: anyText.Draw(t, "reference"),
		}
		p.Properties.SessionExpiry = when(p.Properties.HasSessionExpiry, anyNumber.Draw(t, "expiry"))
	}
	return p
}

func drawAuth(t *rapid.T) appender {
	return packet.Auth{Reason: drawReason(t, 'A'), Properties: packet.AuthProperties{
		AuthMethod: anyText.Draw(t, "method"), AuthData: anyData.Draw(t, "data"),
		ReasonString: anyText.Draw(t, "why"), User: anyUsers.Draw(t, "user"),
	}}
}
