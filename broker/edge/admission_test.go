package edge_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/estate"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

func admitting(a edge.Admission) func(*edge.Config) {
	return func(c *edge.Config) { c.Admission = a }
}

// halfOpen dials until that many connections are half-open.
func (w *world) halfOpen(n int) []net.Conn {
	w.t.Helper()
	var all []net.Conn
	for range n {
		all = append(all, w.tcp(edge.TCP))
	}
	until(w.t, fmt.Sprint(n, " half-open connections"), func() bool { _, waiting, _ := w.edge.Places(); return waiting == n })
	return all
}

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	var log lines
	w := start(t, secured(t), log.into, admitting(edge.Admission{MaxConnections: 3}))
	ana, bob := w.connect("acme", "ana", "phone"), w.connect("acme", "bob", "phone")
	half := w.halfOpen(1)
	for _, kind := range []edge.Kind{edge.TCP, edge.TLS, edge.WS, edge.WSS} {
		gone(t, w.tcp(kind))
	}
	if n := w.metric("connections_refused_total", "max_connections"); n != 4 {
		t.Errorf("counted %v", n)
	}
	if !log.has("level=WARN", "turned away", "reason=max_connections", "open=3") {
		t.Error("not logged")
	}
	ana.ping()
	_ = half[0].Close()
	until(t, "a place is free", func() bool { open, _, _ := w.edge.Places(); return open == 2 })
	w.connect("acme", "eve", "phone").ping()
	bob.ping()
}

func TestMaxHalfOpen(t *testing.T) {
	t.Parallel()
	for reason, limits := range map[string]edge.Admission{
		"half_open":         {MaxHalfOpen: 3},
		"half_open_address": {MaxHalfOpenPerAddress: 3},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := start(t, admitting(limits))
			for i := range 5 { // accepted ones take no place
				w.connect("acme", "ana", fmt.Sprint("phone-", i))
			}
			half := w.halfOpen(3)
			gone(t, w.tcp(edge.TCP))
			gone(t, w.tcp(edge.WS))
			if n := w.metric("connections_refused_total", reason); n != 2 {
				t.Errorf("counted %v", n)
			}
			if code := w.on(half[0]).hello(w, "acme", "bob", "phone"); code != packet.Accepted {
				t.Fatal(code)
			}
			w.tcp(edge.TCP)
			until(t, "its place is taken", func() bool { _, waiting, _ := w.edge.Places(); return waiting == 3 })
		})
	}
}

// Behind a load balancer, an address is the client's and not the balancer's.
func TestHalfOpenCountsTheClientsAddress(t *testing.T) {
	t.Parallel()
	w := start(t, proxied, admitting(edge.Admission{MaxHalfOpenPerAddress: 1}))
	dial := func(address string) net.Conn {
		nc := w.tcp(edge.TCP)
		if _, err := fmt.Fprintf(nc, "PROXY %s 40000 1883\r\n", address); err != nil {
			t.Fatal(err)
		}
		return nc
	}
	waiting := func(n int) func() bool {
		return func() bool { _, got, crowds := w.edge.Places(); return got == n && crowds == n }
	}
	dial("TCP4 192.0.2.1 192.0.2.9")
	until(t, "the first", waiting(1))
	gone(t, dial("TCP4 192.0.2.1 192.0.2.9"))
	dial("TCP4 192.0.2.2 192.0.2.9")
	until(t, "the second", waiting(2))
	dial("TCP6 2001:db8:1:1::1 2001:db8::1")
	until(t, "the third", waiting(3))
	gone(t, dial("TCP6 2001:db8:1:1::2 2001:db8::1")) // the same /64
	dial("TCP6 2001:db8:1:2::1 2001:db8::1")
	until(t, "the fourth", waiting(4))
	if n := w.metric("connections_refused_total", "half_open_address"); n != 2 {
		t.Errorf("counted %v", n)
	}
}

// fail opens a connection and gives it up.
func (w *world) fail(header string) {
	w.t.Helper()
	nc := w.tcp(edge.TCP)
	if _, err := io.WriteString(nc, header); err != nil {
		w.t.Fatal(err)
	}
	_ = nc.Close()
}

// An address that keeps failing may have few half-open connections, but its
// good connects go on, and its successes speak for it.
func TestFailingAddress(t *testing.T) {
	t.Parallel()
	w := start(t, admitting(edge.Admission{MaxHalfOpenPerAddress: 40, MaxFailures: 1}))
	for range 20 { // twice the burst
		w.halfOpen(1)[0].Close()
		until(t, "it leaves", func() bool { _, waiting, _ := w.edge.Places(); return waiting == 0 })
	}
	half := w.halfOpen(2) // a twentieth
	gone(t, w.tcp(edge.TCP))
	if n := w.metric("connections_refused_total", "half_open_address"); n != 1 {
		t.Errorf("counted %v", n)
	}
	_ = half[0].Close()
	until(t, "one leaves", func() bool { _, waiting, _ := w.edge.Places(); return waiting == 1 })
	for i := range 20 {
		w.connect("acme", "ana", fmt.Sprint("phone-", i))
	}
	_ = half[1].Close()
	until(t, "the other leaves", func() bool { _, waiting, _ := w.edge.Places(); return waiting == 0 })
	w.halfOpen(10)
}

// Addresses that came once are forgotten.
func TestAddressesAreForgotten(t *testing.T) {
	t.Parallel()
	w := start(t, proxied)
	const n = 3000
	for i := range n {
		w.fail(fmt.Sprintf("PROXY TCP4 10.0.%d.%d 127.0.0.1 40000 1883\r\n", i/250, i%250))
	}
	until(t, "all are closed", func() bool { open, _, _ := w.edge.Places(); return open == 0 })
	if _, waiting, crowds := w.edge.Places(); waiting != 0 || crowds > n/2 {
		t.Errorf("%d half-open, %d addresses", waiting, crowds)
	}
}

// Twenty thousand that come at once from one address are let in by default.
func TestDefaultsAdmitACrowd(t *testing.T) {
	t.Parallel()
	d := edge.DefaultAdmission()
	if d.MaxHalfOpenPerAddress < 20_000 || d.MaxHalfOpen < d.MaxHalfOpenPerAddress || d.MaxConnections != 0 {
		t.Errorf("got %+v", d)
	}
}

// idle is a connection that costs nothing.
type idle struct{ net.Conn }

// RemoteAddr implements net.Conn.
func (idle) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// Close implements net.Conn.
func (idle) Close() error { return nil }

func BenchmarkAdmission(b *testing.B) {
	e, err := edge.New(edge.Config{Node: "n1"}, edge.Deps{
		Estate: &estate.Estate{}, Bus: &bus{}, Devices: auth.NewDevices(auth.NewDirectory(new(tenants), time.Now), time.Now),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e.PassThrough(idle{})
		}
	})
}
