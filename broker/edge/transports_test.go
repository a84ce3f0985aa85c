package edge_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// keyPair makes a self-signed certificate with that common name.
func keyPair(t *testing.T, name string) (cert tls.Certificate, certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return cert, certPEM, keyPEM
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// secured turns the TLS listeners on, with a certificate in a temporary folder.
func secured(t *testing.T) func(*edge.Config) {
	t.Helper()
	dir := t.TempDir()
	_, certPEM, keyPEM := keyPair(t, "first")
	return func(c *edge.Config) {
		c.TLS, c.WSS = "127.0.0.1:0", "127.0.0.1:0"
		c.CertFile, c.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		write(t, c.CertFile, certPEM)
		write(t, c.KeyFile, keyPEM)
	}
}

// proxied believes the PROXY headers of this machine.
func proxied(c *edge.Config) { c.ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func (w *world) tcp(kind edge.Kind) net.Conn {
	w.t.Helper()
	var d net.Dialer
	nc, err := d.DialContext(w.t.Context(), "tcp", w.addr[kind])
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// anyServer is a TLS client's configuration; what certificate the server has is
// the business of the tests that look at it.
func anyServer() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// opening dials one of the listeners over what begins its connections.
type opening struct {
	kind  edge.Kind
	proxy string // the header, if any
}

func (o opening) dial(ctx context.Context, w *world) net.Conn {
	w.t.Helper()
	raw := w.tcp(o.kind)
	if _, err := raw.Write([]byte(o.proxy)); err != nil {
		w.t.Fatal(err)
	}
	if o.kind == edge.TLS || o.kind == edge.WSS {
		raw = tls.Client(raw, anyServer())
	}
	if o.kind == edge.TCP || o.kind == edge.TLS {
		return raw
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return raw, nil }}
	ws, _, err := websocket.Dial(ctx, "ws://"+w.addr[o.kind]+"/mqtt", &websocket.DialOptions{ //nolint:bodyclose // Dial says that it is never needed
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"mqtt"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return websocket.NetConn(ctx, ws, websocket.MessageBinary)
}

const proxyV1 = "PROXY TCP4 192.0.2.7 127.0.0.1 40000 1883\r\n"

// TestEveryTransport runs the basics over everything that carries MQTT.
func TestEveryTransport(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opening opening
	}{
		{"tcp", opening{edge.TCP, ""}},
		{"tls", opening{edge.TLS, ""}},
		{"ws", opening{edge.WS, ""}},
		{"wss", opening{edge.WSS, ""}},
		{"tcp with PROXY", opening{edge.TCP, proxyV1}},
		{"tls with PROXY", opening{edge.TLS, proxyV1}},
		{"ws with PROXY", opening{edge.WS, proxyV1}},
		{"wss with PROXY", opening{edge.WSS, proxyV1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			changes := []func(*edge.Config){secured(t)}
			if tt.opening.proxy != "" {
				changes = append(changes, proxied)
			}
			w := start(t, changes...)
			b := basics{w, tt.opening}
			for _, basic := range []struct {
				name string
				run  func(t *testing.T)
			}{
				{"publish and subscribe", b.pubsub},
				{"large packet", b.large},
				{"byte by byte", b.byteByByte},
				{"many packets in one write", b.many},
				{"slow reader", b.slow},
				{"abrupt close", b.abrupt},
				{"goodbye", b.goodbye},
				{"garbage", b.garbage},
			} {
				t.Run(basic.name, basic.run)
			}
		})
	}
}

// basics are tests of one transport, one after the other on one edge.
type basics struct {
	w       *world
	opening opening
}

func (b basics) dial(t *testing.T) *device {
	t.Helper()
	d := b.w.on(b.opening.dial(b.w.t.Context(), b.w))
	d.t = t
	return d
}

func (b basics) connect(t *testing.T, user string, change ...func(*packet.Connect)) *device {
	t.Helper()
	d := b.dial(t)
	if code := d.hello(b.w, "acme", user, user+"-phone", change...); code != packet.Accepted {
		t.Fatalf("connect refused: %s", code)
	}
	return d
}

func (b basics) pubsub(t *testing.T) {
	ana, bob := b.connect(t, "ana"), b.connect(t, "bob")
	ana.subscribe(1, "acme/chat/room/1")
	for qos := range byte(2) {
		bob.send(publish("acme/chat/room/1", fmt.Sprint("hello ", qos), qos, 7))
		if qos == 1 {
			bob.next(packet.PUBACK)
		}
		p := ana.message()
		if string(p.Payload) != fmt.Sprint("hello ", qos) || p.QoS != qos {
			t.Errorf("got %q QoS %d", p.Payload, p.QoS)
		}
		if qos == 1 {
			ana.send(puback(p.PacketID))
		}
	}
	ana.ping()
}

func (b basics) large(t *testing.T) {
	ana := b.connect(t, "ana")
	ana.subscribe(0, "acme/chat/room/large")
	payload := strings.Repeat("0123456789abcdef", 16<<10-8) // nearly 256 KiB, the largest packet
	ana.send(publish("acme/chat/room/large", payload, 0, 0))
	if p := ana.message(); string(p.Payload) != payload {
		t.Errorf("%d bytes came back changed", len(p.Payload))
	}
}

func (b basics) byteByByte(t *testing.T) {
	ana := b.connect(t, "ana")
	ana.subscribe(0, "acme/chat/room/bytes")
	for _, c := range publish("acme/chat/room/bytes", "slowly", 1, 3) {
		ana.send([]byte{c})
	}
	got := map[packet.Type]bool{}
	for range 2 {
		f, err := ana.read()
		if err != nil {
			t.Fatal(err)
		}
		got[f.Type] = true
	}
	if !got[packet.PUBLISH] || !got[packet.PUBACK] {
		t.Errorf("got %v", got)
	}
}

func (b basics) many(t *testing.T) {
	bob := b.connect(t, "bob")
	var all []byte
	const n = 5000
	for i := range uint16(n) { // 1.3 MB, more than a packet may have
		all = append(all, publish("acme/chat/room/many", fmt.Sprintf("%0250d", i), 1, i+1)...)
	}
	bob.send(all)
	for i := range uint16(n) {
		var ack packet.Ack
		if err := ack.Decode(bob.next(packet.PUBACK)); err != nil || ack.PacketID != i+1 {
			t.Fatalf("got the PUBACK of %d (%v), want that of %d", ack.PacketID, err, i+1)
		}
	}
}

// slow is a client that does not read; nobody else notices.
func (b basics) slow(t *testing.T) {
	lazy, ana, bob := b.connect(t, "eve"), b.connect(t, "ana"), b.connect(t, "bob")
	lazy.subscribe(0, "acme/chat/room/slow")
	ana.subscribe(0, "acme/chat/room/slow")
	payload := strings.Repeat("x", 64<<10)
	for range 160 { // 10 MiB
		bob.send(publish("acme/chat/room/slow", payload, 0, 0))
		ana.message()
	}
	lazy.send(packet.Pingreq{}.Append(nil))
	got := 0
	for {
		f, err := lazy.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Type == packet.PINGRESP {
			break
		}
		got++
	}
	if got == 0 || got == 160 {
		t.Errorf("got %d of 160: nothing, or the test does not congest it", got)
	}
}

func (b basics) abrupt(t *testing.T) {
	watcher := b.connect(t, "bob")
	watcher.subscribe(0, "acme/chat/room/will")
	ana := b.connect(t, "ana", func(p *packet.Connect) {
		p.Will = &packet.Will{Topic: "acme/chat/room/will", Payload: []byte("gone")}
	})
	_ = ana.nc.Close()
	if p := watcher.message(); string(p.Payload) != "gone" {
		t.Errorf("got %q", p.Payload)
	}
}

func (b basics) goodbye(t *testing.T) {
	ana := b.connect(t, "ana")
	ana.send(packet.Disconnect{}.Append(nil))
	ana.closed()
}

func (b basics) garbage(t *testing.T) {
	ana := b.connect(t, "ana")
	ana.send([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	ana.closed()
	stranger := b.dial(t)
	stranger.send([]byte{0x10, 0xff, 0xff, 0xff, 0xff, 0xff})
	stranger.closed()
}
