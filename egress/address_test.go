package egress_test

import (
	"net/netip"
	"testing"

	"github.com/fanfare-mq/fanfare/egress"
)

func TestAddresses(t *testing.T) {
	const (
		yes   = "public"
		inner = "inner" // only where the operator allows it
		never = "never"
	)
	for text, want := range map[string]string{
		"1.1.1.1": yes, "8.8.8.8": yes, "172.15.255.255": yes, "172.32.0.0": yes, "100.63.255.255": yes, "100.128.0.0": yes,
		"11.0.0.0": yes, "9.255.255.255": yes, "192.167.255.255": yes, "169.253.255.255": yes, "223.255.255.255": yes, "126.255.255.255": yes,
		"10.0.0.1": inner, "10.255.255.255": inner, "172.16.0.1": inner, "172.31.255.255": inner, "192.168.1.1": inner,
		"127.0.0.1": inner, "127.255.255.254": inner, "100.64.0.1": inner, "100.127.255.255": inner,
		"0.0.0.0": never, "0.1.2.3": never, "169.254.169.254": never, "169.254.0.1": never, "169.254.170.2": never,
		"100.100.100.200": never, "168.63.129.16": never, "192.0.0.192": never, "192.0.2.1": never, "198.51.100.1": never,
		"203.0.113.1": never, "198.18.0.1": never, "198.19.255.255": never, "192.88.99.1": never,
		"224.0.0.1": never, "239.255.255.255": never, "240.0.0.1": never, "255.255.255.255": never,

		"2606:4700:4700::1111": yes, "2a00:1450::1": yes, "2001:4860:4860::8888": yes,
		"::1": inner, "fc00::1": inner, "fd12:3456::1": inner,
		"::": never, "fe80::1": never, "fe80::1%eth0": never, "2606:4700:4700::1111%eth0": never, "fec0::1": never, "ff02::1": never,
		"ff0e::1": never, "2001:db8::1": never, "3fff::1": never, "2001::1": never, "2001:0:4136:e378:8000:63bf:3fff:fdd2": never,
		"2001:10::1": never, "2001:2::1": never, "100::1": never, "64:ff9b:1::1": never, "4000::1": never, "fd00:ec2::254": never,
		"fd20:ce::254": never, "::7f00:1": never, "::10.0.0.1": never, "5f00::1": never,

		// Those that stand for an IPv4 address are what that is.
		"::ffff:8.8.8.8": yes, "::ffff:127.0.0.1": inner, "::ffff:10.0.0.1": inner, "::ffff:169.254.169.254": never,
		"64:ff9b::808:808": yes, "64:ff9b::7f00:1": inner, "64:ff9b::a00:1": inner, "64:ff9b::a9fe:a9fe": never, "64:ff9b::": never,
		"2002:808:808::1": yes, "2002:7f00:1::1": inner, "2002:c0a8:101::1": inner, "2002:a9fe:a9fe::1": never, "2002:e000:1::": never,
	} {
		addr := netip.MustParseAddr(text)
		if got := egress.Permitted(addr, false); got != (want == yes) || egress.Public(addr) != got {
			t.Errorf("%s: allowed %v, want %s", text, got, want)
		}
		if got := egress.Permitted(addr, true); got != (want != never) {
			t.Errorf("%s: allowed %v where inner ones are, want %s", text, got, want)
		}
	}
	if egress.Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}
