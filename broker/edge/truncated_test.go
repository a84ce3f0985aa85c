package edge_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// A client that was away for longer than its app's messages are kept is counted,
// and one that was not is none.
func TestTruncatedSessionIsCounted(t *testing.T) {
	w := start(t)
	for _, org := range []string{"acme", "small"} {
		ana := w.connect(org, "ana", "phone", durable)
		ana.subscribe(1, org+"/chat/room/1")
		bob := w.connect(org, "bob", "laptop")
		bob.send(publish(org+"/chat/room/1", "hello", 1, 1))
		bob.next(packet.PUBACK)
		ana.send(puback(ana.message().PacketID))
		ana.send(packet.Disconnect{}.Append(nil))
		ana.closed()
		w.connect(org, "ana", "phone", durable)
		want := map[string]float64{"acme": 0, "small": 1}[org]
		until(t, "the count of "+org, func() bool { return w.metric("sessions_truncated_total", "") == want })
	}
}
