package auth_test

import (
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// somewhere is an address that requests come from.
var somewhere = netip.MustParseAddr("203.0.113.9")

// newCallers returns callers with one API key and one session.
func newCallers(now func() time.Time) (callers *auth.Callers, d *auth.Directory, src *source, key, session string) {
	src = newSource(entry("acme", "chat"))
	key, session = auth.NewAPIKeySecret(), auth.NewSessionToken()
	src.keys[auth.HashSecret(key)] = tenant.APIKey{
		ID: "key_1", Organization: "acme", App: "chat", Hash: auth.HashSecret(key), Scopes: []tenant.Scope{tenant.ScopePush},
	}
	src.sessions[auth.HashSecret(session)] = tenant.SignIn{Member: tenant.Member{ID: "mem_1", Organization: "acme", Role: tenant.Owner}}
	d = auth.NewDirectory(src, now)
	return auth.NewCallers(d, src, nil, now), d, src, key, session
}

func TestCallers(t *testing.T) {
	callers, _, _, key, session := newCallers(atNoon)
	c, err := callers.Authenticate(t.Context(), key, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	if c.Organization != "acme" || c.App != "chat" || c.Member != nil || c.Key == nil || c.Key.ID != "key_1" {
		t.Errorf("got %+v", c)
	}
	c, err = callers.Authenticate(t.Context(), session, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	if c.Organization != "acme" || c.App != "" || c.Key != nil || c.Member == nil || c.Member.ID != "mem_1" {
		t.Errorf("got %+v", c)
	}
}

func TestCallersRefuse(t *testing.T) {
	callers, _, _, key, session := newCallers(atNoon)
	for _, bearer := range []string{
		"", "ffk_", "ffs_", key[:len(key)-1], key + "x", strings.ToUpper(key), " " + key, key[4:],
		"ffs_" + key[4:], "ffk_" + session[4:], auth.NewAPIKeySecret(), auth.NewSessionToken(), auth.NewSigningSecret(),
		token{}.text(t), strings.Repeat("x", 1<<20),
	} {
		c, err := callers.Authenticate(t.Context(), bearer, somewhere)
		wantFault(t, err, fault.Unauthenticated)
		if c != nil {
			t.Errorf("%q is %+v", bearer, c)
		}
		if err != nil && len(bearer) > 4 && strings.Contains(err.Error(), bearer) {
			t.Errorf("%q shows the secret", err)
		}
	}
}

func TestCallersWhileTheSourceIsAway(t *testing.T) {
	callers, _, src, key, session := newCallers(atNoon)
	if _, err := callers.Authenticate(t.Context(), key, somewhere); err != nil {
		t.Fatal(err)
	}
	src.fail(errAway)
	if _, err := callers.Authenticate(t.Context(), key, somewhere); err != nil {
		t.Errorf("a known key is refused: %v", err)
	}
	for _, bearer := range []string{session, auth.NewAPIKeySecret(), auth.NewSessionToken()} {
		_, err := callers.Authenticate(t.Context(), bearer, somewhere)
		wantFault(t, err, fault.Unavailable)
	}
}

func TestInvalidateReachesAPIKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callers, d, src, key, _ := newCallers(time.Now)
		for range 3 {
			if _, err := callers.Authenticate(t.Context(), key, somewhere); err != nil {
				t.Fatal(err)
			}
		}
		wantReads(t, src, 1)
		delete(src.keys, auth.HashSecret(key))
		d.Invalidate("acme", "shop")
		if _, err := callers.Authenticate(t.Context(), key, somewhere); err != nil {
			t.Errorf("another app's change is noticed: %v", err)
		}
		d.Invalidate("acme", "chat")
		_, err := callers.Authenticate(t.Context(), key, somewhere)
		wantFault(t, err, fault.Unauthenticated)
	})
}

func TestScopes(t *testing.T) {
	all := []tenant.Scope{tenant.ScopePush, tenant.ScopeRead, tenant.ScopeManage}
	member := func(r tenant.Role) auth.Caller { return auth.Caller{Member: &tenant.Member{Role: r}} }
	key := func(s ...tenant.Scope) auth.Caller { return auth.Caller{Key: &tenant.APIKey{Scopes: s}} }
	for name, test := range map[string]struct {
		caller auth.Caller
		has    []tenant.Scope
	}{
		"owner":      {member(tenant.Owner), all},
		"admin":      {member(tenant.Admin), all},
		"viewer":     {member(tenant.Viewer), []tenant.Scope{tenant.ScopeRead}},
		"other role": {member("guest"), nil},
		"full key":   {key(all...), all},
		"push key":   {key(tenant.ScopePush), []tenant.Scope{tenant.ScopePush}},
		"empty key":  {key(), nil},
		"nobody":     {auth.Caller{}, nil},
	} {
		for _, scope := range all {
			want := false
			for _, s := range test.has {
				want = want || s == scope
			}
			if got := test.caller.Has(scope); got != want {
				t.Errorf("%s has %q: %t", name, scope, got)
			}
		}
	}
}

// TestAPIKeysEnd: a key is held against the clock and the client's address each
// time it is used, whatever the directory keeps, and its last use is noted.
func TestAPIKeysEnd(t *testing.T) {
	t.Parallel()
	now := atNoon()
	src, kept := newSource(entry("acme", "chat")), &sink{}
	secret := auth.NewAPIKeySecret()
	src.keys[auth.HashSecret(secret)] = tenant.APIKey{
		ID: "key_1", Organization: "acme", App: "chat", Hash: auth.HashSecret(secret),
		Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/64")},
		ExpiresAt: now.Add(30 * time.Second),
	}
	usage := auth.NewUsage(kept, slog.New(slog.DiscardHandler))
	clock := func() time.Time { return now }
	callers := auth.NewCallers(auth.NewDirectory(src, clock), src, usage, clock)
	for _, c := range []struct {
		after time.Duration
		from  string
		code  fault.Code
	}{
		{0, "203.0.113.9", ""},
		{time.Second, "203.0.114.9", fault.Forbidden},
		{2 * time.Second, "2001:db8:0:1::1", fault.Forbidden},
		{3 * time.Second, "2001:db8::1", ""},
		{30*time.Second - 1, "203.0.113.10", ""},
		{30 * time.Second, "203.0.113.9", fault.TokenExpired},
		{30 * time.Second, "10.0.0.1", fault.TokenExpired},
	} {
		now = atNoon().Add(c.after)
		_, err := callers.Authenticate(t.Context(), secret, netip.MustParseAddr(c.from))
		if fault.CodeOf(err) != c.code {
			t.Errorf("after %v from %s: %v, want %q", c.after, c.from, err, c.code)
		}
	}
	wantReads(t, src, 1)
	if err := usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := [][]tenant.Use{{{Kind: tenant.UsedAPIKey, ID: "key_1", At: atNoon().Add(30*time.Second - 1), From: "203.0.113.10"}}}
	if got := kept.told(); !reflect.DeepEqual(got, want) {
		t.Errorf("noted %v, want %v", got, want)
	}
}
