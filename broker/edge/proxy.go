package edge

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

const (
	// proxyTimeout is how long a load balancer may take for its header; it
	// sends it with the first segment.
	proxyTimeout = 5 * time.Second
	// proxyBuffer holds a header of version 1, which is at most 107 bytes, and
	// the fixed part of version 2.
	proxyBuffer = 256
)

// errNoBytes says that a proxy went away without a word, as a health check of
// the TCP port does. (A stop of our own looks the same.)
var errNoBytes = errors.New("closed without a byte")

// fromProxy reports whether the peer is one of the configured load balancers,
// whose PROXY headers are believed.
func (e *Edge) fromProxy(peer net.Addr) bool {
	if len(e.cfg.ProxyFrom) == 0 {
		return false
	}
	addr := address(peer)
	for _, p := range e.cfg.ProxyFrom {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// readProxy reads the PROXY header that must begin the connection and takes
// the client's address from it. A LOCAL or UNKNOWN one, and one of an address
// that is no TCP address, leave the peer's own.
func (g *guest) readProxy() error {
	if err := g.SetReadDeadline(time.Now().Add(proxyTimeout)); err != nil {
		return err
	}
	br := bufio.NewReaderSize(g.Conn, proxyBuffer)
	source, err := proxySource(br)
	if err != nil {
		return err
	}
	if source.IsValid() {
		g.remote = net.TCPAddrFromAddrPort(source)
	}
	if n := br.Buffered(); n > 0 {
		rest, _ := br.Peek(n) // it is there
		g.first = bytes.Clone(rest)
	}
	return g.SetReadDeadline(time.Time{})
}

// proxySource reads one header and returns the address it says, if it does.
func proxySource(br *bufio.Reader) (netip.AddrPort, error) {
	if err := awaitLine(br); err != nil {
		return netip.AddrPort{}, err
	}
	header, err := proxyproto.Read(br)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if header.Command.IsLocal() {
		return netip.AddrPort{}, nil
	}
	source, _, ok := header.TCPAddrs()
	if !ok {
		return netip.AddrPort{}, nil
	}
	ap := source.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// awaitLine waits until a header of version 1 is there as a whole: the parser
// refuses one that comes in pieces, which the network is free to do.
func awaitLine(br *bufio.Reader) error {
	const longest = 107
	signature := []byte("PROXY ")
	for n := 1; n <= longest; n = br.Buffered() + 1 {
		got, err := br.Peek(n)
		switch {
		case err == nil:
		case len(got) == 0 && !errors.Is(err, os.ErrDeadlineExceeded):
			return errNoBytes
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		default:
			return err
		}
		got, _ = br.Peek(br.Buffered())
		start := min(len(got), len(signature))
		if !bytes.Equal(got[:start], signature[:start]) || bytes.IndexByte(got, '\n') >= 0 {
			return nil
		}
	}
	return nil
}
