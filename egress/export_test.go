package egress

import (
	"net/http"
	"net/netip"
	"syscall"
)

// Permitted is permitted, for tests.
var Permitted = permitted

// NewBeside returns a client for which one address of this machine is one of
// the Internet, and that tells of every connection that it is about to make.
func NewBeside(cfg Config, public netip.Addr, seen func(netip.AddrPort)) *Client {
	c := New(cfg)
	strict := control(cfg.Private)
	secure := newTransport(cfg, func(network, address string, raw syscall.RawConn) error {
		to := netip.MustParseAddrPort(address)
		seen(to)
		if to.Addr() == public {
			return nil
		}
		return strict(network, address, raw)
	})
	c.http = &http.Client{Transport: &guard{
		private: cfg.Private, maxBody: DefaultMaxBody, secure: secure, plain: newTransport(cfg, controlLoopback(cfg.Private)),
	}, Timeout: c.http.Timeout, CheckRedirect: c.http.CheckRedirect}
	return c
}
