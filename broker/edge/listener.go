package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Kind names a listener by its transport.
type Kind string

// The listeners an edge can have.
const (
	TCP Kind = "mqtt"
	TLS Kind = "mqtts"
	WS  Kind = "ws"
	WSS Kind = "wss"
)

// Address is where a listener is bound.
type Address struct {
	Kind Kind
	Addr net.Addr
}

// handshakeTimeout bounds a TLS handshake or WebSocket upgrade; the time to
// CONNECT is the session's.
const handshakeTimeout = 10 * time.Second

type listener struct {
	kind Kind
	net  net.Listener
	http *http.Server // for WS and WSS
}

// Listen binds every configured address, so that a port in use is an error at
// start and the bound addresses are known.
func (e *Edge) Listen(ctx context.Context) error {
	var conf *tls.Config
	if e.cfg.TLS != "" || e.cfg.WSS != "" {
		certs, err := newCertificates(e.cfg.CertFile, e.cfg.KeyFile)
		if err != nil {
			return err
		}
		conf = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certs.get}
	}
	for _, l := range []struct {
		kind Kind
		addr string
	}{{TCP, e.cfg.TCP}, {TLS, e.cfg.TLS}, {WS, e.cfg.WS}, {WSS, e.cfg.WSS}} {
		if l.addr == "" {
			continue
		}
		var lc net.ListenConfig
		nl, err := lc.Listen(ctx, "tcp", l.addr)
		if err != nil {
			e.closeListeners()
			return fmt.Errorf("listen for %s: %w", l.kind, err)
		}
		if l.kind == TLS || l.kind == WSS {
			nl = tls.NewListener(nl, conf)
		}
		e.listeners = append(e.listeners, e.newListener(l.kind, nl))
	}
	return nil
}

func (e *Edge) newListener(kind Kind, nl net.Listener) *listener {
	l := &listener{kind: kind, net: nl}
	if kind == WS || kind == WSS {
		l.http = &http.Server{
			Handler:           e.webSocketHandler(),
			ReadHeaderTimeout: handshakeTimeout,
			ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		}
	}
	return l
}

// Addrs lists the bound listeners.
func (e *Edge) Addrs() []Address {
	var addrs []Address
	for _, l := range e.listeners {
		addrs = append(addrs, Address{Kind: l.kind, Addr: l.net.Addr()})
	}
	return addrs
}

func (e *Edge) closeListeners() {
	for _, l := range e.listeners {
		l.close()
	}
}

// serve accepts until the listener is closed; ctx is the life of what it
// accepts.
func (l *listener) serve(ctx context.Context, e *Edge) {
	if l.http != nil {
		if err := l.http.Serve(l.net); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			e.log.ErrorContext(ctx, "listener ended", slog.String("listener", string(l.kind)), slog.Any("error", err))
		}
		return
	}
	var pause time.Duration
	for {
		nc, err := l.net.Accept()
		switch {
		case err == nil:
			pause = 0
			e.welcome(ctx, nc)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of file descriptors, most likely: wait until some close
			pause = min(max(pause*2, 5*time.Millisecond), time.Second)
			e.log.ErrorContext(ctx, "accept failed", slog.String("listener", string(l.kind)), slog.Any("error", err), slog.Duration("pause", pause))
			<-time.After(pause)
		}
	}
}

// welcome adopts a socket, after its TLS handshake if it is to have one.
func (e *Edge) welcome(ctx context.Context, nc net.Conn) {
	secure, ok := nc.(*tls.Conn)
	if !ok {
		e.adopt(newTransport(nc))
		return
	}
	e.handshake.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			e.log.DebugContext(ctx, "TLS handshake failed", slog.Any("error", err), slog.String("remote", nc.RemoteAddr().String()))
			_ = nc.Close() // the handshake's error is what matters
			return
		}
		e.adopt(newTransport(secure))
	})
}

func (l *listener) close() {
	if l.http != nil {
		_ = l.http.Close() // ends Serve; adopted connections are hijacked and live on
	}
	_ = l.net.Close() // ends Accept; closed twice is no error here
}
