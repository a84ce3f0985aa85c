package edge

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// readStart and readMost bound a connection's read buffer. It grows while
	// reads fill it and starts over when they do not: most connections say
	// little, and every one has a buffer.
	readStart = 1 << 10
	readMost  = 64 << 10
	// writeGrace is how long a closing connection may take for its last bytes.
	writeGrace = 3 * time.Second
)

// transport moves bytes between one socket and its connection's loop. It reads
// on a goroutine of its own, one buffer at a time: the next read begins when
// the loop says resume. It writes from the loop as long as the socket takes
// the bytes at once, and on a goroutine for as long as it does not.
//
// This is the portable transport; a readiness-based one (epoll, kqueue) needs
// the same five methods and no change elsewhere.
type transport struct {
	nc     net.Conn
	guest  *guest          // the socket beneath it all
	raw    syscall.RawConn // for direct writes; nil for TLS and WebSocket
	conn   *conn
	more   chan struct{} // capacity 1: read on
	gone   chan struct{} // closed by abort
	closer sync.Once

	mu      sync.Mutex // guards the fields below
	queue   []byte     // waits for the writer
	writing bool       // the writer goroutine runs
	ending  bool       // close when the queue is empty
}

// newTransport moves MQTT over nc, which is g or a layer on top of it.
func newTransport(nc net.Conn, g *guest) *transport {
	t := &transport{nc: nc, guest: g, more: make(chan struct{}, 1), gone: make(chan struct{})}
	if tcp, ok := g.Conn.(*net.TCPConn); ok && nc == net.Conn(g) {
		if raw, err := tcp.SyscallConn(); err == nil {
			t.raw = raw
		}
	}
	return t
}

// start begins to read.
func (t *transport) start() { go t.read() }

// resume lets the reader, which has delivered a buffer, read the next one. The
// loop must not look at that buffer any more.
func (t *transport) resume() { t.more <- struct{}{} }

// remote is the client's address: the peer's, or what its PROXY header said.
func (t *transport) remote() string { return t.guest.remote.String() }

// opened is when the socket was accepted.
func (t *transport) opened() time.Time { return t.guest.since }

// certificates is the chain that the client has presented in its TLS
// handshake, leaf first, or nil. Nobody has verified it, except that the client
// holds the leaf's key: the app that the client names has the CA for it.
func (t *transport) certificates() []*x509.Certificate {
	nc := t.nc
	if ws, ok := nc.(*webSocket); ok {
		nc = ws.Conn
	}
	secure, ok := nc.(*tls.Conn)
	if !ok {
		return nil
	}
	chain := secure.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return nil
	}
	return chain
}

func (t *transport) read() {
	buf := make([]byte, readStart)
	for {
		n, err := t.nc.Read(buf)
		if n > 0 {
			t.conn.loop.post(event{kind: evReceived, conn: t.conn, data: buf[:n]})
			select {
			case <-t.more:
			case <-t.gone:
				err = net.ErrClosed
			}
		}
		if err != nil {
			t.conn.loop.post(event{kind: evEnded, conn: t.conn, err: err})
			return
		}
		switch {
		case n == len(buf) && n < readMost:
			buf = make([]byte, n*4)
		case n < len(buf)/16 && len(buf) > readStart:
			buf = make([]byte, readStart)
		}
	}
}

// send writes p or queues what the socket does not take at once, and returns
// how many bytes are queued. It does not block and does not keep p.
func (t *transport) send(p []byte) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ending {
		return 0
	}
	if !t.writing {
		p = p[t.direct(p):]
	}
	if len(p) == 0 {
		return 0
	}
	t.queue = append(t.queue, p...)
	if !t.writing {
		t.writing = true
		go t.write()
	}
	return len(t.queue)
}

// write sends the queue until it is empty.
func (t *transport) write() {
	var batch []byte
	for {
		t.mu.Lock()
		if len(t.queue) == 0 {
			t.writing, t.queue = false, nil
			ending := t.ending
			t.mu.Unlock()
			if ending {
				t.farewell()
				return
			}
			t.conn.loop.post(event{kind: evDrained, conn: t.conn})
			return
		}
		batch, t.queue = t.queue, batch[:0]
		t.mu.Unlock()
		if _, err := t.nc.Write(batch); err != nil {
			t.abort()
			return
		}
	}
}

// finish closes the socket after what is queued, within writeGrace.
func (t *transport) finish() {
	t.mu.Lock()
	t.ending = true
	writing := t.writing // if so, the writer says farewell
	t.mu.Unlock()
	if !writing {
		t.farewell()
		return
	}
	if err := t.nc.SetWriteDeadline(time.Now().Add(writeGrace)); err != nil {
		t.abort()
	}
}

// farewell closes the socket as the protocol beneath MQTT wants it.
func (t *transport) farewell() {
	ws, ok := t.nc.(*webSocket)
	if !ok {
		t.abort()
		return
	}
	t.closer.Do(func() {
		close(t.gone)
		go ws.farewell()
	})
}

// abort closes the socket at once. It may be called more than once.
func (t *transport) abort() {
	t.closer.Do(func() {
		close(t.gone)
		if t.raw != nil {
			_ = t.nc.Close() // nobody could do anything about it
			return
		}
		go func() { _ = t.nc.Close() }() // TLS says goodbye, and must not hold up the loop
	})
}
