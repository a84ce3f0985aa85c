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

// listener accepts the connections of one address. What it accepts becomes a
// guest, is led through its PROXY header, its TLS handshake and its WebSocket
// upgrade as its kind demands, and ends as a transport on a loop.
type listener struct {
	kind Kind
	net  net.Listener
	tls  *tls.Config  // for TLS and WSS
	http *http.Server // for WS and WSS
	door *door        // for WS and WSS: what the HTTP server accepts from

	// stopped ends with close, and with it every handshake under way.
	stopped context.Context //nolint:containedctx // the listener's own lifetime
	stop    context.CancelFunc
}

// Listen binds every configured address, so that a port in use is an error at
// start and the bound addresses are known.
func (e *Edge) Listen(ctx context.Context) error {
	var conf *tls.Config
	if e.cfg.TLS != "" || e.cfg.WSS != "" {
		certs, err := newCertificates(e.cfg, e.log)
		if err != nil {
			return err
		}
		conf = tlsConfig(certs)
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
		e.listeners = append(e.listeners, e.newListener(l.kind, nl, conf))
	}
	return nil
}

func (e *Edge) newListener(kind Kind, nl net.Listener, conf *tls.Config) *listener {
	l := &listener{kind: kind, net: nl}
	l.stopped, l.stop = context.WithCancel(context.Background())
	if kind == TLS || kind == WSS {
		l.tls = conf
	}
	if kind == WS || kind == WSS {
		l.door = newDoor(nl.Addr())
		l.http = e.webSocketServer()
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

// serve accepts until the listener is closed, and returns when nothing that it
// has accepted is on its way to a loop any more.
func (l *listener) serve(ctx context.Context, e *Edge) {
	if l.http == nil {
		l.accept(ctx, e)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.http.Serve(l.door); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			e.log.ErrorContext(ctx, "listener ended", slog.String("listener", string(l.kind)), slog.Any("error", err))
		}
	}()
	l.accept(ctx, e)
	<-done
}

// The pause after a failed accept doubles from the first to the second, so
// that a process without file descriptors waits for some to be closed instead
// of spinning, and writes one line a second.
const (
	acceptPauseFirst = 5 * time.Millisecond
	acceptPauseMost  = time.Second
)

func (l *listener) accept(ctx context.Context, e *Edge) {
	var pause time.Duration
	for {
		nc, err := l.net.Accept()
		switch {
		case err == nil:
			pause = 0
			l.welcome(e, nc)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of file descriptors, most likely
			pause = min(max(pause*2, acceptPauseFirst), acceptPauseMost)
			e.stats.turnedAway.WithLabelValues("accept_error").Inc()
			e.log.ErrorContext(ctx, "accept failed", slog.String("listener", string(l.kind)), slog.Any("error", err), slog.Duration("pause", pause))
			select {
			case <-time.After(pause):
			case <-l.stopped.Done():
			}
		}
	}
}

func (l *listener) close() {
	l.stop()
	_ = l.net.Close() // ends accept; closed twice is no error here
	if l.http != nil {
		_ = l.http.Close() // ends Serve; adopted connections are hijacked and live on
		_ = l.door.Close()
	}
}
