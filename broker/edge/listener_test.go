package edge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/estate"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// metric is the value of a counter or gauge, with the label's value if it has
// one.
func (w *world) metric(name, label string) float64 {
	w.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.edge.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "fanfare_mqtt_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label == "" || m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// until waits for something to become true.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	testenv.Eventually(t, patience, what, done)
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		found := true
		for _, part := range parts {
			found = found && strings.Contains(line, part)
		}
		if found {
			return true
		}
	}
	return false
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), part)
}

func (l *lines) into(c *edge.Config) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }

// gone waits for the server to close a connection that never spoke MQTT.
func gone(t *testing.T, nc net.Conn) {
	t.Helper()
	if err := nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	n, err := nc.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); n > 0 || ok && timeout.Timeout() {
		t.Fatalf("the connection is still open: %d bytes, %v", n, err)
	}
}

// server is the name of the certificate that a new connection gets.
func server(t *testing.T, w *world, kind edge.Kind) string {
	t.Helper()
	secure := tls.Client(w.tcp(kind), anyServer())
	if err := secure.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return secure.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestCertificateIsRenewedWithoutRestart(t *testing.T) {
	t.Parallel()
	var cfg edge.Config
	var log lines
	w := start(t, secured(t), log.into, func(c *edge.Config) {
		c.CertRecheck = time.Nanosecond
		cfg = *c
	})
	if got := server(t, w, edge.TLS); got != "first" {
		t.Fatalf("got %s", got)
	}
	stays := w.on(opening{kind: edge.TLS}.dial(t.Context(), w))
	if code := stays.hello(w, "acme", "ana", "phone"); code != packet.Accepted {
		t.Fatal(code)
	}

	write(t, cfg.CertFile, []byte("nonsense"))
	if got := server(t, w, edge.TLS); got != "first" {
		t.Errorf("got %s with a broken file", got)
	}
	if !log.has("level=WARN", "the old one stays") {
		t.Error("a certificate that cannot be used is not logged")
	}
	_, certPEM, keyPEM := keyPair(t, "second")
	write(t, cfg.CertFile, certPEM)
	if got := server(t, w, edge.WSS); got != "first" {
		t.Errorf("got %s with half of a pair", got)
	}
	write(t, cfg.KeyFile, keyPEM)
	for _, kind := range []edge.Kind{edge.TLS, edge.WSS} {
		if got := server(t, w, kind); got != "second" {
			t.Errorf("%s: got %s after both files were replaced", kind, got)
		}
	}
	stays.ping()
}

// Files are looked at once in the time, not at every handshake.
func TestCertificateIsNotReadAtEveryHandshake(t *testing.T) {
	t.Parallel()
	var cfg edge.Config
	w := start(t, secured(t), func(c *edge.Config) { c.CertRecheck, cfg = time.Hour, *c })
	_, certPEM, keyPEM := keyPair(t, "second")
	write(t, cfg.CertFile, certPEM)
	write(t, cfg.KeyFile, keyPEM)
	if got := server(t, w, edge.TLS); got != "first" {
		t.Errorf("got %s", got)
	}
}

func TestCertificateMustExist(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.pem")
	e, err := edge.New(edge.Config{TLS: "127.0.0.1:0", CertFile: missing, KeyFile: missing},
		edge.Deps{Bus: &bus{}, Estate: &estate.Estate{}, Devices: auth.NewDevices(auth.NewDirectory(new(tenants), time.Now), time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "TLS certificate") {
		t.Errorf("got %v", err)
	}
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	w := start(t, secured(t))
	for version, ok := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		conf := anyServer()
		conf.MinVersion, conf.MaxVersion = version, version
		err := tls.Client(w.tcp(edge.TLS), conf).HandshakeContext(t.Context())
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	until(t, "two failed handshakes", func() bool { return w.metric("tls_handshake_failures_total", "") == 2 })
}

// A client certificate of any issuer is taken and kept for CONNECT.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	w := start(t, secured(t))
	mine, _, _ := keyPair(t, "ana-device")
	for _, kind := range []edge.Kind{edge.TLS, edge.WSS} {
		conf := anyServer()
		secure := tls.Client(w.tcp(kind), conf)
		conf.Certificates = []tls.Certificate{mine}
		if kind == edge.WSS {
			upgraded(t, secure, "")
		}
		d := w.on(secure)
		hello := packet.Connect{Clean: true, ClientID: "x", KeepAlive: 60}.Append(nil)
		if kind == edge.WSS {
			hello = frame(opBinary, true, hello)
		}
		d.send(hello[:len(hello)-1]) // it stays half-open
		until(t, "the peer", func() bool { return len(w.edge.Peers()) == 1 })
		peer := w.edge.Peers()[0]
		if len(peer.Certificates) != 1 || peer.Certificates[0].Subject.CommonName != "ana-device" {
			t.Errorf("%s: got %d certificates", kind, len(peer.Certificates))
		}
		if since := time.Since(peer.Opened); since < 0 || since > patience {
			t.Errorf("%s: opened %s ago", kind, since)
		}
		_ = secure.NetConn().Close()
		until(t, "the end", func() bool { return len(w.edge.Peers()) == 0 })
	}
	without := w.on(opening{kind: edge.TLS}.dial(t.Context(), w))
	without.hello(w, "acme", "ana", "phone")
	if peer := w.edge.Peers()[0]; peer.Certificates != nil {
		t.Errorf("got %d certificates, want none", len(peer.Certificates))
	}
}

// Clients that do not finish their handshake hold up neither others nor a stop.
func TestUnfinishedHandshakes(t *testing.T) {
	t.Parallel()
	w := start(t, secured(t))
	for _, kind := range []edge.Kind{edge.TLS, edge.WSS, edge.WS, edge.TCP} {
		for range 10 {
			w.tcp(kind)
		}
	}
	until(t, "all are half-open", func() bool { _, waiting, _ := w.edge.Places(); return waiting == 40 })
	if got := server(t, w, edge.TLS); got != "first" {
		t.Errorf("got %s", got)
	}
	begun := time.Now()
	w.stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
	until(t, "every place is free", func() bool { open, waiting, _ := w.edge.Places(); return open == 0 && waiting == 0 })
}

// starved is a listener of a process without file descriptors.
type starved struct {
	net.Listener

	errors chan struct{} // one token for each error to return
	calls  chan time.Time
}

// Accept implements net.Listener.
func (s *starved) Accept() (net.Conn, error) {
	s.calls <- time.Now()
	if _, ok := <-s.errors; ok {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

// Without file descriptors, accepting pauses for longer and longer, says so,
// and recovers.
func TestAcceptBacksOff(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	nl, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &starved{Listener: nl, errors: make(chan struct{}, 4), calls: make(chan time.Time, 16)}
	for range 4 {
		s.errors <- struct{}{}
	}
	close(s.errors)
	var log lines
	cfg := edge.Config{Node: "n1", Loops: 1}
	log.into(&cfg)
	b := &bus{interest: make(map[string]int)}
	dir := auth.NewDirectory(new(tenants), time.Now)
	e, err := edge.New(cfg, edge.Deps{Bus: b, Estate: &estate.Estate{}, Devices: auth.NewDevices(dir, time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	e.AddListener(s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	last := <-s.calls
	for _, least := range []int64{5, 10, 20, 40} {
		next := <-s.calls
		if pause := next.Sub(last); pause.Milliseconds() < least {
			t.Errorf("paused for %s, want %d ms", pause, least)
		}
		last = next
	}
	w := &world{t: t, edge: e, dir: dir, bus: b, addr: map[edge.Kind]string{edge.TCP: nl.Addr().String()}}
	w.connect("acme", "ana", "phone").ping()
	if n := w.metric("connections_refused_total", "accept_error"); n != 4 {
		t.Errorf("counted %v errors", n)
	}
	if !log.has("level=ERROR", "accept failed", "too many open files") {
		t.Error("not logged")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
