package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// showPacket is a packet of the server as one line.
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
		return fmt.Sprintf("CONNACK code=%d present=%v", p.Code, p.SessionPresent), err
	case packet.PUBLISH:
		var p packet.Publish
		err := p.Decode(f)
		return "PUBLISH " + showPublish(p), err
	case packet.PUBACK, packet.UNSUBACK:
		var p packet.Ack
		err := p.Decode(f)
		return fmt.Sprintf("%s id=%d", f.Type, p.PacketID), err
	case packet.SUBACK:
		var p packet.Suback
		err := p.Decode(f)
		return fmt.Sprintf("SUBACK id=%d codes=% x", p.PacketID, p.Codes), err
	case packet.PINGRESP:
		var p packet.Pingresp
		return "PINGRESP", p.Decode(f)
	default:
		return "", fmt.Errorf("a server does not send %s", f.Type)
	}
}

func showPublish(p packet.Publish) string {
	line := fmt.Sprintf("topic=%s qos=%d", p.Topic, p.QoS)
	if p.PacketID != 0 {
		line += fmt.Sprintf(" id=%d", p.PacketID)
	}
	return line + flags(map[string]bool{"dup": p.Dup, "retain": p.Retain}) + showPayload(p.Payload)
}

func showPayload(b []byte) string {
	if len(b) > 20 {
		return fmt.Sprintf(" payload=(%d bytes)", len(b))
	}
	return fmt.Sprintf(" payload=%s", b)
}

func flags(set map[string]bool) string {
	var b strings.Builder
	for _, name := range []string{"dup", "retain", "normal"} {
		if set[name] {
			b.WriteString(" " + name)
		}
	}
	return b.String()
}

// showEffect is an effect as one line.
func showEffect(e session.Effect) string {
	line := e.Kind.String()
	switch e.Kind {
	case session.Authenticate:
		line += fmt.Sprintf(" client=%q user=%q password=%q", e.Connect.ClientID, e.Connect.Username, e.Connect.Password)
	case session.Publish:
		if e.PacketID != 0 {
			line += fmt.Sprintf(" id=%d", e.PacketID)
		}
		line += showMessage(e.Message)
	case session.Denied:
		line += fmt.Sprintf(" %s topic=%s", e.Reason.Name, e.Message.Topic)
	case session.Subscribe:
		line += fmt.Sprintf(" id=%d %s", e.PacketID, strings.Join(e.Filters, " "))
	case session.Unsubscribe:
		line += " " + strings.Join(e.Filters, " ")
	case session.Close:
		line += fmt.Sprintf(" %s%s: %s", e.Reason.Name, flags(map[string]bool{"normal": e.Reason.Normal}), e.Reason.Text)
	}
	return line
}

func showMessage(m *broker.Message) string {
	line := fmt.Sprintf(" topic=%s qos=%d", m.Topic, m.QoS)
	if m.Position.Shard != 0 {
		line += fmt.Sprintf(" shard=%d", m.Position.Shard)
	}
	return line + flags(map[string]bool{"retain": m.Retain}) + " by=" + m.Publisher + showPayload(m.Payload)
}

func showDrops(d session.Drops) string {
	return fmt.Sprintf("dropped congested=%d expired=%d", d.Congested, d.Expired)
}
