package edge_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

func TestDeliversBetweenDevices(t *testing.T) {
	w := start(t)
	ana, bob := w.connect("acme", "ana", "phone"), w.connect("acme", "bob", "laptop")
	if codes := ana.subscribe(1, "acme/chat/room/+"); codes[0] != 1 {
		t.Fatalf("granted %#x", codes[0])
	}
	for qos := range byte(2) {
		bob.send(publish("acme/chat/room/1", fmt.Sprintf("hello %d", qos), qos, 7))
		if qos == 1 {
			bob.next(packet.PUBACK)
		}
		p := ana.message()
		if string(p.Topic) != "acme/chat/room/1" || string(p.Payload) != fmt.Sprintf("hello %d", qos) || p.QoS != qos {
			t.Errorf("got %q %q QoS %d", p.Topic, p.Payload, p.QoS)
		}
		if qos == 1 {
			ana.send(puback(p.PacketID))
		}
	}
}

// A session that matches through several filters gets one copy, with the
// highest of their QoS [MQTT-3.3.5-1].
func TestOverlappingFiltersDeliverOnce(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone")
	ana.subscribe(0, "acme/chat/room/#", "acme/chat/room/+")
	ana.subscribe(1, "acme/chat/room/1")
	ana.send(publish("acme/chat/room/1", "x", 1, 1))
	var got []string
	for range 2 {
		f, err := ana.read()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Type.String())
	}
	if s := strings.Join(got, " "); s != "PUBLISH PUBACK" && s != "PUBACK PUBLISH" {
		t.Fatalf("got %s", s)
	}
	ana.ping() // and nothing else
}

func TestWall(t *testing.T) {
	w := start(t)
	ana, eve := w.connect("acme", "ana", "phone"), w.connect("globex", "eve", "phone")
	filters := []string{
		"globex/#", "+/chat/#", "#", "/#", "+/#", "$share/g/globex/x", "$queue/globex/#", "$local/globex/#",
		"globex/chat/room/1", "acme", "+", "$SYS/#",
	}
	for i, code := range ana.subscribe(1, filters...) {
		if code != packet.SubackFailure {
			t.Errorf("%s: granted %#x", filters[i], code)
		}
	}
	eve.subscribe(1, "globex/chat/room/#")
	ana.send(publish("globex/chat/room/1", "intruder", 0, 0))
	ana.send(publish("globex/chat/room/1", "intruder", 1, 9))
	ana.next(packet.PUBACK) // dropped, which 3.1.1 cannot say
	eve.ping()              // nothing arrived
}

// The same client identifier of another user is another session.
func TestClientIdentifierBelongsToItsUser(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "same")
	ana.subscribe(0, "acme/chat/users/ana/#")
	bob := w.connect("acme", "bob", "same")
	eve := w.connect("globex", "ana", "same")
	for _, d := range []*device{ana, bob, eve} {
		d.ping()
	}
	again := w.connect("acme", "ana", "same")
	ana.closed() // [MQTT-3.1.4-2]
	for _, d := range []*device{again, bob, eve} {
		d.ping()
	}
}

// A claim heard from another node ends an older connection and spares a newer.
func TestTakeoverByAnotherNode(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone")
	claimed, key := w.bus.announced["session.claimed"], " acme/chat/ana/phone"
	for _, news := range []string{
		"i2 1" + key,                    // long ago
		"i1 18446744073709551615" + key, // our own
		"i2 18446744073709551615 acme/chat/ana/tablet", "i2 18446744073709551616" + key, "i2" + key, "i2 x" + key, "nonsense", "",
	} {
		claimed([]byte(news))
	}
	held := w.bus.announced["session.held"]
	for _, news := range []string{"", "i2", "i2\n", "i2\nshort", "i1\n0123456789abcdef"} {
		held([]byte(news))
	}
	ana.ping()
	claimed([]byte("i2 18446744073709551615" + key))
	ana.closed()
}

func TestWill(t *testing.T) {
	w := start(t)
	will := func(topic string) func(*packet.Connect) {
		return func(p *packet.Connect) { p.Will = &packet.Will{Topic: topic, Payload: []byte("gone"), QoS: 1} }
	}
	watcher := w.connect("acme", "bob", "watcher")
	watcher.subscribe(0, "acme/chat/room/#")

	polite := w.connect("acme", "ana", "polite", will("acme/chat/room/polite"))
	polite.send(packet.Disconnect{}.Append(nil))
	polite.closed()
	w.connect("acme", "ana", "lost", will("acme/chat/room/lost")).nc.Close()
	if p := watcher.message(); string(p.Topic) != "acme/chat/room/lost" {
		t.Errorf("will on %s", p.Topic)
	}

	for _, topic := range []string{"globex/chat/room/1", "acme/other/x", "acme"} {
		if code := w.dial().hello(w, "acme", "ana", "x", will(topic)); code != packet.NotAuthorized {
			t.Errorf("will on %s: %s", topic, code)
		}
	}
	watcher.ping()
}

func TestRefusesBadCredentials(t *testing.T) {
	w := start(t)
	for name, change := range map[string]func(*packet.Connect){
		"no password":           func(p *packet.Connect) { p.HasPassword, p.Password = false, nil },
		"garbage":               func(p *packet.Connect) { p.Password = []byte("garbage") },
		"other organization":    func(p *packet.Connect) { p.Username = "globex/chat" },
		"unknown app":           func(p *packet.Connect) { p.Username = "acme/nothing" },
		"unsigned":              func(p *packet.Connect) { p.Password = p.Password[:bytes.LastIndexByte(p.Password, '.')+1] },
		"other tenant's token":  func(p *packet.Connect) { p.Password = []byte(w.token("globex", "eve")) },
		"username out of shape": func(p *packet.Connect) { p.Username = "acme/chat/" },
	} {
		d := w.dial()
		if code := d.hello(w, "acme", "ana", "phone", change); code != packet.BadUserNameOrPassword {
			t.Errorf("%s: %s", name, code)
		}
		d.closed()
	}
}

// Whatever a client sends, the others do not notice.
func TestMalformedBytesCloseOnlyTheirConnection(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone")
	for _, garbage := range []string{
		"GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: a browser that took the wrong port\r\n\r\n", "\x00\x00", "\xff\xff\xff\xff\xff\xff", "\x10\xff\xff\xff\xff\x01",
		"\x30\x00", "\x10\x02\x00\x04", "\x10\xff\xff\xff\x7f",
	} {
		d := w.dial()
		d.send([]byte(garbage))
		d.closed()
	}
	for _, p := range [][]byte{
		publish("acme/chat/room/+", "x", 0, 0),
		publish("acme/chat/room/1", strings.Repeat("x", 300<<10), 0, 0),
		packet.Connect{Clean: true, ClientID: "again"}.Append(nil),
		{0x36, 0x05, 0, 1, 'a', 0, 1},
	} {
		d := w.connect("acme", "bob", "b")
		_, _ = d.nc.Write(p) // the server may close in the middle of it
		d.closed()
	}
	ana.ping()
}

func TestPacketsSplitAnywhere(t *testing.T) {
	w := start(t)
	d := w.connect("acme", "ana", "phone")
	d.subscribe(0, "acme/chat/room/#")
	all := append(publish("acme/chat/room/1", "one", 0, 0), publish("acme/chat/room/1", strings.Repeat("two", 3000), 0, 0)...)
	for i := range 40 { // byte by byte, then the rest
		d.send(all[i : i+1])
	}
	d.send(all[40:])
	if p := d.message(); string(p.Payload) != "one" {
		t.Errorf("got %q", p.Payload)
	}
	if p := d.message(); len(p.Payload) != 9000 {
		t.Errorf("got %d bytes", len(p.Payload))
	}
}

// While the log takes nothing, publishers wait and nothing is lost.
func TestOverloadedBusHoldsPublishersBack(t *testing.T) {
	w := start(t)
	ana, bob := w.connect("acme", "ana", "phone"), w.connect("acme", "bob", "laptop")
	ana.subscribe(1, "acme/chat/room/1")
	w.bus.setFull(true)
	const n = 100
	var all []byte
	for i := range uint16(n) {
		all = append(all, publish("acme/chat/room/1", strconv.Itoa(int(i)), 1, i+1)...)
	}
	bob.send(all)
	for deadline := time.Now().Add(patience); w.bus.refusals() < 2; { // refused, and offered again
		if time.Now().After(deadline) {
			t.Fatal("the publish is not offered again")
		}
		ana.ping()
	}
	w.bus.setFull(false)
	for i := range n {
		bob.next(packet.PUBACK)
		p := ana.message()
		if string(p.Payload) != strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, p.Payload)
		}
		ana.send(puback(p.PacketID))
	}
}

// A publish that stalls while a stalled one is offered again is not forgotten.
func TestStallsWhileItIsReadOn(t *testing.T) {
	w := start(t)
	bob := w.connect("acme", "bob", "laptop")
	w.bus.setFull(true)
	var all []byte
	for id := range uint16(3) {
		all = append(all, publish("acme/chat/room/1", "x", 1, id+1)...)
	}
	bob.send(all)
	for range 3 {
		w.bus.take(1)
		bob.next(packet.PUBACK)
	}
}

// What an app has no room for is not logged for every message.
func TestRefusedMessagesDoNotFillTheLog(t *testing.T) {
	var log lines
	w := start(t, log.into)
	w.bus.refusal = broker.ErrAppFull
	bob := w.connect("acme", "bob", "laptop", func(p *packet.Connect) { p.Version = packet.V5 })
	for id := range uint16(10) {
		bob.send(packet.Publish{Version: packet.V5, Topic: []byte("acme/chat/room/1"), QoS: 1, PacketID: id + 1}.Append(nil))
		bob.next(packet.PUBACK)
	}
	if n := log.count("message not accepted"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// A client that does not read loses QoS 0, and only its own.
func TestClientThatDoesNotReadHurtsNobody(t *testing.T) {
	w := start(t)
	lazy, ana, bob := w.connect("acme", "eve", "lazy"), w.connect("acme", "ana", "phone"), w.connect("acme", "bob", "laptop")
	lazy.subscribe(0, "acme/chat/room/#")
	ana.subscribe(0, "acme/chat/room/#")
	payload := strings.Repeat("x", 64<<10)
	for range 400 { // 25 MiB, more than socket buffers take
		bob.send(publish("acme/chat/room/1", payload, 0, 0))
		ana.message()
	}
	ana.ping()
	lazyGot := 0
	lazy.send(packet.Pingreq{}.Append(nil))
	for {
		f, err := lazy.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Type == packet.PINGRESP {
			break
		}
		lazyGot++
	}
	if lazyGot == 400 {
		t.Error("the lazy client got everything: the test does not congest it")
	}
}

// A client that does not acknowledge falls behind, and gets what it missed in
// order as it goes on.
func TestSlowConsumerFallsBehindAndCatchesUp(t *testing.T) {
	w := start(t, func(c *edge.Config) {
		c.Limits = session.DefaultLimits()
		c.Limits.MaxInflight = 4
	})
	ana := w.connect("acme", "ana", "phone")
	ana.subscribe(1, "acme/chat/room/1")
	bob := w.connect("acme", "bob", "laptop")
	const n = 300
	for i := range uint16(n) {
		bob.send(publish("acme/chat/room/1", strconv.Itoa(int(i)), 1, i+1))
		bob.next(packet.PUBACK)
	}
	for i := range n {
		p := ana.message()
		if string(p.Payload) != strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, p.Payload)
		}
		ana.send(puback(p.PacketID))
	}
	bob.send(publish("acme/chat/room/1", "live again", 1, 1))
	if p := ana.message(); string(p.Payload) != "live again" {
		t.Errorf("got %q", p.Payload)
	}
	ana.ping() // nothing came twice
}

func TestKeepAlive(t *testing.T) {
	w := start(t)
	silent := w.connect("acme", "ana", "silent", func(p *packet.Connect) { p.KeepAlive = 1 })
	begin := time.Now()
	silent.closed() // [MQTT-3.1.2-24]
	if d := time.Since(begin); d < 1400*time.Millisecond || d > 4*time.Second {
		t.Errorf("closed after %v, want one and a half seconds", d)
	}
}

func TestConnectTimeout(t *testing.T) {
	w := start(t, func(c *edge.Config) {
		c.Limits = session.DefaultLimits()
		c.Limits.ConnectTimeout = 300 * time.Millisecond
	})
	w.dial().closed()
}

func TestInterestFollowsSubscriptions(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone")
	ana.subscribe(0, "acme/chat/room/1", "acme/chat/room/2")
	ana.subscribe(1, "acme/chat/room/1") // again
	if n := w.bus.interests(); n != 2 {
		t.Errorf("%d filters of interest, want 2", n)
	}
	ana.send(packet.Unsubscribe{PacketID: 2, Filters: []string{"acme/chat/room/1"}}.Append(nil))
	ana.next(packet.UNSUBACK)
	if n := w.bus.interests(); n != 1 {
		t.Errorf("%d filters of interest, want 1", n)
	}
	ana.send(packet.Disconnect{}.Append(nil))
	ana.closed()
	if n := w.bus.interests(); n != 0 {
		t.Errorf("%d filters of interest, want none", n)
	}
}

func TestWebSocket(t *testing.T) {
	w := start(t)
	ws, _, err := websocket.Dial(t.Context(), "ws://"+w.addr[edge.WS]+"/mqtt", &websocket.DialOptions{Subprotocols: []string{"mqtt"}}) //nolint:bodyclose // Dial says that it is never needed
	if err != nil {
		t.Fatal(err)
	}
	if ws.Subprotocol() != "mqtt" { // [MQTT-6.0.0-4]
		t.Errorf("subprotocol %q", ws.Subprotocol())
	}
	d := w.on(websocket.NetConn(t.Context(), ws, websocket.MessageBinary))
	if code := d.hello(w, "acme", "ana", "browser"); code != packet.Accepted {
		t.Fatal(code)
	}
	d.subscribe(1, "acme/chat/users/ana/#", "acme/chat/room/1")
	d.send(publish("acme/chat/room/1", strings.Repeat("x", 100_000), 0, 0))
	if p := d.message(); len(p.Payload) != 100_000 {
		t.Errorf("got %d bytes", len(p.Payload))
	}
}

// Only binary frames are MQTT [MQTT-6.0.0-1].
func TestWebSocketRefusesText(t *testing.T) {
	w := start(t)
	ws, _, err := websocket.Dial(t.Context(), "ws://"+w.addr[edge.WS]+"/mqtt", &websocket.DialOptions{Subprotocols: []string{"mqtt"}}) //nolint:bodyclose // Dial says that it is never needed
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	w.on(websocket.NetConn(t.Context(), ws, websocket.MessageBinary)).closed()
}

// A stopping edge closes its connections and publishes no wills.
func TestStop(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone", func(p *packet.Connect) {
		p.Will = &packet.Will{Topic: "acme/chat/room/will", Payload: []byte("gone")}
	})
	watcher := w.connect("acme", "bob", "watcher")
	watcher.subscribe(0, "acme/chat/room/#")
	w.stop()
	ana.closed()
	if f, err := watcher.read(); err == nil {
		t.Errorf("got %s, want the end", f.Type)
	}
	if w.edge.Ready() {
		t.Error("ready after stop")
	}
}

// A client that does not read holds up nobody on another loop when the edge
// stops.
func TestStopBesideAClientThatDoesNotRead(t *testing.T) {
	w := start(t)
	ana, lazy, bob := w.connect("acme", "ana", "phone"), w.connect("acme", "eve", "lazy"), w.connect("acme", "bob", "laptop")
	lazy.subscribe(0, "acme/chat/room/#")
	payload := strings.Repeat("x", 64<<10)
	for range 400 { // 25 MiB, more than socket buffers take
		bob.send(publish("acme/chat/room/1", payload, 0, 0))
	}
	bob.ping()
	begun := time.Now()
	go w.stop()
	ana.closed()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	_ = lazy.nc.Close()
	w.stop()
}
