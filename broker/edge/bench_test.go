package edge_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// BenchmarkResume is a client that comes back to its durable session with one
// subscription: CONNECT to CONNACK, on a node that is alone.
func BenchmarkResume(b *testing.B) {
	n := alone(b)
	const clients = 256
	token := []byte(n.token("acme", "ana"))
	connect := func(i int) *device {
		p := packet.Connect{
			ClientID: "phone-" + strconv.Itoa(i), KeepAlive: 60,
			HasUsername: true, Username: "acme/chat", HasPassword: true, Password: token,
		}
		d := n.dial()
		d.send(p.Append(nil))
		var ack packet.Connack
		if err := ack.Decode(d.next(packet.CONNACK)); err != nil || ack.Code != 0 {
			b.Error(ack.Code, err)
		}
		return d
	}
	for i := range clients {
		d := connect(i)
		d.subscribe(1, "acme/chat/room/"+strconv.Itoa(i))
		_ = d.nc.Close()
	}
	var next atomic.Int64
	b.SetParallelism(32)
	begin := time.Now()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			d := connect(int(next.Add(1)) % clients)
			_ = d.nc.Close()
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "resumes/s")
}
