package conformance_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// patience is how long a case waits for what should come at once.
const patience = 20 * time.Second

// link is one way to reach the broker: tcp, tls, ws or wss.
type link struct {
	kind string
	url  *url.URL
}

func (l link) webSocket() bool { return l.kind == "ws" || l.kind == "wss" }

// stream carries bytes; a deadline is set for its whole life.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
}

// socket opens the TCP or TLS connection under the link.
func (l link) socket(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dialer := &net.Dialer{}
	var conn net.Conn
	var err error
	if l.kind == "tls" || l.kind == "wss" {
		secure := &tls.Dialer{NetDialer: dialer, Config: &tls.Config{InsecureSkipVerify: true}}
		conn, err = secure.DialContext(ctx, "tcp", l.url.Host)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", l.url.Host)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", l.url, err)
	}
	return conn, nil
}

// dial opens the link; of a WebSocket, offering the subprotocol.
func (l link) dial(ctx context.Context, subprotocol string) (stream, error) {
	conn, err := l.socket(ctx)
	if err != nil || !l.webSocket() {
		return conn, err
	}
	ws, err := upgrade(conn, l.url, subprotocol)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if ws.subprotocol != subprotocol { // [MQTT-6.0.0-4]
		_ = conn.Close()
		return nil, fmt.Errorf("the server selects subprotocol %q of %q", ws.subprotocol, subprotocol)
	}
	return ws, nil
}
