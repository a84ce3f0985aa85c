package session_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// showEffect is an effect as one line.
func showEffect(e session.Effect, now time.Time) string {
	line := e.Kind.String()
	switch e.Kind {
	case session.Authenticate:
		line += fmt.Sprintf(" client=%q user=%q password=%q", e.Connect.ClientID, e.Connect.Username, e.Connect.Password)
		line += showText("token", string(e.Connect.Properties.AuthData))
	case session.Reauthenticate:
		line += fmt.Sprintf(" token=%q", e.Credential)
	case session.Claim:
		line += flags(map[string]bool{"clean": e.Clean, "durable": e.Durable}) + " expiry=" + e.Expiry.String()
	case session.Persist:
		line += fmt.Sprintf(" token=%d", e.Token)
	case session.Publish:
		if e.PacketID != 0 {
			line += fmt.Sprintf(" id=%d", e.PacketID)
		}
		line += showMessage(e.Message, now)
	case session.Subscribe:
		line += fmt.Sprintf(" id=%d %s", e.PacketID, strings.Join(e.Filters, " "))
	case session.Unsubscribe:
		line += " " + strings.Join(e.Filters, " ")
	case session.Read:
		line += fmt.Sprintf(" after=%d %s", e.Query.After, strings.Join(e.Query.Filters, " "))
	case session.Fetch:
		line += fmt.Sprintf(" %v", e.Seqs)
	case session.Replay:
		line += fmt.Sprintf(" cursor=%d %s", e.Cursor, e.Filters[0])
	case session.Abandon:
		line += fmt.Sprintf(" cursor=%d", e.Cursor)
	case session.Return:
		line += fmt.Sprintf(" %d %s", e.Loan, e.Filters[0])
		if e.Message != nil {
			line += showPayload(e.Message.Payload)
		}
	case session.Done, session.Take:
		line += fmt.Sprintf(" %d", e.Loan)
	case session.Disown:
	case session.Denied:
		line += " " + e.Reason.Name + showDenied(e)
	case session.Close:
		line += fmt.Sprintf(" %s%s: %s", e.Reason.Name, flags(map[string]bool{"normal": e.Reason.Normal}), e.Reason.Text)
	}
	return line
}

func showDenied(e session.Effect) string {
	if e.Message == nil {
		return " filter=" + e.Filters[0]
	}
	return " topic=" + e.Message.Topic
}

func showMessage(m *broker.Message, now time.Time) string {
	line := fmt.Sprintf(" topic=%s qos=%d", m.Topic, m.QoS)
	if m.Position.Shard != 0 {
		line += fmt.Sprintf(" shard=%d", m.Position.Shard)
	}
	line += flags(map[string]bool{"retain": m.Retain, "utf8": m.UTF8, "undated": m.Undated}) + showID(m.ID) + " by=" + m.Publisher
	if m.Expires != 0 {
		line += " expires=" + time.UnixMilli(m.Expires).Sub(now).String()
	}
	line += showText("type", m.ContentType) + showText("response", m.ResponseTopic)
	if m.Correlation != nil {
		line += fmt.Sprintf(" correlation=%q", m.Correlation)
	}
	return line + showPairs(m.User) + showPayload(m.Payload)
}

// showID is an identifier that NextID has made, without its time.
func showID(id ulid.ULID) string {
	if n := binary.BigEndian.Uint64(id[8:]); n != 0 {
		return fmt.Sprintf(" message=%d", n)
	}
	return ""
}

// showWill is one that waits, or may have to.
func showWill(w *broker.Will, now time.Time) string {
	line := "will" + flags(map[string]bool{"durable": w.Durable})
	if w.Due.IsZero() {
		line += " delay=" + w.Delay.String()
	} else {
		line += " due=" + w.Due.Sub(now).String()
	}
	if w.Lifetime != 0 {
		line += " lifetime=" + w.Lifetime.String()
	}
	return line + showMessage(w.Message, now)
}

// showRecord is what outlives a connection. A flight is id:sequence:qos.
func showRecord(r *broker.Record, now time.Time) string {
	line := fmt.Sprintf("record floor=%d acked=%v", r.Floor, r.Acked)
	for _, f := range r.Inflight {
		line += fmt.Sprintf(" flight=%d:%d:%d%s", f.PacketID, f.Seq, f.QoS, flags(map[string]bool{"released": f.Released, "retain": f.Retain}))
		line += showText("group", f.Group)
	}
	line += fmt.Sprintf(" last=%d received=%v", r.LastPacketID, r.Received)
	for _, p := range r.Publishing {
		line += fmt.Sprintf(" publishing=%d%s", p.PacketID, showID(p.ID))
	}
	if !r.Truncated.IsZero() {
		line += " truncated"
	}
	if !r.Expires.IsZero() {
		line += " ends=" + r.Expires.Sub(now).String()
	}
	for _, sub := range r.Subscriptions {
		line += fmt.Sprintf(" %s:%d@%d", sub.Filter, sub.QoS, sub.Start)
	}
	return line
}

func showDrops(d session.Drops) string {
	line := fmt.Sprintf("dropped congested=%d expired=%d too_large=%d gone=%d", d.Congested, d.Expired, d.TooLarge, d.Gone)
	return line + showNumber("truncated", d.Truncated)
}
