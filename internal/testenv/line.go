package testenv

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Line is a way to a server that can be cut.
type Line struct {
	// URL of the server, through the line.
	URL string

	server string
	mu     sync.Mutex // guards what follows
	down   bool
	conns  []net.Conn
}

// NewLine lays a line to the server of a URL. It goes away with the test.
func NewLine(t testing.TB, server string) *Line {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{server: u.Host}
	u.Host = socket.Addr().String()
	l.URL = u.String()
	t.Cleanup(func() { _ = socket.Close(); l.Cut() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go l.join(conn)
		}
	}()
	return l
}

// Cut ends what goes through the line, and all that comes until it is mended.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// Mend lets new connections through.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

func (l *Line) join(conn net.Conn) {
	far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.server)
	if err != nil {
		_ = conn.Close()
		return
	}
	l.mu.Lock()
	l.conns = append(l.conns, conn, far)
	down := l.down
	l.mu.Unlock()
	if down {
		l.Cut()
		return
	}
	go func() { _, _ = io.Copy(far, conn); _ = far.Close() }()
	_, _ = io.Copy(conn, far)
	_ = conn.Close()
}
