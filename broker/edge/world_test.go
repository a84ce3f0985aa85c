package edge_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/estate"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/presence"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// patience bounds every wait of these tests; nothing takes as long unless it
// is broken.
const patience = 10 * time.Second

// tenants is a source with one app in each of two organizations.
type tenants struct {
	keyless, ruleless atomic.Bool                  // what acme has lost
	suspended, gone   atomic.Bool                  // acme is
	ends              atomic.Int64                 // when acme's key does, in Unix nanoseconds; 0: never
	watch             atomic.Pointer[tenant.Login] // the login acme/chat/watch; nil: there is none
	limits            atomic.Pointer[func(*tenant.Entry)]
	revoked           atomic.Pointer[tenant.Revocation]
}

func entry(org, id string) tenant.Entry {
	app := tenant.App{Organization: org, ID: id, Name: id, Retention: time.Hour, Settings: tenant.DefaultSettings()}
	return tenant.Entry{
		App: app,
		SigningKeys: []tenant.SigningKey{{
			KID: "sk_" + org + "/" + id, Organization: org, App: id, Algorithm: tenant.HS256,
			Secret: strings.Repeat(org, 8)[:32],
		}},
		ACL: tenant.ACL{Version: 1, Rules: []tenant.Rule{{
			Effect: tenant.Allow, Action: tenant.All, Topic: org + "/" + id + "/room/#", Who: tenant.Who{Everyone: true},
		}}},
	}
}

func (s *tenants) Entry(_ context.Context, org, app string) (tenant.Entry, error) {
	switch {
	case org == "acme" && s.gone.Load():
	case org == "acme" && app == "mail", (org == "acme" || org == "globex") && app == "chat":
		e := entry(org, app)
		if limit := s.limits.Load(); limit != nil {
			(*limit)(&e)
		}
		if org == "acme" && s.keyless.Load() {
			e.SigningKeys = nil
		}
		if ends := s.ends.Load(); org == "acme" && ends != 0 && len(e.SigningKeys) > 0 {
			e.SigningKeys[0].ExpiresAt = time.Unix(0, ends)
		}
		if org == "acme" && s.ruleless.Load() {
			e.ACL = tenant.ACL{Version: 2}
		}
		e.Suspended = org == "acme" && s.suspended.Load()
		return e, nil
	case org == "small" && app == "chat":
		e := entry(org, app)
		e.App.Settings.MaxConnections, e.App.Settings.MaxSubscriptions, e.App.Settings.PublishRate = 2, 3, 10
		e.App.Retention = time.Nanosecond // nobody is away for less
		return e, nil
	case org == "mounted" && app == "chat":
		e := entry(org, app)
		e.App.Settings.Mounted, e.ACL.Rules = true, nil
		return e, nil
	}
	return tenant.Entry{}, fault.New(fault.NotFound, "no such app")
}

func (s *tenants) EntryByKID(ctx context.Context, kid string) (tenant.Entry, error) {
	org, app, _ := strings.Cut(strings.TrimPrefix(kid, "sk_"), "/")
	return s.Entry(ctx, org, app)
}

func (*tenants) APIKeyByHash(context.Context, [32]byte) (tenant.APIKey, error) {
	return tenant.APIKey{}, fault.New(fault.NotFound, "no such key")
}

func (s *tenants) Login(_ context.Context, org, app, username string) (tenant.Login, error) {
	if login := s.watch.Load(); login != nil && org+"/"+app+"/"+username == "acme/chat/watch" {
		return *login, nil
	}
	return tenant.Login{}, fault.New(fault.NotFound, "no such login")
}

func (*tenants) CertificatesBySubject(context.Context, [32]byte) ([]tenant.Certificate, error) {
	return nil, fault.New(fault.NotFound, "no such certificate")
}

func (s *tenants) Revocation(_ context.Context, org, _ string, id tenant.RevocationID) (tenant.Revocation, error) {
	if r := s.revoked.Load(); r != nil && r.Organization == org && r.RevocationID == id {
		return *r, nil
	}
	return tenant.Revocation{}, fault.New(fault.NotFound, "no such revocation")
}

func (s *tenants) Revocations(_ context.Context, org, _ string, _ tenant.RevocationID, _ int) ([]tenant.Revocation, error) {
	if r := s.revoked.Load(); r != nil && r.Organization == org {
		return []tenant.Revocation{*r}, nil
	}
	return nil, nil
}

func (*tenants) SessionByHash(context.Context, [32]byte, time.Time) (tenant.SignIn, error) {
	return tenant.SignIn{}, fault.New(fault.NotFound, "no such session")
}

// world is a running edge with what it needs.
type world struct {
	t    testing.TB
	bus  *bus
	edge *edge.Edge
	dir  *auth.Directory
	src  *tenants
	door *door
	addr map[edge.Kind]string
	stop func()
}

func start(t *testing.T, change ...func(*edge.Config)) *world {
	t.Helper()
	return startWith(t, func(*edge.Deps) {}, change...)
}

// startWith is start for an edge that has other deps.
func startWith(t *testing.T, deps func(*edge.Deps), change ...func(*edge.Config)) *world {
	t.Helper()
	b := &bus{interest: make(map[string]int), retained: make(map[string]*broker.Message)}
	b.shared = newShared(b)
	w := buildWith(t, b, deps, change...)
	w.bus, b.edge = b, w.edge
	go b.shared.run(t.Context().Done())
	w.run()
	return w
}

// door authenticates, and lets something happen before the answer is heard.
type door struct {
	edge.Authenticator

	before atomic.Pointer[func()]
}

func (d *door) Authenticate(ctx context.Context, c auth.Credentials) (*auth.Device, error) {
	device, err := d.Authenticator.Authenticate(ctx, c)
	if before := d.before.Load(); before != nil {
		(*before)()
	}
	return device, err
}

// nodeBus is what a node needs of its bus.
type nodeBus interface {
	edge.Bus
	estate.Bus
}

// build makes an edge on a bus; it has to run.
func build(t testing.TB, b nodeBus, change ...func(*edge.Config)) *world {
	t.Helper()
	return buildWith(t, b, func(*edge.Deps) {}, change...)
}

func buildWith(t testing.TB, b nodeBus, other func(*edge.Deps), change ...func(*edge.Config)) *world {
	t.Helper()
	cfg := edge.Config{Node: "n1", TCP: "127.0.0.1:0", WS: "127.0.0.1:0", Loops: 2}
	for _, f := range change {
		f(&cfg)
	}
	src := new(tenants)
	dir := auth.NewDirectory(src, time.Now)
	door := &door{Authenticator: auth.NewDevices(dir, time.Now)}
	var claims edge.Claims = presence.NewMemory()
	if !b.Alone() {
		var err error
		if claims, err = presence.NewBroadcast(b, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	wills, err := estate.New(estate.Config{}, b, claims)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = wills.Run(t.Context()) }()
	deps := edge.Deps{Bus: b, Claims: claims, Estate: wills, Devices: door, Changes: dir.Changes}
	other(&deps)
	e, err := edge.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, edge: e, dir: dir, src: src, door: door, addr: make(map[edge.Kind]string)}
}

func (w *world) run() {
	t, e := w.t, w.edge
	t.Helper()
	if err := e.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for _, a := range e.Addrs() {
		w.addr[a.Kind] = a.Addr.String()
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("the edge does not stop")
		}
	})
	t.Cleanup(w.stop)
}

func (w *world) token(org, user string) string { return w.tokenOf(org, "chat", user) }

func (w *world) tokenOf(org, id, user string) string {
	w.t.Helper()
	app, err := w.dir.App(w.t.Context(), org, id)
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := auth.IssueToken(w.t.Context(), app, auth.TokenRequest{User: user, TTL: time.Hour}, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return token.Text
}

// device is a client of the tests.
type device struct {
	t   testing.TB
	nc  net.Conn
	buf []byte
	// version is what frames are decoded as; zero: 3.1.1.
	version packet.Version
	app     string // of its CONNECT
}

// dial opens a TCP connection without a word.
func (w *world) dial() *device {
	w.t.Helper()
	var d net.Dialer
	nc, err := d.DialContext(w.t.Context(), "tcp", w.addr[edge.TCP])
	if err != nil {
		w.t.Fatal(err)
	}
	return w.on(nc)
}

func (w *world) on(nc net.Conn) *device {
	w.t.Cleanup(func() { _ = nc.Close() })
	return &device{t: w.t, nc: nc}
}

func (w *world) connect(org, user, clientID string, change ...func(*packet.Connect)) *device {
	w.t.Helper()
	d := w.dial()
	if code := d.hello(w, org, user, clientID, change...); code != packet.Accepted {
		w.t.Fatalf("connect refused: %s", code)
	}
	return d
}

// hello sends CONNECT and returns the code of the answer.
func (d *device) hello(w *world, org, user, clientID string, change ...func(*packet.Connect)) packet.ConnackCode {
	d.t.Helper()
	ack := d.greet(w, org, user, clientID, change...)
	if ack.Version == packet.V5 {
		return ack.Reason.Connack()
	}
	return ack.Code
}

// greet sends CONNECT and returns the answer.
func (d *device) greet(w *world, org, user, clientID string, change ...func(*packet.Connect)) packet.Connack {
	d.t.Helper()
	p := packet.Connect{
		Clean: true, ClientID: clientID, KeepAlive: 60,
		HasUsername: true, Username: org + "/chat", HasPassword: true, Password: []byte(w.token(org, user)),
	}
	for _, f := range change {
		f(&p)
	}
	d.version, d.app = p.Version, p.Username
	d.send(p.Append(nil))
	var ack packet.Connack
	if err := ack.Decode(d.next(packet.CONNACK)); err != nil {
		d.t.Fatal(err)
	}
	return ack
}

// fromElsewhere is a message of another node.
func fromElsewhere(topic string) *broker.Message {
	return &broker.Message{ID: ulid.Make(), Topic: topic, Node: "n2", Payload: []byte("elsewhere")}
}

func (d *device) send(p []byte) {
	d.t.Helper()
	if err := d.nc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.nc.Write(p); err != nil {
		d.t.Fatal(err)
	}
}

// read returns the next packet, or the error that ended the connection.
func (d *device) read() (packet.Frame, error) {
	chunk := make([]byte, 32<<10)
	for {
		if f, n, err := packet.Split(d.buf, 0); err != nil || n > 0 {
			d.buf = d.buf[n:]
			f.Version = d.version
			return f, err
		}
		if err := d.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return packet.Frame{}, err
		}
		n, err := d.nc.Read(chunk)
		if err != nil {
			return packet.Frame{}, err
		}
		d.buf = append(slices.Clip(d.buf), chunk[:n]...)
	}
}

// next returns the next packet, which must be of the type.
func (d *device) next(want packet.Type) packet.Frame {
	d.t.Helper()
	f, err := d.read()
	if err != nil {
		d.t.Fatalf("waiting for %s: %v", want, err)
	}
	if f.Type != want {
		d.t.Fatalf("got %s, want %s", f.Type, want)
	}
	return f
}

// message returns the next PUBLISH.
func (d *device) message() packet.Publish {
	d.t.Helper()
	var p packet.Publish
	if err := p.Decode(d.next(packet.PUBLISH)); err != nil {
		d.t.Fatal(err)
	}
	return p
}

// closed waits until the server has closed the connection.
func (d *device) closed() {
	d.t.Helper()
	for {
		if f, err := d.read(); err != nil {
			if strings.Contains(err.Error(), "timeout") {
				d.t.Fatal("the connection is still open")
			}
			return
		} else if f.Type != packet.PUBLISH {
			d.t.Fatalf("got %s, want the end of the connection", f.Type)
		}
	}
}

func (d *device) subscribe(qos byte, filters ...string) []byte {
	d.t.Helper()
	p := packet.Subscribe{PacketID: 1, Version: d.version}
	for _, f := range filters {
		p.Subscriptions = append(p.Subscriptions, packet.Subscription{Filter: f, QoS: qos})
	}
	d.send(p.Append(nil))
	var ack packet.Suback
	if err := ack.Decode(d.next(packet.SUBACK)); err != nil {
		d.t.Fatal(err)
	}
	return ack.Codes
}

// ping makes sure that everything sent before was handled, and that nothing
// else arrives.
func (d *device) ping() {
	d.t.Helper()
	d.send(packet.Pingreq{}.Append(nil))
	d.next(packet.PINGRESP)
}

func publish(topic, payload string, qos byte, id uint16) []byte {
	return packet.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos, PacketID: id}.Append(nil)
}

func puback(id uint16) []byte { return packet.Ack{Type: packet.PUBACK, PacketID: id}.Append(nil) }
