package edge

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// guest is a socket from accept to close. It holds the socket's place in the
// node's bounds and the client's address, which a PROXY header may have said.
type guest struct {
	net.Conn

	admission *admission
	since     time.Time // accepted
	remote    net.Addr  // written before the guest is shared
	first     []byte    // read with the PROXY header and not part of it; the reader's
	closer    sync.Once

	// Guarded by admission.mu.
	crowd *crowd // while it is half-open and its address is known
	stage stage
}

// stage is how far a guest has come.
type stage uint8

const (
	halfOpen stage = iota // no CONNECT of it was accepted yet
	seated                // one was
	departed              // closed
)

// Read returns what came with the PROXY header first.
func (g *guest) Read(p []byte) (int, error) {
	if len(g.first) == 0 {
		return g.Conn.Read(p)
	}
	n := copy(p, g.first)
	if g.first = g.first[n:]; len(g.first) == 0 {
		g.first = nil
	}
	return n, nil
}

// RemoteAddr is the client's address.
func (g *guest) RemoteAddr() net.Addr { return g.remote }

// Close closes the socket and gives its place back. It may be called more than
// once.
func (g *guest) Close() error {
	err := g.Conn.Close()
	g.closer.Do(func() { g.admission.leave(g) })
	return err
}

// address is the IP address of a, invalid if it has none.
func address(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
