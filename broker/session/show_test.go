package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// showPacket is a packet of the server as one line. What is absent, or says
// nothing, is not shown.
func showPacket(t *testing.T, f packet.Frame) string {
	t.Helper()
	line, err := describe(f)
	if err != nil {
		t.Fatalf("the session sent a bad %s: %v", f.Type, err)
	}
	return line
}

func describe(f packet.Frame) (string, error) {
	switch f.Type {
	case packet.CONNACK:
		var p packet.Connack
		err := p.Decode(f)
		if f.Version == packet.V5 {
			return fmt.Sprintf("CONNACK present=%v%s%s", p.SessionPresent, showReason(p.Reason), showConnack(&p.Properties)), err
		}
		return fmt.Sprintf("CONNACK code=%d present=%v", p.Code, p.SessionPresent), err
	case packet.PUBLISH:
		var p packet.Publish
		err := p.Decode(f)
		return "PUBLISH " + showPublish(p), err
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		var p packet.Ack
		err := p.Decode(f)
		return fmt.Sprintf("%s id=%d%s%s", f.Type, p.PacketID, showReason(p.Reason), showText("string", p.Properties.ReasonString)), err
	case packet.SUBACK:
		var p packet.Suback
		err := p.Decode(f)
		return fmt.Sprintf("SUBACK id=%d codes=% x", p.PacketID, p.Codes), err
	case packet.UNSUBACK:
		var p packet.Unsuback
		err := p.Decode(f)
		line := fmt.Sprintf("UNSUBACK id=%d", p.PacketID)
		if f.Version == packet.V5 {
			line += fmt.Sprintf(" codes=% x", p.Codes)
		}
		return line, err
	case packet.PINGRESP:
		var p packet.Pingresp
		return "PINGRESP", p.Decode(f)
	case packet.DISCONNECT:
		var p packet.Disconnect
		err := p.Decode(f)
		return "DISCONNECT" + showReason(p.Reason) + showText("string", p.Properties.ReasonString) +
			showText("reference", p.Properties.ServerReference), err
	case packet.AUTH:
		var p packet.Auth
		err := p.Decode(f)
		return "AUTH" + showReason(p.Reason) + showText("method", p.Properties.AuthMethod) +
			showText("data", string(p.Properties.AuthData)), err
	default:
		return "", fmt.Errorf("a server does not send %s", f.Type)
	}
}

func showReason(r packet.ReasonCode) string {
	if r == packet.Success {
		return ""
	}
	return fmt.Sprintf(" reason=%02x", byte(r))
}

func showText(name, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf(" %s=%q", name, value)
}

func showNumber(name string, value uint32) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf(" %s=%d", name, value)
}

func showPairs(u packet.UserProperties) string {
	var pairs []string
	for key, value := range u.All() {
		pairs = append(pairs, key+":"+value)
	}
	if pairs == nil {
		return ""
	}
	return " props=" + strings.Join(pairs, ",")
}

func showConnack(p *packet.ConnackProperties) string {
	var line string
	if p.HasSessionExpiry {
		line += fmt.Sprintf(" expiry=%d", p.SessionExpiry)
	}
	line += showNumber("receive", uint32(p.ReceiveMaximum)) + showNumber("max_packet", p.MaximumPacketSize) +
		showNumber("aliases", uint32(p.TopicAliasMaximum)) + showText("client", p.AssignedClientID)
	if p.HasServerKeepAlive {
		line += fmt.Sprintf(" keepalive=%d", p.ServerKeepAlive)
	}
	if p.HasMaximumQoS || p.RetainUnavailable || p.WildcardUnavailable || p.SubscriptionIDsUnavailable || p.SharedUnavailable {
		line += " without something"
	}
	return line + showText("answers", p.ResponseInfo) + showText("method", p.AuthMethod) +
		showText("reference", p.ServerReference) + showText("string", p.ReasonString)
}

func showPublish(p packet.Publish) string {
	line := fmt.Sprintf("topic=%s qos=%d", p.Topic, p.QoS)
	if p.PacketID != 0 {
		line += fmt.Sprintf(" id=%d", p.PacketID)
	}
	line += flags(map[string]bool{"dup": p.Dup, "retain": p.Retain, "utf8": p.Properties.PayloadFormat == 1})
	props := &p.Properties
	line += showNumber("alias", uint32(props.TopicAlias))
	if props.HasMessageExpiry {
		line += fmt.Sprintf(" expiry=%d", props.MessageExpiry)
	}
	line += showText("type", string(props.ContentType)) + showText("response", string(props.ResponseTopic))
	if props.HasCorrelation {
		line += fmt.Sprintf(" correlation=%q", props.Correlation)
	}
	for _, id := range props.SubscriptionIDs {
		line += fmt.Sprintf(" subid=%d", id)
	}
	return line + showPairs(props.User) + showPayload(p.Payload)
}

func showPayload(b []byte) string {
	if len(b) > 20 {
		return fmt.Sprintf(" payload=(%d bytes)", len(b))
	}
	return fmt.Sprintf(" payload=%s", b)
}

func flags(set map[string]bool) string {
	var b strings.Builder
	for _, name := range []string{"dup", "retain", "utf8", "undated", "released", "normal", "clean", "durable"} {
		if set[name] {
			b.WriteString(" " + name)
		}
	}
	return b.String()
}
