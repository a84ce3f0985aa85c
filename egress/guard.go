package egress

import (
	"io"
	"net/http"
	"net/netip"
	"syscall"

	"github.com/fanfare-mq/fanfare/fault"
)

// refused says no more than that: what is behind an inner address is nothing
// that a tenant could ask about.
func refused() error {
	return fault.New(fault.Invalid, "it leads to an address that is not public")
}

// controlFunc is net.Dialer's: it sees the address of every connection after
// the name was looked up and before anything is sent.
type controlFunc func(network, address string, _ syscall.RawConn) error

// control lets through what may be called.
func control(private bool) controlFunc {
	return func(_, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err != nil || !permitted(to.Addr(), private) {
			return refused()
		}
		return nil
	}
}

// controlLoopback lets through this machine alone, for calls without TLS.
func controlLoopback(private bool) controlFunc {
	return func(_, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err != nil || !private || !to.Addr().Unmap().IsLoopback() {
			return refused()
		}
		return nil
	}
}

// guard looks at every request, those of redirects too.
type guard struct {
	private       bool
	maxBody       int64
	secure, plain *http.Transport
}

// RoundTrip sends a request over https, or over http to this machine if that is
// allowed.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := g.transport(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as http.RoundTripper asks for
		}
		return nil, err
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &boundedBody{ReadCloser: answer.Body, left: g.maxBody}
	return answer, nil
}

func (g *guard) transport(r *http.Request) (*http.Transport, error) {
	switch {
	case r.URL.User != nil:
		return nil, fault.New(fault.Invalid, "its URL has credentials")
	case r.URL.Scheme == "https":
		return g.secure, nil
	case r.URL.Scheme == "http" && g.private:
		return g.plain, nil
	}
	return nil, fault.New(fault.Invalid, "its URL does not begin with https://")
}

// CloseIdleConnections is what http.Client asks its transport for.
func (g *guard) CloseIdleConnections() {
	g.secure.CloseIdleConnections()
	g.plain.CloseIdleConnections()
}

// boundedBody fails once more was read than is left.
type boundedBody struct {
	io.ReadCloser

	left int64
}

// Read reads at most one byte more than is allowed, to see whether there is one.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge()
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, tooLarge()
	}
	return n, err
}

func tooLarge() error { return fault.New(fault.PayloadTooLarge, "its answer is too long") }
