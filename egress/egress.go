// Package egress is how the server calls addresses that its tenants have chosen:
// an HTTP client that cannot be led to where only the server itself gets.
//
// Whether an address is allowed is asked at the last moment, of the address
// that the connection is really made to. A name that answers with a good
// address first and with another one later (DNS rebinding), or a redirect,
// gains nothing.
package egress

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// DefaultTimeout is how long a call may take, with its redirects and its
	// body.
	DefaultTimeout = 5 * time.Second
	// DefaultMaxBody is the longest body of an answer in bytes.
	DefaultMaxBody = 256 << 10
	// maxRedirects is how often an answer may send on.
	maxRedirects = 3
	// maxHeader bounds the header of an answer in bytes.
	maxHeader = 64 << 10
	// idleTimeout is how long a connection waits for the next call, and maxIdle
	// how many of all hosts and of one do.
	idleTimeout    = 30 * time.Second
	maxIdle        = 100
	maxIdlePerHost = 2
	// userAgent tells the other side who calls.
	userAgent = "Fanfare"
)

// Config says what a client may do.
type Config struct {
	// Private allows addresses of inner networks and of this machine, and http
	// to the latter. Link-local addresses and clouds' metadata stay refused.
	Private bool
	// RootCAs are the authorities of servers' certificates; nil: the system's.
	RootCAs *x509.CertPool
	// Resolver looks names up; nil: the system's.
	Resolver *net.Resolver
	// Timeout of a call; 0: DefaultTimeout.
	Timeout time.Duration
	// MaxBody is the longest body of an answer in bytes; 0: DefaultMaxBody.
	MaxBody int64
	// NoRedirects answers a redirect as it is.
	NoRedirects bool
}

// Client calls addresses of the Internet over https. It keeps no cookies and
// uses no proxy. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	private bool
}

// New returns a client.
func New(cfg Config) *Client {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	g := &guard{
		private: cfg.Private, maxBody: cfg.MaxBody,
		secure: newTransport(cfg, control(cfg.Private)), plain: newTransport(cfg, controlLoopback(cfg.Private)),
	}
	return &Client{private: cfg.Private, http: &http.Client{
		Transport: g, Timeout: cfg.Timeout,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			switch {
			case cfg.NoRedirects:
				return http.ErrUseLastResponse
			case len(via) > maxRedirects:
				return fault.Newf(fault.Invalid, "it redirects more than %d times", maxRedirects)
			}
			return nil
		},
	}}
}

// newTransport returns a transport whose connections a control has seen.
func newTransport(cfg Config, control controlFunc) *http.Transport {
	dialer := net.Dialer{Timeout: cfg.Timeout, Control: control, Resolver: cfg.Resolver}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    cfg.Timeout,
		ResponseHeaderTimeout:  cfg.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // a small body must not become a large one
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
	}
}

// Private says whether the client may call inner networks and this machine.
func (c *Client) Private() bool { return c.private }

// Permits says whether the client may call an address over https.
func (c *Client) Permits(addr netip.Addr) bool { return permitted(addr, c.private) }

// Do sends a request. The body of the answer fails with fault.PayloadTooLarge
// once it is longer than allowed. Where the request may not go is fault.Invalid;
// what else goes wrong has no code.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", userAgent)
	}
	return c.http.Do(r) //nolint:gosec // calling addresses that others have chosen is what this is for
}

// Close ends the connections that wait for another call.
func (c *Client) Close() { c.http.CloseIdleConnections() }
