package edge_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/tenant"
)

const watchPassword = "a long password of the operator's"

// heights is an edge.Above that remembers, hangs and fails on demand.
type heights struct {
	mu     sync.Mutex
	asked  int
	notes  []tenant.AuditEntry
	hold   chan struct{} // look-ups wait until it is closed, if not nil
	broken error
}

var _ edge.Above = (*heights)(nil)

func (h *heights) Shard(ctx context.Context, org string) (uint16, error) {
	h.mu.Lock()
	h.asked++
	hold, broken := h.hold, h.broken
	h.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	switch {
	case broken != nil:
		return 0, broken
	case org == "globex":
		return 9, nil
	case org == "mounted":
		return 4, nil
	}
	return 0, fault.New(fault.NotFound, "no such organization")
}

func (h *heights) Note(e tenant.AuditEntry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, e)
}

// uses are what was noted, in words.
func (h *heights) uses() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var uses []string
	for _, e := range h.notes {
		uses = append(uses, fmt.Sprintf("%s %s %s %s", e.Actor, e.Action, e.Organization, e.Target))
	}
	return uses
}

// startAbove starts an edge whose operator is acme, with the login acme/chat/watch.
func startAbove(t *testing.T, super bool) (*world, *heights) {
	t.Helper()
	h := &heights{}
	w := startWith(t, func(d *edge.Deps) { d.Above = h }, func(c *edge.Config) { c.OperatorOrg = "acme" })
	w.login(super)
	return w, h
}

var watchHash = sync.OnceValues(func() (string, error) { return auth.HashPassword(watchPassword) })

func (w *world) login(super bool) {
	w.t.Helper()
	hash, err := watchHash()
	if err != nil {
		w.t.Fatal(err)
	}
	w.src.watch.Store(&tenant.Login{
		Organization: "acme", App: "chat", Username: "watch", PasswordHash: hash, User: "watcher", Enabled: true, Super: super,
	})
}

// asWatch makes a CONNECT the operator's login's.
func asWatch(p *packet.Connect) {
	p.Version = packet.V5
	p.Username, p.Password = "acme/chat/watch", []byte(watchPassword)
}

func (d *device) acknowledged(id uint16) packet.ReasonCode {
	d.t.Helper()
	var ack packet.Ack
	if err := ack.Decode(d.next(packet.PUBACK)); err != nil || ack.PacketID != id {
		d.t.Fatalf("PUBACK %d, want %d: %v", ack.PacketID, id, err)
	}
	return ack.Reason
}

func publish5(topic, payload string, qos byte, id uint16) []byte {
	return packet.Publish{Version: packet.V5, Topic: []byte(topic), Payload: []byte(payload), QoS: qos, PacketID: id}.Append(nil)
}

// TestSuperClientHearsAll: what other organizations say comes with QoS 0, what
// its own does as it asked; the operator's other devices hear nothing of it.
func TestSuperClientHearsAll(t *testing.T) {
	w, h := startAbove(t, true)
	watch := w.connect("acme", "watcher", "watch-1", asWatch)
	if codes := watch.subscribe(1, "#", "+/chat/#", "globex/chat/room/#", "acme/chat/room/#"); !slices.Equal(codes, []byte{0, 0, 0, 1}) {
		t.Fatalf("SUBACK %x", codes)
	}
	ordinary := w.connect("acme", "ana", "phone", version5)
	for _, filter := range []string{"#", "+/chat/#", "globex/chat/room/#", "$share/g/globex/chat/room/#"} {
		if codes := ordinary.subscribe(1, filter); codes[0] != byte(packet.NotAuthorizedV5) {
			t.Errorf("%s: SUBACK %x for an ordinary device", filter, codes)
		}
	}
	ordinary.subscribe(1, "acme/chat/room/#")
	for _, from := range []struct{ org, topic string }{{"globex", "globex/chat/room/1"}, {"mounted", "a/b"}, {"acme", "acme/chat/room/1"}} {
		d := w.connect(from.org, "bob", "laptop")
		d.send(publish(from.topic, "from "+from.org, 1, 7))
		d.next(packet.PUBACK)
		m := watch.message()
		wantQoS := byte(0)
		if from.org == "acme" {
			wantQoS = 1
		}
		if string(m.Payload) != "from "+from.org || m.QoS != wantQoS {
			t.Errorf("got %q of %s with QoS %d", m.Payload, m.Topic, m.QoS)
		}
		if wantQoS == 1 {
			watch.send(puback(m.PacketID))
		}
	}
	watch.ping()
	if m := ordinary.message(); string(m.Payload) != "from acme" {
		t.Errorf("an ordinary device hears %q", m.Payload)
	}
	want := []string{
		"acme/chat/watch across.read globex globex/chat/room/1", "acme/chat/watch across.read mounted mounted/chat/a/b",
	}
	if got := h.uses(); !slices.Equal(got, want) {
		t.Errorf("noted %q", got)
	}
	if codes := watch.subscribe(1, "$share/g/globex/chat/x", "$share/g/acme/chat/x", "$SYS/broker/version", "$other/x"); !slices.Equal(codes,
		[]byte{byte(packet.NotAuthorizedV5), 1, 1, byte(packet.NotAuthorizedV5)}) {
		t.Errorf("SUBACK %x", codes)
	}
}

// TestSuperClientHearsRetained: of a named organization.
func TestSuperClientHearsRetained(t *testing.T) {
	w, h := startAbove(t, true)
	bob := w.connect("globex", "bob", "laptop")
	bob.send(packet.Publish{Topic: []byte("globex/chat/room/1"), Payload: []byte("kept"), QoS: 1, PacketID: 1, Retain: true}.Append(nil))
	bob.next(packet.PUBACK)
	watch := w.connect("acme", "watcher", "watch-1", asWatch)
	watch.subscribe(1, "+/chat/room/#") // nothing comes of it
	watch.ping()
	watch.subscribe(1, "globex/chat/room/1")
	if m := watch.message(); string(m.Payload) != "kept" || !m.Retain || m.QoS != 0 {
		t.Errorf("got %q, %v, QoS %d", m.Payload, m.Retain, m.QoS)
	}
	if got := h.uses(); !slices.Equal(got, []string{"acme/chat/watch across.read globex globex/chat/room/1"}) {
		t.Errorf("noted %q", got)
	}
}

// TestSuperClientPublishes: into the other organization's own stream, in order
// also while it is looked up, and to nobody where there is no organization.
func TestSuperClientPublishes(t *testing.T) {
	w, h := startAbove(t, true)
	bob := w.connect("globex", "bob", "laptop")
	bob.subscribe(1, "globex/chat/room/#")
	watch := w.connect("acme", "watcher", "watch-1", asWatch)
	hold := make(chan struct{})
	h.mu.Lock()
	h.hold = hold
	h.mu.Unlock()
	watch.send(publish5("globex/chat/room/1", "one", 1, 1))
	watch.send(publish5("nobody/chat/room/1", "lost", 1, 2))
	watch.send(publish5("acme/chat/room/1", "two", 1, 3))
	watch.send(publish5("globex/chat/room/1", "three", 0, 0))
	testenv.Eventually(t, patience, "a look-up", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.asked > 0 })
	h.mu.Lock()
	h.hold = nil
	h.mu.Unlock()
	close(hold)
	if a, b, c := watch.acknowledged(1), watch.acknowledged(2), watch.acknowledged(3); a != packet.Success || b != packet.NotAuthorizedV5 || c != packet.Success {
		t.Errorf("PUBACK %v, %v, %v", a, b, c)
	}
	for _, want := range []string{"one", "three"} {
		m := bob.message()
		if string(m.Payload) != want {
			t.Errorf("got %q, want %q", m.Payload, want)
		}
		if m.QoS == 1 {
			bob.send(puback(m.PacketID))
		}
	}
	w.bus.mu.Lock()
	var shards []uint16
	for _, m := range w.bus.log {
		shards = append(shards, m.Position.Shard)
	}
	w.bus.mu.Unlock()
	if !slices.Equal(shards, []uint16{9, 0}) {
		t.Errorf("the log has messages of the shards %v", shards)
	}
	if got := h.uses(); !slices.Equal(got, []string{"acme/chat/watch across.publish globex globex/chat/room/1"}) {
		t.Errorf("noted %q", got)
	}
	for _, name := range []string{"globex", "$SYS/x", "$x/y", "/globex/x"} {
		watch.send(publish5(name, "no", 1, 5))
		if code := watch.acknowledged(5); code != packet.NotAuthorizedV5 {
			t.Errorf("%s: PUBACK %v", name, code)
		}
	}
}

// TestSuperClientOf311: it cannot be told, and goes on.
func TestSuperClientOf311(t *testing.T) {
	w, _ := startAbove(t, true)
	watch := w.connect("acme", "watcher", "watch-1", asWatch, func(p *packet.Connect) { p.Version = packet.V311 })
	watch.send(publish("nobody/chat/x", "lost", 1, 1))
	watch.acknowledged(1)
	watch.send(packet.Publish{Topic: []byte("globex/chat/x"), QoS: 2, PacketID: 2}.Append(nil))
	watch.next(packet.PUBREC)
	watch.ping()
}

// TestSuperClientWhileTheDatabaseIsAway: nobody knows where its message goes.
func TestSuperClientWhileTheDatabaseIsAway(t *testing.T) {
	w, h := startAbove(t, true)
	h.mu.Lock()
	h.broken = fault.New(fault.Unavailable, "the database does not answer")
	h.mu.Unlock()
	watch := w.connect("acme", "watcher", "watch-1", asWatch)
	watch.send(publish5("acme/chat/room/1", "own", 1, 1))
	if code := watch.acknowledged(1); code != packet.Success {
		t.Errorf("its own organization: %v", code)
	}
	watch.send(publish5("globex/chat/room/1", "other", 1, 2))
	var bye packet.Disconnect
	if err := bye.Decode(watch.next(packet.DISCONNECT)); err != nil || bye.Reason == packet.NotAuthorizedV5 {
		t.Errorf("DISCONNECT %v, %v", bye.Reason, err)
	}
}

// TestSuperClientKeepsItsPlace: positions of another organization's stream say
// nothing about its own.
func TestSuperClientKeepsItsPlace(t *testing.T) {
	w, _ := startAbove(t, true)
	watch := w.connect("acme", "watcher", "watch-1", asWatch)
	watch.subscribe(0, "globex/#", "acme/chat/room/#")
	w.edge.Deliver(&broker.Message{
		ID: ulid.Make(), Topic: "globex/chat/x", Node: "n2", QoS: 1, Position: broker.Position{Shard: 9, Seq: 1 << 40}, Payload: []byte("far"),
	})
	if m := watch.message(); string(m.Payload) != "far" || m.QoS != 0 {
		t.Errorf("got %q with QoS %d", m.Payload, m.QoS)
	}
	watch.subscribe(1, "acme/chat/room/#") // from here on, in its own stream
	bob := w.connect("acme", "bob", "laptop")
	bob.send(publish("acme/chat/room/1", "near", 1, 1))
	bob.next(packet.PUBACK)
	if m := watch.message(); string(m.Payload) != "near" || m.QoS != 1 {
		t.Errorf("got %q with QoS %d", m.Payload, m.QoS)
	}
}

func TestSuperClientHasNoWillElsewhere(t *testing.T) {
	w, _ := startAbove(t, true)
	will := func(topic string) func(*packet.Connect) {
		return func(p *packet.Connect) { p.Will = &packet.Will{Topic: topic, Payload: []byte("gone")} }
	}
	if code := w.dial().hello(w, "acme", "watcher", "w1", asWatch, will("acme/chat/room/1")); code != packet.Accepted {
		t.Errorf("its own organization: %v", code)
	}
	if code := w.dial().hello(w, "acme", "watcher", "w2", asWatch, will("globex/chat/room/1")); code == packet.Accepted {
		t.Error("a will of another organization")
	}
}

// TestNobodyIsSuper: without the mark, in another organization, or where it is
// off.
func TestNobodyIsSuper(t *testing.T) {
	plain, _ := startAbove(t, false)
	h := &heights{}
	others := startWith(t, func(d *edge.Deps) { d.Above = h }, func(c *edge.Config) { c.OperatorOrg = "globex" })
	others.login(true)
	off := start(t, func(c *edge.Config) { c.OperatorOrg = "acme" })
	off.login(true)
	for name, w := range map[string]*world{"plain": plain, "another organization's": others, "off": off} {
		watch := w.connect("acme", "watcher", "watch-1", asWatch)
		if codes := watch.subscribe(0, "globex/chat/room/1", "#"); codes[0] != byte(packet.NotAuthorizedV5) || codes[1] != byte(packet.NotAuthorizedV5) {
			t.Errorf("%s: SUBACK %x", name, codes)
		}
		watch.send(publish5("globex/chat/room/1", "no", 1, 1))
		if code := watch.acknowledged(1); code != packet.NotAuthorizedV5 {
			t.Errorf("%s: PUBACK %v", name, code)
		}
	}
	if h.asked > 0 || len(h.notes) > 0 {
		t.Error("somebody crossed the wall")
	}
}

// TestSuperClientEnds: the mark is taken away while it is connected.
func TestSuperClientEnds(t *testing.T) {
	w, _ := startAbove(t, true)
	watch := w.connect("acme", "watcher", "watch-1", asWatch)
	watch.subscribe(0, "#")
	w.login(false)
	w.dir.Invalidate("acme", "chat/watch")
	var bye packet.Disconnect
	if err := bye.Decode(watch.next(packet.DISCONNECT)); err != nil || bye.Reason != packet.NotAuthorizedV5 {
		t.Errorf("DISCONNECT %v, %v", bye.Reason, err)
	}
	watch.closed()
	testenv.Eventually(t, patience, "its interest ends", func() bool { return !w.bus.interested("#") })
	again := w.connect("acme", "watcher", "watch-1", asWatch)
	if codes := again.subscribe(0, "#"); codes[0] != byte(packet.NotAuthorizedV5) {
		t.Errorf("SUBACK %x", codes)
	}
}
