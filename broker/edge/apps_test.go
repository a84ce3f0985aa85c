package edge_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// The app "small" may have two connections, three subscriptions and ten
// messages a second.
func TestLimitsOfAnApp(t *testing.T) {
	w := start(t)
	first, second := w.connect("small", "ana", "1", v5), w.connect("small", "bob", "2")
	if ack := w.dial().greet(w, "small", "eve", "3", v5); ack.Reason != packet.QuotaExceeded {
		t.Errorf("CONNACK %s", ack.Reason)
	}
	if ack := w.dial().greet(w, "small", "eve", "3"); ack.Code != packet.ServerUnavailable {
		t.Errorf("CONNACK %s", ack.Code)
	}
	if codes := first.subscribe(0, "small/chat/room/1", "small/chat/room/2"); codes[0] != 0 || codes[1] != 0 {
		t.Errorf("SUBACK %x", codes)
	}
	if codes := second.subscribe(0, "small/chat/room/1", "small/chat/room/2"); codes[0] != packet.SubackFailure {
		t.Errorf("SUBACK %x", codes)
	}
	if codes := second.subscribe(0, "small/chat/room/1"); codes[0] != 0 { // what failed has left room
		t.Errorf("SUBACK %x", codes)
	}
	begin := time.Now()
	for range 15 { // ten at once, then one every tenth of a second
		second.send(publish("small/chat/room/1", "x", 0, 0))
	}
	for range 15 {
		first.message()
	}
	if d := time.Since(begin); d < 350*time.Millisecond {
		t.Errorf("15 messages took %v at 10 a second", d)
	}
	second.nc.Close()
	for deadline := time.Now().Add(patience); ; {
		d := w.dial()
		if d.hello(w, "small", "eve", "3") == packet.Accepted {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection that ended is still counted")
		}
	}
}
