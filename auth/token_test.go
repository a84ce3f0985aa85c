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
		{User: "ana", ACL: &auth.Narrowing{Publish: []string{}, Subscribe: []string{"acme/chat/topics/#"}}, TTL: time.Hour},
		{User: strings.Repeat("u", 128), Tags: slices.Repeat([]string{strings.Repeat("t", 128)}, 64), TTL: time.Second},
	} {
		issued, err := auth.IssueToken(t.Context(), app, req, noon)
		if err != nil {
			t.Fatal(err)
		}
		d, err := connect(t, v, "acme/chat", issued.Text)
		if err != nil {
			t.Fatal(err)
		}
		if d.User != req.User || d.Device != req.Device || !slices.Equal(d.Tags, req.Tags) ||
			!issued.Expires.Equal(noon.Add(req.TTL)) || !d.Expires.Equal(issued.Expires) {
			t.Errorf("asked for %+v until %v, got %+v", req, issued.Expires, d.Identity)
		}
		if may := d.MayPublish("acme/chat/users/" + req.User + "/up/1"); may != (req.ACL == nil) {
			t.Errorf("asked for %+v, may publish %t", req, may)
		}
		if !d.MaySubscribe("acme/chat/topics/+") || d.MaySubscribe("acme/chat/broadcast") != (req.ACL == nil) {
			t.Errorf("asked for %+v, other subscriptions", req)
		}
	}
}

func TestIssueTokenFaults(t *testing.T) {
	_, src := newDevices(t)
	app := lookUp(t, auth.NewDirectory(src, atNoon), "acme", "chat")
	for field, req := range map[string]auth.TokenRequest{
		"/user":          {User: "a/b", TTL: time.Hour},
		"/device":        {User: "ana", Device: "+", TTL: time.Hour},
		"/tags":          {User: "ana", Tags: make([]string, 65), TTL: time.Hour},
		"/tags/1":        {User: "ana", Tags: []string{"a", "#"}, TTL: time.Hour},
		"/ttl_seconds":   {User: "ana"},
		"/acl/publish/1": {User: "ana", ACL: &auth.Narrowing{Publish: []string{"acme/a", "a#"}}, TTL: time.Hour},
		"/acl/subscribe": {User: "ana", ACL: &auth.Narrowing{Subscribe: make([]string, 33)}, TTL: time.Hour},
	} {
		_, err := auth.IssueToken(t.Context(), app, req, noon)
		wantFault(t, err, fault.Invalid, field)
	}
	for _, ttl := range []time.Duration{-time.Hour, time.Second - 1, auth.MaxTokenLifetime + 1} {
		_, err := auth.IssueToken(t.Context(), app, auth.TokenRequest{User: "ana", TTL: ttl}, noon)
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
	issued, err := auth.IssueToken(t.Context(), lookUp(t, d, "acme", "chat"), auth.TokenRequest{User: "ana", TTL: time.Hour}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := segment(map[string]any{"alg": "HS256", "kid": "sk_2", "typ": "JWT"}); !strings.HasPrefix(issued.Text, want+".") {
		t.Errorf("got %s", issued.Text)
	}

	e.SigningKeys = e.SigningKeys[3:]
	src.set(e)
	d.Invalidate("acme", "chat")
	_, err = auth.IssueToken(t.Context(), lookUp(t, d, "acme", "chat"), auth.TokenRequest{User: "ana", TTL: time.Hour}, noon)
	wantFault(t, err, fault.NotFound)
}
