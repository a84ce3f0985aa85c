package edge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/tenant"
)

// limit changes what acme may use, and waits until the node knows.
func (w *world) limit(change func(*tenant.Entry)) {
	w.t.Helper()
	only := func(e *tenant.Entry) {
		if e.App.Organization == "acme" {
			change(e)
		}
	}
	w.src.limits.Store(&only)
	w.dir.Invalidate("acme", "")
	for _, id := range []string{"chat", "mail"} {
		if _, err := w.dir.App(w.t.Context(), "acme", id); err != nil {
			w.t.Fatal(err)
		}
	}
}

// mail makes a CONNECT one of acme's other app.
func (w *world) mail(user string) func(*packet.Connect) {
	return func(p *packet.Connect) {
		p.Username, p.Password = "acme/mail", []byte(w.tokenOf("acme", "mail", user))
	}
}

// scoped runs a test with a limit of the app, and with one of its organization
// that its two apps use up together.
func scoped(t *testing.T, limits tenant.Limits, test func(t *testing.T, w *world, other func(*packet.Connect))) {
	t.Helper()
	t.Run("app", func(t *testing.T) {
		w := start(t)
		w.limit(func(e *tenant.Entry) {
			s := &e.App.Settings
			s.MaxConnections, s.ConnectRate = int(limits.Connections), int(limits.ConnectRate)
			s.MaxSubscriptions, s.MaxSessions = int(limits.Subscriptions), int(limits.Sessions)
			s.PublishRate, s.PublishBytes = int(limits.PublishRate), int(limits.PublishBytes)
			s.FanoutBytes, s.MaxPayload = int(limits.FanoutBytes), int(limits.PayloadBytes)
			s.MaxTopicLevels, s.MaxTopicBytes = int(limits.TopicLevels), int(limits.TopicBytes)
		})
		test(t, w, func(*packet.Connect) {})
	})
	t.Run("organization", func(t *testing.T) {
		w := start(t)
		w.limit(func(e *tenant.Entry) { e.Limits = limits })
		test(t, w, w.mail("ana"))
	})
}

// unaffected is another organization's device, which does all that one does.
func (w *world) unaffected(id string) {
	w.t.Helper()
	d := w.connect("globex", "ana", id, v5)
	if codes := d.subscribe(1, "globex/chat/room/"+id); codes[0] != 1 {
		w.t.Errorf("SUBACK %x", codes)
	}
	if code := d.publish5("globex/chat/room/"+id, strings.Repeat("x", 2000), 1, 9); code != packet.Success {
		w.t.Errorf("PUBACK %s", code)
	}
}

// publish5 publishes and returns the reason of the PUBACK or PUBREC. The message
// itself may come back before.
func (d *device) publish5(topic, payload string, qos byte, id uint16) packet.ReasonCode {
	d.t.Helper()
	d.send(packet.Publish{Version: d.version, Topic: []byte(topic), Payload: []byte(payload), QoS: qos, PacketID: id}.Append(nil))
	for {
		f, err := d.read()
		if err != nil {
			d.t.Fatal(err)
		}
		if f.Type != packet.PUBACK && f.Type != packet.PUBREC {
			continue
		}
		var ack packet.Ack
		if err := ack.Decode(f); err != nil {
			d.t.Fatal(err)
		}
		return ack.Reason
	}
}

// publishUntilRefused publishes a thousand bytes at a time until there is nothing
// left, and returns how often there was.
func (d *device) publishUntilRefused(topic string, qos byte) (taken int) {
	d.t.Helper()
	payload := strings.Repeat("x", 1000)
	for id := range uint16(200) {
		switch code := d.publish5(topic, payload, qos, 200*uint16(qos)+id); code {
		case packet.Success:
			taken++
		case packet.QuotaExceeded:
			return taken
		default:
			d.t.Fatalf("acknowledged with %s", code)
		}
	}
	d.t.Errorf("%d messages, and none was refused", taken)
	return taken
}

func TestConnectionLimit(t *testing.T) {
	scoped(t, tenant.Limits{Connections: 2}, func(t *testing.T, w *world, other func(*packet.Connect)) {
		first := w.connect("acme", "ana", "1", v5)
		w.connect("acme", "ana", "2", other)
		if ack := w.dial().greet(w, "acme", "ana", "3", v5); ack.Reason != packet.QuotaExceeded {
			t.Errorf("CONNACK %s", ack.Reason)
		}
		if ack := w.dial().greet(w, "acme", "ana", "4", other); ack.Code != packet.ServerUnavailable {
			t.Errorf("CONNACK %s", ack.Code)
		}
		w.unaffected("5")
		if n := w.metric("limited_total", "connections"); n < 2 {
			t.Errorf("counted %v times", n)
		}
		first.nc.Close()
		until(t, "the one that ended makes room", func() bool {
			return w.dial().hello(w, "acme", "ana", "6", v5) == packet.Accepted
		})
	})
}

// A limit that is lowered ends the newest connections above it.
func TestLoweredConnectionLimit(t *testing.T) {
	scoped(t, tenant.Limits{}, func(t *testing.T, w *world, other func(*packet.Connect)) {
		oldest, second := w.connect("acme", "ana", "1", v5), w.connect("acme", "ana", "2", other)
		third, newest := w.connect("acme", "ana", "3", v5), w.connect("acme", "ana", "4", other)
		begin := time.Now()
		w.limit(func(e *tenant.Entry) {
			if t.Name() == "TestLoweredConnectionLimit/app" {
				e.App.Settings.MaxConnections = 2
			} else {
				e.Limits.Connections = 2
			}
		})
		var bye packet.Disconnect
		if err := bye.Decode(third.next(packet.DISCONNECT)); err != nil || bye.Reason != packet.QuotaExceeded {
			t.Errorf("DISCONNECT %s, %v", bye.Reason, err)
		}
		third.closed()
		newest.closed()
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("felt after %v", d)
		}
		oldest.ping()
		second.ping()
		w.unaffected("5")
	})
}

func TestConnectRate(t *testing.T) {
	scoped(t, tenant.Limits{ConnectRate: 1}, func(t *testing.T, w *world, other func(*packet.Connect)) {
		for name, test := range map[string]struct {
			version func(*packet.Connect)
			refused func(packet.Connack) bool
		}{
			"5.0":   {v5, func(ack packet.Connack) bool { return ack.Reason == packet.ConnectionRateExceeded }},
			"3.1.1": {func(*packet.Connect) {}, func(ack packet.Connack) bool { return ack.Code == packet.ServerUnavailable }},
		} {
			const many = 10
			acks := make(chan packet.Connack, many)
			for i := range many { // at the same moment
				d := w.dial()
				change := []func(*packet.Connect){func(*packet.Connect) {}, other}[i%2]
				go func() { acks <- d.greet(w, "acme", "ana", fmt.Sprint(name, i), change, test.version) }()
			}
			refused := 0
			for range many {
				ack := <-acks
				switch {
				case test.refused(ack):
					refused++
				case ack.Code != packet.Accepted || ack.Reason != packet.Success:
					t.Errorf("%s: CONNACK %s, %s", name, ack.Code, ack.Reason)
				}
			}
			if refused == 0 {
				t.Errorf("%s: %d devices connected at one a second", name, many)
			}
		}
		w.unaffected("5")
		if _, waiting, _ := w.edge.Places(); waiting != 0 {
			t.Errorf("%d count as strangers", waiting)
		}
		until(t, "it is over", func() bool { return w.dial().hello(w, "acme", "ana", "6", v5) == packet.Accepted })
	})
}

// A device that can be told so has its messages refused, and nothing is taken.
func TestPublishRateIsTold(t *testing.T) {
	for name, limits := range map[string]tenant.Limits{"messages": {PublishRate: 5}, "bytes": {PublishBytes: 5000}} {
		t.Run(name, func(t *testing.T) {
			scoped(t, limits, func(t *testing.T, w *world, other func(*packet.Connect)) {
				listener, speaker := w.connect("acme", "ana", "1", v5), w.connect("acme", "ana", "2", v5)
				listener.subscribe(1, "acme/chat/room/#")
				taken := speaker.publishUntilRefused("acme/chat/room/1", 1)
				if taken < 5 {
					t.Errorf("%d were taken", taken)
				}
				taken += speaker.publishUntilRefused("acme/chat/room/1", 2)
				second := w.connect("acme", "ana", "3", other, v5)
				second.publishUntilRefused(second.app+"/users/ana/up/x", 1)
				for range taken {
					listener.message()
				}
				listener.ping()
				w.unaffected("5")
			})
		})
	}
}

// A device that cannot be told so is read more slowly, and loses nothing.
func TestPublishRateSlows(t *testing.T) {
	scoped(t, tenant.Limits{PublishBytes: 10_000}, func(t *testing.T, w *world, _ func(*packet.Connect)) {
		listener, speaker := w.connect("acme", "ana", "1", v5), w.connect("acme", "ana", "2")
		listener.subscribe(0, "acme/chat/room/#")
		begin := time.Now()
		for i := range uint16(16) {
			speaker.send(publish("acme/chat/room/1", strings.Repeat("x", 1000), byte(i%2), i+1))
		}
		w.unaffected("5")
		for range 16 {
			listener.message()
		}
		if d := time.Since(begin); d < 400*time.Millisecond {
			t.Errorf("16 kB took %v at 10 kB a second", d)
		}
		if n := w.metric("publish_pauses_total", ""); n == 0 {
			t.Error("nobody paused")
		}
	})
}

func TestPayloadLimit(t *testing.T) {
	scoped(t, tenant.Limits{PayloadBytes: 1000}, func(t *testing.T, w *world, _ func(*packet.Connect)) {
		listener, modern, old := w.connect("acme", "ana", "1"), w.connect("acme", "ana", "2", v5), w.connect("acme", "ana", "3")
		listener.subscribe(2, "acme/chat/room/#")
		large := strings.Repeat("x", 1001)
		for id, qos := range []byte{1, 2} {
			if code := modern.publish5("acme/chat/room/1", large, qos, uint16(id+1)); code != packet.QuotaExceeded {
				t.Errorf("QoS %d acknowledged with %s", qos, code)
			}
		}
		old.send(publish("acme/chat/room/1", large, 0, 0))
		old.send(publish("acme/chat/room/1", large, 1, 1))
		old.next(packet.PUBACK)
		old.send(publish("acme/chat/room/1", large[1:], 0, 0)) // as much as it may
		if m := listener.message(); len(m.Payload) != 1000 {
			t.Errorf("%d bytes came", len(m.Payload))
		}
		listener.ping()
		if n := w.metric("denied_total", "publish"); n != 4 {
			t.Errorf("%v denied", n)
		}
		will := &packet.Will{Topic: "acme/chat/room/1", Payload: []byte(large)}
		if ack := w.dial().greet(w, "acme", "ana", "4", v5, func(p *packet.Connect) { p.Will = will }); ack.Reason != packet.QuotaExceeded {
			t.Errorf("the will: CONNACK %s", ack.Reason)
		}
		w.unaffected("5")
	})
}

func TestTopicLimits(t *testing.T) {
	for name, limits := range map[string]tenant.Limits{"levels": {TopicLevels: 4}, "bytes": {TopicBytes: 16}} {
		t.Run(name, func(t *testing.T) {
			scoped(t, limits, func(t *testing.T, w *world, _ func(*packet.Connect)) {
				d := w.connect("acme", "ana", "1", v5)
				if codes := d.subscribe(1, "acme/chat/room/1", "acme/chat/room/1/2"); codes[0] != 1 || codes[1] != byte(packet.TopicFilterInvalid) {
					t.Errorf("SUBACK %x", codes)
				}
				if code := d.publish5("acme/chat/room/1/2", "", 1, 1); code != packet.TopicNameInvalid {
					t.Errorf("PUBACK %s", code)
				}
				if code := d.publish5("acme/chat/room/1", "", 1, 2); code != packet.Success {
					t.Errorf("PUBACK %s", code)
				}
				w.unaffected("a long name that others may have")
			})
		})
	}
}

func TestSubscriptionLimit(t *testing.T) {
	scoped(t, tenant.Limits{Subscriptions: 3}, func(t *testing.T, w *world, other func(*packet.Connect)) {
		first, second := w.connect("acme", "ana", "1", v5), w.connect("acme", "ana", "2", other, v5)
		if codes := first.subscribe(0, first.room("1"), first.room("2")); codes[0] != 0 || codes[1] != 0 {
			t.Errorf("SUBACK %x", codes)
		}
		if codes := second.subscribe(0, second.room("1"), second.room("2")); codes[0] != byte(packet.QuotaExceeded) {
			t.Errorf("SUBACK %x", codes)
		}
		if codes := second.subscribe(0, second.room("1")); codes[0] != 0 { // what failed has left room
			t.Errorf("SUBACK %x", codes)
		}
		w.unaffected("5")
	})
}

// Sessions count as long as they are kept, and who has one may come back to it.
func TestSessionLimit(t *testing.T) {
	scoped(t, tenant.Limits{Sessions: 2}, func(t *testing.T, w *world, other func(*packet.Connect)) {
		for i, change := range []func(*packet.Connect){v5, other} {
			d := w.connect("acme", "ana", fmt.Sprint(i), change, durable)
			d.send(packet.Disconnect{Version: d.version}.Append(nil))
			d.closed()
		}
		if ack := w.dial().greet(w, "acme", "ana", "new", v5); ack.Reason != packet.QuotaExceeded {
			t.Errorf("CONNACK %s", ack.Reason)
		}
		if ack := w.dial().greet(w, "acme", "ana", "new", durable); ack.Code != packet.ServerUnavailable {
			t.Errorf("CONNACK %s", ack.Code)
		}
		back := w.dial()
		if ack := back.greet(w, "acme", "ana", "0", v5); ack.Reason != packet.Success || !ack.SessionPresent {
			t.Errorf("CONNACK %s, session present: %t", ack.Reason, ack.SessionPresent)
		}
		w.connect("acme", "ana", "clean")
		w.unaffected("5")
		back.send(packet.Disconnect{Version: packet.V5}.Append(nil))
		back.closed()
		over := func(p *packet.Connect) { p.Clean, p.Properties.SessionExpiry = true, 0 }
		w.connect("acme", "ana", "0", v5, over).ping()
		until(t, "there is room for another", func() bool {
			return w.dial().hello(w, "acme", "ana", "new", v5) == packet.Accepted
		})
	})
}

// room is a topic of the device's app.
func (d *device) room(name string) string { return d.app + "/room/" + name }
