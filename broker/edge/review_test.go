package edge_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/tenant"
)

func version5(p *packet.Connect) { p.Version = packet.V5 }

// TestRulesReachConnections: a rule is taken away.
func TestRulesReachConnections(t *testing.T) {
	w := start(t)
	ana := w.connect("acme", "ana", "a", version5)
	ana.subscribe(0, "acme/chat/room/1", "acme/chat/topics/1")
	w.src.ruleless.Store(true)
	w.dir.Invalidate("acme", "chat")
	testenv.Eventually(t, patience, "the subscription ends", func() bool { return !w.bus.interested("acme/chat/room/1") })
	w.edge.Deliver(fromElsewhere("acme/chat/room/1"))
	w.edge.Deliver(fromElsewhere("acme/chat/topics/1"))
	if m := ana.message(); string(m.Topic) != "acme/chat/topics/1" {
		t.Errorf("got %s", m.Topic)
	}
	if codes := ana.subscribe(0, "acme/chat/room/1"); codes[0] != byte(packet.NotAuthorizedV5) {
		t.Errorf("SUBACK %#x", codes)
	}
}

// TestRevocationReachesConnections: a signing key is taken away.
func TestRevocationReachesConnections(t *testing.T) {
	w := start(t)
	ana, other := w.connect("acme", "ana", "a", version5), w.connect("globex", "bo", "b")
	w.src.keyless.Store(true)
	w.dir.Invalidate("acme", "chat")
	var p packet.Disconnect
	if err := p.Decode(ana.next(packet.DISCONNECT)); err != nil || p.Reason != packet.NotAuthorizedV5 {
		t.Errorf("%v %v", p.Reason, err)
	}
	ana.closed()
	other.ping()
}

// TestRulesReachWills: one that is not granted any more goes from the store, so
// that nobody publishes it should this node die; another stays.
func TestRulesReachWills(t *testing.T) {
	w := start(t)
	will := func(topic string) func(*packet.Connect) {
		return func(p *packet.Connect) { p.Will = &packet.Will{Topic: topic, Payload: []byte("gone"), QoS: 1} }
	}
	ana := w.connect("acme", "ana", "a", will("acme/chat/room/1"))
	bo := w.connect("acme", "bo", "b", will("acme/chat/users/bo/up/1"))
	stored := func() int {
		w.bus.store.mu.Lock()
		defer w.bus.store.mu.Unlock()
		return len(w.bus.wills)
	}
	if n := stored(); n != 2 {
		t.Fatalf("%d wills are stored", n)
	}
	w.src.ruleless.Store(true)
	w.dir.Invalidate("acme", "chat")
	testenv.Eventually(t, patience, "the will goes", func() bool { return stored() == 1 })
	for _, d := range []*device{ana, bo} {
		d.ping()
	}
}

// TestRevocationsEndConnections: of a user, of a device, of a token, and of those
// alone; whoever has not connected yet is refused.
func TestRevocationsEndConnections(t *testing.T) {
	for _, id := range []tenant.RevocationID{
		{Kind: tenant.RevokedUser, Subject: "ana"}, {Kind: tenant.RevokedDevice, Subject: "a"},
	} {
		t.Run(string(id.Kind), func(t *testing.T) {
			w := start(t)
			token := []byte(w.token("acme", "ana"))
			with := func(p *packet.Connect) { p.Version, p.Password = packet.V5, token }
			ana := w.connect("acme", "ana", "a", with)
			others := []*device{w.connect("acme", "bo", "b"), w.connect("globex", "ana", "a")}
			w.src.revoked.Store(&tenant.Revocation{Organization: "acme", App: "chat", RevocationID: id, IssuedBefore: time.Now().Add(time.Minute)})
			w.dir.Invalidate("acme", id.Change("chat"))
			var p packet.Disconnect
			if err := p.Decode(ana.next(packet.DISCONNECT)); err != nil || p.Reason != packet.NotAuthorizedV5 {
				t.Errorf("%v %v", p.Reason, err)
			}
			ana.closed()
			for _, other := range others {
				other.ping()
			}
			again := w.dial()
			if ack := again.greet(w, "acme", "ana", "a", with); ack.Reason != packet.BadUserNameOrPasswordV5 {
				t.Errorf("back with %v", ack.Reason)
			}
			w.src.revoked.Store(nil)
			w.dir.Invalidate("acme", id.Change("chat"))
			back := func() bool { return w.dial().greet(w, "acme", "ana", "a", with).Reason == packet.Success }
			testenv.Eventually(t, patience, "it is lifted", back)
		})
	}
}

// TestSuspensionReachesConnections: acme is suspended, and globex is not; then
// acme is gone.
func TestSuspensionReachesConnections(t *testing.T) {
	w := start(t)
	for _, c := range []struct {
		name   string
		change *atomic.Bool
	}{{"suspended", &w.src.suspended}, {"gone", &w.src.gone}} {
		w.src.suspended.Store(false)
		w.dir.Invalidate("acme", "")
		testenv.Eventually(t, patience, "acme is back", func() bool {
			app, err := w.dir.App(t.Context(), "acme", "chat")
			return err == nil && !app.Entry().Suspended
		})
		ana, old := w.connect("acme", "ana", "a", version5), w.connect("acme", "bo", "b")
		other := w.connect("globex", "bo", "b", version5)
		c.change.Store(true)
		w.dir.Invalidate("acme", "")
		var p packet.Disconnect
		if err := p.Decode(ana.next(packet.DISCONNECT)); err != nil || p.Reason != packet.AdministrativeAction {
			t.Errorf("%s: %v %v", c.name, p.Reason, err)
		}
		ana.closed()
		old.closed()
		other.ping()
		if c.name == "suspended" {
			wantBanned(t, w, packet.V5, packet.Banned, 0)
			wantBanned(t, w, packet.V311, 0, packet.NotAuthorized)
		}
	}
}

// wantBanned connects as acme's device, and wants it to be told why not.
func wantBanned(t *testing.T, w *world, version packet.Version, reason packet.ReasonCode, code packet.ConnackCode) {
	t.Helper()
	d := w.dial()
	d.version = version
	d.send(packet.Connect{
		Version: version, Clean: true, ClientID: "late", KeepAlive: 60,
		HasUsername: true, Username: "acme/chat", HasPassword: true, Password: []byte(w.token("acme", "ana")),
	}.Append(nil))
	ack := packet.Connack{Version: version}
	if err := ack.Decode(d.next(packet.CONNACK)); err != nil || ack.Reason != reason || ack.Code != code {
		t.Errorf("%v: %v, %v, %v", version, ack.Reason, ack.Code, err)
	}
	d.closed()
}

// TestExpiryReachesConnections: a signing key gets an end, which then comes, and
// nobody announces that.
func TestExpiryReachesConnections(t *testing.T) {
	w := start(t)
	ana, other := w.connect("acme", "ana", "a", version5), w.connect("globex", "bo", "b")
	w.src.ends.Store(time.Now().Add(time.Second).UnixNano())
	w.dir.Invalidate("acme", "chat")
	late := w.connect("acme", "ana", "late", version5) // which knows its end from the beginning
	for _, d := range []*device{ana, late} {
		var p packet.Disconnect
		if err := p.Decode(d.next(packet.DISCONNECT)); err != nil || p.Reason != packet.NotAuthorizedV5 {
			t.Errorf("%v %v", p.Reason, err)
		}
		d.closed()
	}
	if early := time.Until(time.Unix(0, w.src.ends.Load())); early > 0 {
		t.Errorf("ended %v early", early)
	}
	other.ping()
}

// TestRevokedBeforeItIsIn: the key goes between the look-up and its answer, when
// no look at the connections finds the device yet.
func TestRevokedBeforeItIsIn(t *testing.T) {
	w := start(t)
	w.connect("acme", "ana", "first") // the app is known, and stays so
	token := w.token("acme", "ana")
	revoke := func() {
		w.src.keyless.Store(true)
		w.dir.Invalidate("acme", "chat")
		testenv.Eventually(t, patience, "the change is known", w.keyless)
	}
	w.door.before.Store(&revoke)
	d := w.dial()
	d.version = packet.V5
	d.send(packet.Connect{
		Version: packet.V5, Clean: true, ClientID: "late", KeepAlive: 60,
		HasUsername: true, Username: "acme/chat", HasPassword: true, Password: []byte(token),
	}.Append(nil))
	var ack packet.Connack
	if err := ack.Decode(d.next(packet.CONNACK)); err != nil || ack.Reason != packet.BadUserNameOrPasswordV5 {
		t.Errorf("%v %v", ack.Reason, err)
	}
}

// keyless reports whether the directory knows that acme has no key any more.
func (w *world) keyless() bool {
	app, err := w.dir.App(w.t.Context(), "acme", "chat")
	return err == nil && len(app.Entry().SigningKeys) == 0
}
