package tenant

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// MaxAPIKeys is how many API keys an app may have, those that have expired
	// within ExpiredKeysFor among them.
	MaxAPIKeys = 100
	// ExpiredKeysFor is how long an API key or a signing key that has expired is
	// still shown.
	ExpiredKeysFor = 90 * 24 * time.Hour
	// DefaultOverlap is how long a key goes on working that a rotation has
	// replaced, unless somebody says otherwise.
	DefaultOverlap = 24 * time.Hour
)

// Expired says whether the key's time is over.
func (k *APIKey) Expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// Admits says whether the key may be used from an address. An address that is
// not known is one of no network.
func (k *APIKey) Admits(from netip.Addr) bool {
	if len(k.Addresses) == 0 {
		return true
	}
	from = from.Unmap().WithZone("")
	return slices.ContainsFunc(k.Addresses, func(network netip.Prefix) bool { return network.Contains(from) })
}

// Beyond returns the fields in which the key can do something that the other
// cannot: scopes, addresses, expires_at, across. There are none if whoever has
// the other one gains nothing by having this one too. Networks are compared one
// by one: two halves are not seen to be a whole.
func (k *APIKey) Beyond(other *APIKey) []string {
	var fields []string
	if slices.ContainsFunc(k.Scopes, func(s Scope) bool { return !slices.Contains(other.Scopes, s) }) {
		fields = append(fields, "scopes")
	}
	if !insideNetworks(k.Addresses, other.Addresses) {
		fields = append(fields, "addresses")
	}
	if !other.ExpiresAt.IsZero() && (k.ExpiresAt.IsZero() || k.ExpiresAt.After(other.ExpiresAt)) {
		fields = append(fields, "expires_at")
	}
	if k.Across && !other.Across {
		fields = append(fields, "across")
	}
	return fields
}

// insideNetworks says whether each network is inside one of the others; no
// networks are everywhere.
func insideNetworks(networks, others []netip.Prefix) bool {
	if len(others) == 0 {
		return true
	}
	outside := func(n netip.Prefix) bool {
		return !slices.ContainsFunc(others, func(o netip.Prefix) bool { return o.Bits() <= n.Bits() && o.Contains(n.Addr()) })
	}
	return len(networks) > 0 && !slices.ContainsFunc(networks, outside)
}

// ParseNetwork reads an address or a network in CIDR form. Bits behind the
// mask are cleared, and IPv4 addresses in IPv6 form become what they are.
func ParseNetwork(text string) (netip.Prefix, error) {
	wrong := fault.New(fault.Invalid, "must be an IP address or a network, such as 192.0.2.7 or 2001:db8::/32")
	address, length, isNetwork := strings.Cut(text, "/")
	if !isNetwork {
		addr, err := netip.ParseAddr(address)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, wrong
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(address + "/" + length)
	if err != nil {
		return netip.Prefix{}, wrong
	}
	if addr := network.Addr(); addr.Is4In6() {
		if network.Bits() < ipv4InIPv6 {
			return netip.Prefix{}, wrong // more than all of IPv4
		}
		network = netip.PrefixFrom(addr.Unmap(), network.Bits()-ipv4InIPv6)
	}
	return network.Masked(), nil
}

// ipv4InIPv6 is the length of ::ffff:0:0/96.
const ipv4InIPv6 = 96

// FormatNetwork writes a network as people do: one address without its length.
func FormatNetwork(network netip.Prefix) string {
	if network.IsSingleIP() {
		return network.Addr().String()
	}
	return network.String()
}
