package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"
)

// handshakeTimeout bounds a TLS handshake or WebSocket upgrade; the time to
// CONNECT is the session's.
const handshakeTimeout = 10 * time.Second

// welcome leads an accepted socket to its loop. What has to be waited for is
// waited for elsewhere: the accept loop goes on. The half-open bound is the
// bound of those goroutines too.
func (l *listener) welcome(e *Edge, nc net.Conn) {
	proxied := e.fromProxy(nc.RemoteAddr())
	g := e.admission.enter(nc, proxied)
	switch {
	case g == nil:
	case !proxied && l.tls == nil:
		l.seat(e, g, g)
	default:
		e.handshake.Go(func() { l.introduce(e, g, proxied) })
	}
}

// introduce reads what comes before MQTT or HTTP.
func (l *listener) introduce(e *Edge, g *guest, proxied bool) {
	// A stopping listener does not wait for those who have not introduced
	// themselves.
	release := context.AfterFunc(l.stopped, func() { _ = g.Close() })
	defer release()
	if proxied {
		if err := g.readProxy(); err != nil {
			l.unproxied(e, g, err)
			return
		}
		if !e.admission.arrived(g) {
			return
		}
	}
	if l.tls == nil {
		l.seat(e, g, g)
		return
	}
	secure := tls.Server(g, l.tls)
	if err := l.shake(secure); err != nil {
		_ = g.Close() // the handshake's error is what matters
		e.stats.tlsFailed.Inc()
		e.log.Debug("TLS handshake failed", slog.Any("error", err), slog.String("remote", g.remote.String()))
		return
	}
	l.seat(e, g, secure)
}

// shake makes the TLS handshake within its time.
func (l *listener) shake(secure *tls.Conn) error {
	ctx, cancel := context.WithTimeout(l.stopped, handshakeTimeout)
	defer cancel()
	return secure.HandshakeContext(ctx)
}

// unproxied closes a connection of a load balancer that does not begin with a
// PROXY header.
func (l *listener) unproxied(e *Edge, g *guest, err error) {
	_ = g.Close() // the header's error is what matters
	if errors.Is(err, errNoBytes) {
		e.log.Debug("a load balancer looked in", slog.String("listener", string(l.kind)), slog.String("remote", g.remote.String()))
		return
	}
	e.stats.proxyFailed.Inc()
	e.log.Warn("no PROXY header from a load balancer",
		slog.String("listener", string(l.kind)), slog.Any("error", err), slog.String("remote", g.remote.String()))
}

// seat gives a connection to a loop, or to the HTTP server that upgrades it.
// nc is g, or TLS on top of it.
func (l *listener) seat(e *Edge, g *guest, nc net.Conn) {
	if l.door != nil {
		l.door.admit(nc)
		return
	}
	e.adopt(newTransport(nc, g))
}

// door is the listener of an HTTP server whose connections were accepted, and
// introduced, elsewhere.
type door struct {
	addr  net.Addr
	conns chan net.Conn
	shut  context.Context //nolint:containedctx // the door's own lifetime
	close context.CancelFunc
}

func newDoor(addr net.Addr) *door {
	d := &door{addr: addr, conns: make(chan net.Conn)}
	d.shut, d.close = context.WithCancel(context.Background())
	return d
}

func (d *door) admit(nc net.Conn) {
	select {
	case d.conns <- nc:
	case <-d.shut.Done():
		_ = nc.Close() // the server has stopped
	}
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	select {
	case nc := <-d.conns:
		return nc, nil
	case <-d.shut.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (d *door) Close() error { d.close(); return nil }

// Addr implements net.Listener.
func (d *door) Addr() net.Addr { return d.addr }
