package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// What is issued is let in, and says what was asked for.
func TestIssuedTokensAreAccepted(t *testing.T) {
	v, src := newDevices(t)
	app := lookUp(t, auth.NewDirectory(src, atNoon), "acme", "chat")
	for _, req := range []auth.TokenRequest{
		{User: "ana", TTL: time.Hour},
		{User: "ana", Device: "phone-1", Tags: []string{"beta", "ñandú"}, TTL: auth.MaxTokenLifetime},
		{User: strings.Repeat("u", 128), Tags: slices.Repeat([]string{strings.Repeat("t", 128)}, 64), TTL: time.Second},
	} {
		text, expires, err := auth.IssueToken(app, req, noon)
		if err != nil {
			t.Fatal(err)
		}
		d, err := connect(t, v, "acme/chat", text)
		if err != nil {
			t.Fatal(err)
		}
		if d.User != req.User || d.Device != req.Device || !slices.Equal(d.Tags, req.Tags) ||
			!expires.Equal(noon.Add(req.TTL)) || !d.Expires.Equal(expires) {
			t.Errorf("asked for %+v until %v, got %+v", req, expires, d.Identity)
		}
	}
}

func TestIssueTokenFaults(t *testing.T) {
	_, src := newDevices(t)
	app := lookUp(t, auth.NewDirectory(src, atNoon), "acme", "chat")
	for field, req := range map[string]auth.TokenRequest{
		"/user":        {User: "a/b", TTL: time.Hour},
		"/device":      {User: "ana", Device: "+", TTL: time.Hour},
		"/tags":        {User: "ana", Tags: make([]string, 65), TTL: time.Hour},
		"/tags/1":      {User: "ana", Tags: []string{"a", "#"}, TTL: time.Hour},
		"/ttl_seconds": {User: "ana"},
	} {
		_, _, err := auth.IssueToken(app, req, noon)
		wantFault(t, err, fault.Invalid, field)
	}
	for _, ttl := range []time.Duration{-time.Hour, time.Second - 1, auth.MaxTokenLifetime + 1} {
		_, _, err := auth.IssueToken(app, auth.TokenRequest{User: "ana", TTL: ttl}, noon)
		wantFault(t, err, fault.Invalid, "/ttl_seconds")
	}
}

func TestIssueTokenSignsWithTheNewestKey(t *testing.T) {
	e := entry("acme", "chat")
	key := func(kid string, age time.Duration, alg tenant.Algorithm) tenant.SigningKey {
		return tenant.SigningKey{KID: kid, Algorithm: alg, Secret: "secret of " + kid, CreatedAt: noon.Add(-age)}
	}
	e.SigningKeys = []tenant.SigningKey{
		key("sk_old", 2*time.Hour, tenant.HS256), key("sk_1", time.Hour, tenant.HS256), key("sk_2", time.Hour, tenant.HS256),
		key("sk_other", 0, "ES256"),
	}
	src := newSource(e)
	d := auth.NewDirectory(src, atNoon)
	text, _, err := auth.IssueToken(lookUp(t, d, "acme", "chat"), auth.TokenRequest{User: "ana", TTL: time.Hour}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := segment(map[string]any{"alg": "HS256", "kid": "sk_2", "typ": "JWT"}); !strings.HasPrefix(text, want+".") {
		t.Errorf("got %s", text)
	}

	e.SigningKeys = e.SigningKeys[3:]
	src.set(e)
	d.Invalidate("acme", "chat")
	_, _, err = auth.IssueToken(lookUp(t, d, "acme", "chat"), auth.TokenRequest{User: "ana", TTL: time.Hour}, noon)
	wantFault(t, err, fault.NotFound)
}
