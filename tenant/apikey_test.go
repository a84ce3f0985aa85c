package tenant_test

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.7":             "192.0.2.7",
		"192.0.2.7/32":          "192.0.2.7",
		"192.0.2.7/24":          "192.0.2.0/24",
		"0.0.0.0/0":             "0.0.0.0/0",
		"2001:DB8:0::1":         "2001:db8::1",
		"2001:db8::1/32":        "2001:db8::/32",
		"::ffff:192.0.2.7":      "192.0.2.7",
		"::ffff:192.0.2.7/120":  "192.0.2.0/24",
		"::ffff:0:0/95":         "",
		"fe80::1%eth0":          "",
		"fe80::1%eth0/64":       "",
		"192.0.2.7/33":          "",
		"192.0.2.07":            "",
		"192.0.2":               "",
		"192.0.2.0/255.255.0.0": "",
		"192.0.2.0/":            "",
		"example.com":           "",
		"":                      "",
	} {
		got, err := tenant.ParseNetwork(text)
		if want == "" {
			if fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%q is %v, %v", text, got, err)
			}
			continue
		}
		if err != nil || tenant.FormatNetwork(got) != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
}

func networks(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	var all []netip.Prefix
	for _, text := range texts {
		network, err := tenant.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, network)
	}
	return all
}

func TestAPIKeyAdmits(t *testing.T) {
	t.Parallel()
	key := &tenant.APIKey{Addresses: networks(t, "192.0.2.0/24", "2001:db8::/48", "198.51.100.9")}
	for text, want := range map[string]bool{
		"192.0.2.200": true, "::ffff:192.0.2.200": true, "192.0.3.1": false, "198.51.100.9": true, "198.51.100.8": false,
		"2001:db8::5": true, "2001:db8::5%eth0": true, "2001:db8:1::5": false, "::1": false,
	} {
		if got := key.Admits(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if key.Admits(netip.Addr{}) {
		t.Error("an unknown address is inside")
	}
	if !new(tenant.APIKey).Admits(netip.Addr{}) {
		t.Error("a key for any address is not for an unknown one")
	}
}

func TestAPIKeyExpires(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	key := &tenant.APIKey{ExpiresAt: at}
	if key.Expired(at.Add(-1)) || !key.Expired(at) || !key.Expired(at.Add(1)) || new(tenant.APIKey).Expired(at) {
		t.Error("a key does not end when its time is over")
	}
}

// TestBeyond: who has one key must not get another that can do more.
func TestBeyond(t *testing.T) {
	t.Parallel()
	soon := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	all := []tenant.Scope{tenant.ScopePush, tenant.ScopeRead, tenant.ScopeManage}
	for _, c := range []struct {
		name       string
		key, other tenant.APIKey
		want       []string
	}{
		{"the same", tenant.APIKey{Scopes: all}, tenant.APIKey{Scopes: all}, nil},
		{"fewer scopes", tenant.APIKey{Scopes: all[1:2]}, tenant.APIKey{Scopes: all}, nil},
		{"one more scope", tenant.APIKey{Scopes: all}, tenant.APIKey{Scopes: all[1:]}, []string{"scopes"}},
		{"bound, other is not", tenant.APIKey{Addresses: networks(t, "10.0.0.1")}, tenant.APIKey{}, nil},
		{"not bound, other is", tenant.APIKey{}, tenant.APIKey{Addresses: networks(t, "10.0.0.1")}, []string{"addresses"}},
		{"narrower", tenant.APIKey{Addresses: networks(t, "10.1.0.0/16", "10.2.3.4")}, tenant.APIKey{Addresses: networks(t, "10.0.0.0/8")}, nil},
		{"wider", tenant.APIKey{Addresses: networks(t, "10.0.0.0/8")}, tenant.APIKey{Addresses: networks(t, "10.0.0.0/9")}, []string{"addresses"}},
		{"one outside", tenant.APIKey{Addresses: networks(t, "10.0.0.1", "::1")}, tenant.APIKey{Addresses: networks(t, "10.0.0.0/8")}, []string{"addresses"}},
		{"another family", tenant.APIKey{Addresses: networks(t, "::/0")}, tenant.APIKey{Addresses: networks(t, "0.0.0.0/0")}, []string{"addresses"}},
		{"ends, other does not", tenant.APIKey{ExpiresAt: soon}, tenant.APIKey{}, nil},
		{"never ends, other does", tenant.APIKey{}, tenant.APIKey{ExpiresAt: soon}, []string{"expires_at"}},
		{"ends with it", tenant.APIKey{ExpiresAt: soon}, tenant.APIKey{ExpiresAt: soon}, nil},
		{"ends later", tenant.APIKey{ExpiresAt: soon.Add(1)}, tenant.APIKey{ExpiresAt: soon}, []string{"expires_at"}},
		{"across", tenant.APIKey{Across: true}, tenant.APIKey{}, []string{"across"}},
		{"all of it", tenant.APIKey{Scopes: all, Across: true}, tenant.APIKey{ExpiresAt: soon, Addresses: networks(t, "::1")}, []string{"scopes", "addresses", "expires_at", "across"}},
	} {
		if got := c.key.Beyond(&c.other); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if reflect.ValueOf(tenant.APIKey{}).NumField() != 15 {
		t.Error("APIKey has another field: does it let a key do more?")
	}
}
