package api

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client is where a request comes from.
type client struct {
	addr netip.Addr // the zero address if it has none
	name string     // for people and logs
}

// clientOf is the client of a request: whoever has connected or, if that is a
// proxy of the operator's, the last address in X-Forwarded-For that is none.
// What stands before it anybody could have written.
func (a *API) clientOf(r *http.Request) client {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr := addrOf(host)
	if !addr.IsValid() {
		return client{name: host}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		before := addrOf(strings.TrimSpace(hop))
		if !before.IsValid() || !a.isProxy(addr) {
			break
		}
		addr = before
	}
	return client{addr: addr, name: addr.String()}
}

// isProxy says whether an address may say for whom it asks.
func (a *API) isProxy(addr netip.Addr) bool {
	return slices.ContainsFunc(a.cfg.Proxies, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// addrOf reads an address, with or without a port; what is none is the zero
// address.
func addrOf(text string) netip.Addr {
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone("")
}

// limited is the address that limits count: for IPv6 its /64 network, since
// whoever has one of its addresses has them all.
func (c client) limited() string {
	if !c.addr.Is6() {
		return c.name
	}
	network, err := c.addr.Prefix(64)
	if err != nil {
		return c.name
	}
	return network.String()
}
