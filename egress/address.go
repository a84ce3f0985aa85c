package egress

import (
	"net/netip"
	"slices"
)

// prefixes parses networks that stand in this file.
func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

var (
	// inner are the networks of others' hosts inside and of this host, from the
	// IANA special-purpose address registries (RFC 6890).
	inner = prefixes(
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1918
		"100.64.0.0/10", // RFC 6598: carrier-grade NAT
		"127.0.0.0/8", "::1/128",
		"fc00::/7", // RFC 4193: unique local
	)
	// metadata are addresses inside the networks above, or outside all of these
	// networks, at which clouds tell a machine its own credentials.
	metadata = prefixes(
		"100.100.100.200/32", // Alibaba Cloud
		"168.63.129.16/32",   // Azure
		"fd00:ec2::254/128",  // AWS
		"fd20:ce::254/128",   // Google Cloud
	)
	// nowhere are IPv4 networks in which there is no host to speak to, or only
	// ones on the same link, such as the metadata services at 169.254.169.254.
	nowhere = prefixes(
		"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	)
	// global is where IPv6 has hosts of the Internet, and reserved is what in it
	// is not: protocol assignments (Teredo among them), documentation, and the
	// dummy prefix.
	global   = netip.MustParsePrefix("2000::/3")
	reserved = prefixes("2001::/23", "2001:db8::/32", "3fff::/20")

	// These IPv6 networks stand for IPv4 addresses: what holds for those holds
	// for them.
	nat64 = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 §2.1
	sixTo = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// Public says whether an address is one of the Internet: not of this machine,
// of an inner network, of a cloud's own services, or one that is none at all.
// An IPv6 address that stands for an IPv4 address is what that is.
func Public(addr netip.Addr) bool { return permitted(addr, false) }

// permitted is Public, or with private also true for the hosts of inner
// networks and for this one.
func permitted(addr netip.Addr, private bool) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return false
	}
	addr = embedded(addr.Unmap())
	switch {
	case within(metadata, addr):
		return false
	case within(inner, addr):
		return private
	case addr.Is4():
		return !within(nowhere, addr)
	}
	return global.Contains(addr) && !within(reserved, addr)
}

// embedded returns the IPv4 address that an IPv6 address stands for, or the
// address itself.
func embedded(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return addr
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixTo.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return addr
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}
