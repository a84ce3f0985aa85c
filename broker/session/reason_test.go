package session_test

import (
	"regexp"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// TestReasons holds the registry to what its users rely on.
func TestReasons(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, r := range session.Reasons() {
		if !snake.MatchString(r.Name) || seen[r.Name] || r.Text == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Name] = true
	}
}

// TestReasonCodes sends every reason in both packets that end a connection of
// MQTT 5.0: each has its own list of codes. [MQTT-3.2.2-8] [MQTT-3.14.2-1].
func TestReasonCodes(t *testing.T) {
	for _, r := range session.Reasons() {
		if r.Code == 0 {
			continue
		}
		code := session.Farewell(r.Code)
		var d packet.Disconnect
		f := frame(t, packet.Disconnect{Version: packet.V5, Reason: code}.Append(nil))
		if f.Version = packet.V5; d.Decode(f) != nil || code < packet.UnspecifiedError {
			t.Errorf("%s: DISCONNECT cannot say %02x", r.Name, byte(code))
		}
		code = session.Refusal(r.Code)
		var c packet.Connack
		f = frame(t, packet.Connack{Version: packet.V5, Reason: code}.Append(nil))
		if f.Version = packet.V5; c.Decode(f) != nil || code < packet.UnspecifiedError {
			t.Errorf("%s: CONNACK cannot say %02x", r.Name, byte(code))
		}
	}
}
