package edge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/tenant"
)

// numbered is a payload of a thousand bytes that begins with a number.
func numbered(i int) string { return fmt.Sprintf("%03d ", i) + strings.Repeat("x", 996) }

// Beyond what the app's devices may be sent QoS 1 comes later, in order and all of
// it, and what has QoS 0 does not come.
func TestFanoutLimit(t *testing.T) {
	scoped(t, tenant.Limits{FanoutBytes: 40_000}, func(t *testing.T, w *world, _ func(*packet.Connect)) {
		first, second, lossy := w.connect("acme", "ana", "1", v5), w.connect("acme", "ana", "2"), w.connect("acme", "ana", "3")
		neighbour := w.connect("globex", "ana", "1")
		first.subscribe(1, "acme/chat/room/logged")
		second.subscribe(1, "acme/chat/room/logged")
		lossy.subscribe(1, "acme/chat/room/lossy")
		neighbour.subscribe(1, "globex/chat/room/1")
		begin := time.Now()
		const messages = 60
		for i := range messages {
			w.publish(message("acme/chat/room/logged", numbered(i), 1))
		}
		w.publish(message("globex/chat/room/1", "at once", 1))
		neighbour.message()
		if d := time.Since(begin); d > time.Second {
			t.Errorf("the neighbour waited for %v", d)
		}
		w.publish(message("acme/chat/room/lossy", "gone", 0)) // the app is in debt
		for _, d := range []*device{first, second} {
			for i := range messages {
				m := d.message()
				if got := string(m.Payload[:3]); got != fmt.Sprintf("%03d", i) {
					t.Fatalf("message %s in the place of %d", got, i)
				}
				d.send(puback(m.PacketID))
			}
		}
		// 120 kB, of which a second's worth and what is under way come at once.
		if d := time.Since(begin); d < time.Second {
			t.Errorf("120 kB took %v at 40 kB a second", d)
		}
		lossy.ping()
		if n := w.metric("deliveries_dropped_total", "fanout_limit"); n != 1 {
			t.Errorf("%v dropped", n)
		}
		if n := w.metric("limited_total", "fanout"); n == 0 {
			t.Error("the limit was not counted")
		}
	})
}

// A limit that is lifted is felt at once.
func TestFanoutLimitIsLifted(t *testing.T) {
	w := start(t)
	w.limit(func(e *tenant.Entry) { e.Limits.FanoutBytes = 1000 })
	d := w.connect("acme", "ana", "1", v5)
	d.subscribe(1, "acme/chat/room/#")
	for i := range 10 {
		w.publish(message("acme/chat/room/1", numbered(i), 1))
	}
	d.send(puback(d.message().PacketID))
	w.limit(func(*tenant.Entry) {})
	for i := 1; i < 10; i++ {
		d.send(puback(d.message().PacketID))
	}
}

// The members of a share group wait for their own app; nothing is lost.
func TestFanoutLimitOfAGroup(t *testing.T) {
	w := start(t)
	w.limit(func(e *tenant.Entry) { e.Limits.FanoutBytes = 20_000 })
	d := w.connect("acme", "ana", "1", v5)
	d.subscribe(1, "$share/g/acme/chat/room/1")
	begin := time.Now()
	const messages = 40
	for i := range messages {
		w.publish(message("acme/chat/room/1", numbered(i), 1))
	}
	got := map[string]bool{}
	for len(got) < messages {
		m := d.message()
		got[string(m.Payload[:3])] = true
		d.send(puback(m.PacketID))
	}
	if d := time.Since(begin); d < 500*time.Millisecond {
		t.Errorf("40 kB took %v at 20 kB a second", d)
	}
}

// Retained messages count as well, and wait.
func TestFanoutLimitOfRetainedMessages(t *testing.T) {
	w := start(t)
	for i := range 30 {
		m := message(fmt.Sprint("acme/chat/room/", i), numbered(i), 1)
		m.Retain = true
		w.publish(m)
	}
	w.limit(func(e *tenant.Entry) { e.Limits.FanoutBytes = 10_000 })
	d := w.connect("acme", "ana", "1", v5)
	begin := time.Now()
	d.subscribe(0, "acme/chat/room/#")
	for range 30 {
		d.message()
	}
	if d := time.Since(begin); d < time.Second {
		t.Errorf("30 kB took %v at 10 kB a second", d)
	}
}

// What another organization's devices are sent does not have to be sent before
// one's own.
func TestOrganizationsHaveTurns(t *testing.T) {
	w := start(t, func(cfg *edge.Config) { cfg.Loops = 1 })
	flooded, quiet := w.connect("globex", "ana", "1"), w.connect("acme", "ana", "1")
	flooded.subscribe(0, "globex/chat/room/1")
	quiet.subscribe(0, "acme/chat/room/1")
	release := w.edge.Pause()
	const flood = 100_000
	m := message("globex/chat/room/1", "x", 0)
	for range flood {
		w.edge.Deliver(m)
	}
	w.edge.Deliver(message("acme/chat/room/1", "quiet", 0))
	release()
	quiet.message()
	if n := w.edge.Waiting("globex"); n < flood/2 {
		t.Errorf("%d of %d were left when the quiet one had its own", n, flood)
	}
	if n := w.edge.Waiting("acme"); n != 0 {
		t.Errorf("%d are left of one", n)
	}
	until(t, "all is delivered", func() bool { return w.edge.Waiting("globex") == 0 })
}

// A message reaches a device once, however many turns its receivers take.
func TestOnceInManyTurns(t *testing.T) {
	w := start(t, func(cfg *edge.Config) { cfg.Loops = 1 })
	devices := make([]*device, 40)
	for i := range devices {
		devices[i] = w.connect("acme", "ana", fmt.Sprint(i))
		devices[i].subscribe(0, "acme/chat/room/1", "acme/chat/room/+")
	}
	release := w.edge.Pause()
	w.edge.TakeTurns(7)
	for i := range 5 {
		w.edge.Deliver(message("acme/chat/room/1", fmt.Sprint(i), 0))
	}
	release()
	for _, d := range devices {
		for i := range 5 {
			if m := d.message(); string(m.Payload) != fmt.Sprint(i) {
				t.Fatalf("message %s in the place of %d", m.Payload, i)
			}
		}
		d.ping()
	}
	if n := w.edge.Waiting("acme"); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A connection that says very much at once has turns like all others.
func TestPacketsHaveTurns(t *testing.T) {
	w := start(t, func(cfg *edge.Config) { cfg.Loops = 1 })
	d := w.connect("acme", "ana", "1")
	d.subscribe(0, "acme/chat/room/1")
	var all []byte
	const messages = 3000
	for i := range messages {
		all = append(all, publish("acme/chat/room/1", fmt.Sprint(i), 0, 0)...)
	}
	go func() { _, _ = d.nc.Write(all) }() // it is read below
	for i := range messages {
		if m := d.message(); string(m.Payload) != fmt.Sprint(i) {
			t.Fatalf("message %s in the place of %d", m.Payload, i)
		}
	}
	d.ping()
}

func message(topic, payload string, qos byte) *broker.Message {
	return &broker.Message{Topic: topic, Payload: []byte(payload), QoS: qos}
}

// publish publishes as the API does.
func (w *world) publish(m *broker.Message) {
	w.t.Helper()
	if err := w.bus.Publish(m, nil, 0); err != nil {
		w.t.Fatal(err)
	}
}
