package edge_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// durable keeps the session when its connection ends.
func durable(p *packet.Connect) { p.Clean = false }

// v5 speaks MQTT 5.0, with a session that lives an hour.
func v5(p *packet.Connect) {
	p.Version, p.Clean = packet.V5, false
	p.Properties.SessionExpiry = 3600
}

func TestSessionOutlivesItsConnection(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone", durable)
	ana.subscribe(1, "acme/chat/room/1")
	ana.send(packet.Disconnect{}.Append(nil))
	ana.closed()
	bob := w.connect("acme", "bob", "laptop")
	for i := range uint16(200) {
		bob.send(publish("acme/chat/room/1", strconv.Itoa(int(i)), 1, i+1))
		bob.next(packet.PUBACK)
	}
	back := w.dial()
	if ack := back.greet(w, "acme", "ana", "phone", durable); !ack.SessionPresent {
		t.Fatal("no session present")
	}
	for i := range 200 {
		p := back.message()
		if string(p.Payload) != strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, p.Payload)
		}
		back.send(puback(p.PacketID))
	}
	back.ping()
}

// What was sent and not acknowledged comes again, with DUP and the same
// identifier. [MQTT-4.4.0-1].
func TestTakeoverHandsTheSessionOver(t *testing.T) {
	w := start(t)
	first := w.connect("acme", "ana", "phone", v5)
	first.version = packet.V5
	first.subscribe(2, "acme/chat/room/1")
	bob := w.connect("acme", "bob", "laptop")
	bob.send(publish("acme/chat/room/1", "hello", 2, 1))
	bob.next(packet.PUBREC)
	sent := first.message()
	second := w.dial()
	if ack := second.greet(w, "acme", "ana", "phone", v5); !ack.SessionPresent {
		t.Fatal("no session present")
	}
	var bye packet.Disconnect
	if err := bye.Decode(first.next(packet.DISCONNECT)); err != nil || bye.Reason != packet.SessionTakenOver {
		t.Errorf("DISCONNECT %v, %v", bye.Reason, err)
	}
	if p := second.message(); !p.Dup || p.PacketID != sent.PacketID || string(p.Payload) != "hello" {
		t.Errorf("got %+v, want message %d again", p, sent.PacketID)
	}
}

func TestCleanStartEndsTheSession(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone", durable)
	ana.subscribe(1, "acme/chat/room/1")
	ana.send(packet.Disconnect{}.Append(nil))
	ana.closed()
	if ack := w.dial().greet(w, "acme", "ana", "phone"); ack.SessionPresent { // [MQTT-3.1.2-4]
		t.Error("session present")
	}
	if ack := w.dial().greet(w, "acme", "ana", "phone", durable); ack.SessionPresent {
		t.Error("session present after a clean one")
	}
}

func TestSessionExpires(t *testing.T) {
	w := start(t)
	short := func(p *packet.Connect) { v5(p); p.Properties.SessionExpiry = 1 }
	ana := w.connect("acme", "ana", "phone", short)
	ana.nc.Close()
	deadline := time.Now().Add(patience)
	for { // until its end is stored and over
		r := w.bus.record("acme/chat/ana/phone")
		if r != nil && !r.Expires.IsZero() && time.Now().After(r.Expires) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the session does not expire")
		}
		w.connect("acme", "bob", "clock").ping()
	}
	if ack := w.dial().greet(w, "acme", "ana", "phone", short); ack.SessionPresent { // [MQTT-3.1.2-23]
		t.Error("session present after its expiry")
	}
}

func TestDelayedWill(t *testing.T) {
	w := start(t)
	withWill := func(delay uint32) func(*packet.Connect) {
		return func(p *packet.Connect) {
			v5(p)
			p.Will = &packet.Will{Topic: "acme/chat/room/will", Payload: []byte("gone")}
			p.Will.Properties.DelayInterval = delay
		}
	}
	bob := w.connect("acme", "bob", "laptop")
	bob.subscribe(0, "acme/chat/room/#")
	begin := time.Now()
	w.connect("acme", "ana", "phone", withWill(1)).nc.Close()
	if p := bob.message(); string(p.Payload) != "gone" || time.Since(begin) < time.Second {
		t.Errorf("got %q after %v", p.Payload, time.Since(begin))
	}
	w.connect("acme", "ana", "phone", withWill(600)).nc.Close()
	w.connect("acme", "ana", "phone", withWill(600)) // back in time [MQTT-3.1.3-9]
	bob.ping()
	// A clean start ends the session, and the will's delay with it.
	w.connect("acme", "ana", "phone")
	if p := bob.message(); string(p.Payload) != "gone" {
		t.Errorf("got %q", p.Payload)
	}
}

func TestRetained(t *testing.T) {
	w := start(t)
	bob := w.connect("acme", "bob", "laptop")
	for i := range uint16(100) {
		p := packet.Publish{Topic: []byte("acme/chat/room/" + strconv.Itoa(int(i))), Payload: []byte("kept"), QoS: 1, PacketID: i + 1, Retain: true}
		bob.send(p.Append(nil))
		bob.next(packet.PUBACK)
	}
	ana := w.connect("acme", "ana", "phone")
	ana.subscribe(1, "acme/chat/room/#")
	seen := map[string]bool{}
	for range 100 {
		p := ana.message()
		if !p.Retain || seen[string(p.Topic)] { // [MQTT-3.3.1-8]
			t.Fatalf("got %+v", p)
		}
		seen[string(p.Topic)] = true
		ana.send(puback(p.PacketID))
	}
	ana.ping()
}

func TestShareGroupGivesEachMessageToOneMember(t *testing.T) {
	w := start(t)
	var members []*device
	for i := range 3 {
		d := w.connect("acme", "ana", "worker-"+strconv.Itoa(i))
		d.subscribe(1, "$share/g/acme/chat/room/#")
		members = append(members, d)
	}
	other := w.connect("acme", "ana", "watcher")
	other.subscribe(0, "$queue/acme/chat/room/#")
	bob := w.connect("acme", "bob", "laptop")
	const n = 30
	for i := range uint16(n) {
		bob.send(publish("acme/chat/room/1", strconv.Itoa(int(i)), 1, i+1))
		bob.next(packet.PUBACK)
		other.message()
	}
	for i, d := range members {
		for range n / len(members) { // in turn, as all have room
			p := d.message()
			if i > 0 {
				d.send(puback(p.PacketID))
			}
		}
		d.ping()
	}
	// The first member has acknowledged nothing: when it goes, the others get it.
	members[0].nc.Close()
	for _, d := range members[1:] {
		for range n / len(members) / 2 {
			d.send(puback(d.message().PacketID))
		}
		d.ping()
	}
}

func TestLocalIsThisNodesOnly(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone")
	ana.subscribe(0, "$local/acme/chat/room/#")
	w.connect("acme", "bob", "laptop").send(publish("acme/chat/room/1", "here", 0, 0))
	if p := ana.message(); string(p.Payload) != "here" {
		t.Errorf("got %q", p.Payload)
	}
	w.edge.Deliver(fromElsewhere("acme/chat/room/1"))
	ana.ping()
}

func TestSysIsTheOperators(t *testing.T) {
	w := start(t, func(c *edge.Config) { c.OperatorOrg = "acme" })
	ana := w.connect("acme", "ana", "phone")
	if codes := ana.subscribe(0, "$SYS/#"); codes[0] != 0 {
		t.Fatalf("SUBACK %x", codes)
	}
	if p := ana.message(); string(p.Topic) != "$SYS/broker/version" || !p.Retain {
		t.Errorf("got %s", p.Topic)
	}
	if codes := w.connect("globex", "eve", "spy").subscribe(0, "$SYS/#"); codes[0] != packet.SubackFailure {
		t.Errorf("SUBACK %x for another organization", codes)
	}
}

// A 5.0 client renews its token without reconnecting.
func TestReauthentication(t *testing.T) {
	w := start(t)
	method := func(p *packet.Connect) {
		v5(p)
		p.HasPassword, p.Password = false, nil
		p.Properties.HasAuthMethod, p.Properties.AuthMethod = true, "JWT"
		p.Properties.AuthData = []byte(w.token("acme", "ana"))
	}
	ana := w.connect("acme", "ana", "phone", method)
	auth := func(token string) {
		ana.send(packet.Auth{Reason: packet.Reauthenticate, Properties: packet.AuthProperties{AuthMethod: "JWT", AuthData: []byte(token)}}.Append(nil))
	}
	auth(w.token("acme", "ana"))
	var ok packet.Auth
	f := ana.next(packet.AUTH)
	if err := ok.Decode(f); err != nil || ok.Reason != packet.Success {
		t.Errorf("AUTH %v, %v", ok.Reason, err)
	}
	auth(w.token("acme", "bob")) // another user
	var bye packet.Disconnect
	if err := bye.Decode(ana.next(packet.DISCONNECT)); err != nil || bye.Reason != packet.NotAuthorizedV5 {
		t.Errorf("DISCONNECT %v, %v", bye.Reason, err)
	}
}

// A client of a mounted app knows nothing of the prefix: not in topics, not in
// shares, wills and response topics.
func TestMountedMode(t *testing.T) {
	w := start(t)
	ana := w.connect("mounted", "ana", "phone", v5)
	ana.subscribe(1, "presence", "$share/g/example/#")
	bob := w.connect("mounted", "bob", "laptop", func(p *packet.Connect) {
		v5(p)
		p.Properties.SessionExpiry = 0
		p.Will = &packet.Will{Topic: "presence", Payload: []byte("gone")}
	})
	bob.send(packet.Publish{Version: packet.V5, Topic: []byte("example/1"), Payload: []byte("hello"), Properties: packet.PublishProperties{ResponseTopic: []byte("answers/bob")}}.Append(nil))
	if p := ana.message(); string(p.Topic) != "example/1" || string(p.Properties.ResponseTopic) != "answers/bob" {
		t.Errorf("got %s, answer to %s", p.Topic, p.Properties.ResponseTopic)
	}
	bob.nc.Close()
	if p := ana.message(); string(p.Topic) != "presence" || string(p.Payload) != "gone" {
		t.Errorf("got %s %s", p.Topic, p.Payload)
	}
	for _, filter := range []string{"#", "+/ana/#", "users/bob/#", "$share/g/#"} {
		if codes := ana.subscribe(0, filter); codes[0] < 0x80 {
			t.Errorf("%s: SUBACK %x", filter, codes)
		}
	}
}

// A stopping edge sends its clients on.
func TestDrainRedirects(t *testing.T) {
	w := start(t, func(c *edge.Config) { c.DrainTo = "other.example:1883" })
	ana := w.connect("acme", "ana", "phone", v5)
	old := w.connect("acme", "ana", "old phone")
	w.stop()
	var bye packet.Disconnect
	if err := bye.Decode(ana.next(packet.DISCONNECT)); err != nil || bye.Reason != packet.UseAnotherServer || bye.Properties.ServerReference != "other.example:1883" {
		t.Errorf("DISCONNECT %+v, %v", bye, err)
	}
	old.closed()
}

// A will that may not be published refuses the connection, and costs neither
// the session nor the app's count of connections.
func TestRefusedWillKeepsTheSession(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone", durable)
	ana.subscribe(1, "acme/chat/room/1")
	ana.send(packet.Disconnect{}.Append(nil))
	ana.closed()
	greedy := func(p *packet.Connect) { p.Clean = false; p.Will = &packet.Will{Topic: "globex/chat/room/1"} }
	if ack := w.dial().greet(w, "acme", "ana", "phone", greedy); ack.Code != packet.NotAuthorized {
		t.Errorf("CONNACK %s", ack.Code)
	}
	if ack := w.dial().greet(w, "acme", "ana", "phone", durable); !ack.SessionPresent {
		t.Error("the session is gone")
	}
}

// A 5.0 client that asks for no keep alive is told the server's.
func TestServerKeepAlive(t *testing.T) {
	w := start(t, func(c *edge.Config) {
		c.Limits = session.DefaultLimits()
		c.Limits.MaxKeepAlive = 60
	})
	for asked, want := range map[uint16]uint16{0: 60, 120: 60, 30: 0} {
		ack := w.dial().greet(w, "acme", "ana", "phone", v5, func(p *packet.Connect) { p.KeepAlive = asked })
		if ack.Properties.ServerKeepAlive != want {
			t.Errorf("asked for %d: %d, want %d", asked, ack.Properties.ServerKeepAlive, want)
		}
	}
}

// While the store is away connections stay and what needs it waits; what they
// leave meanwhile is kept, and the next connection goes on with it.
func TestConnectionsOutliveTheStore(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone", durable)
	ana.subscribe(1, "acme/chat/room/1")
	w.bus.setAway(true)
	sub := packet.Subscribe{PacketID: 7, Subscriptions: []packet.Subscription{{Filter: "acme/chat/room/2", QoS: 1}}}
	ana.send(sub.Append(nil))
	ana.ping() // no SUBACK
	w.bus.setAway(false)
	ana.next(packet.SUBACK)

	bob := w.connect("acme", "bob", "laptop")
	w.bus.setAway(true)
	bob.send(publish("acme/chat/room/1", "seen", 1, 1))
	bob.next(packet.PUBACK)
	ana.send(puback(ana.message().PacketID))
	ana.ping()
	ana.nc.Close()
	back := w.dial()
	answered := make(chan packet.Connack)
	go func() { answered <- back.greet(w, "acme", "ana", "phone", durable) }()
	until(t, "the last connection is gone", func() bool { return len(w.bus.told("phone")) == 2 })
	bob.send(publish("acme/chat/room/2", "missed", 1, 2))
	bob.next(packet.PUBACK)
	w.bus.setAway(false)
	if ack := <-answered; !ack.SessionPresent {
		t.Fatal("no session present")
	}
	if p := back.message(); p.Dup || string(p.Payload) != "missed" {
		t.Errorf("got %+v", p)
	}
}

// Events tell who is connected, once each.
func TestEvents(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "phone")
	w.connect("acme", "ana", "phone").send(packet.Disconnect{}.Append(nil))
	ana.closed()
	bad := w.dial()
	bad.hello(w, "acme", "ana", "phone", func(p *packet.Connect) { p.Password = []byte("wrong") })
	until(t, "told", func() bool { return len(w.bus.told("phone")) == 4 })
	told := w.bus.told("phone")
	slices.Sort(told)
	want := []string{"connected", "connected", "disconnected disconnected", "disconnected taken_over"}
	if !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
}
