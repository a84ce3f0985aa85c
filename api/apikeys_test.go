package api_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/tenant"
)

// newKey creates an API key of acme/chat over HTTP.
func (s *server) newKey(t *testing.T, token, body string) (id, secret string) {
	t.Helper()
	made := s.call("POST", keysPath, token, body).want(t, http.StatusCreated)
	id, _ = made["id"].(string)
	secret, _ = made["secret"].(string)
	return id, secret
}

// uses says what a request with a key from an address is answered.
func (s *server) uses(secret, from string) answer {
	s.t.Helper()
	return s.call("GET", "/v1/me", secret, nil, "Remote", from)
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	ends := s.clock.Now().Add(time.Hour).UTC().Truncate(time.Second)
	made := s.call("POST", keysPath, acme, fmt.Sprintf(`{"name":"Billing","scopes":["push","read"],
		"addresses":["192.0.2.9/24","::ffff:192.0.2.1/120","2001:DB8::7"],"expires_at":%q}`, ends.Format(time.RFC3339)))
	key := made.want(t, http.StatusCreated)
	id, _ := key["id"].(string)
	secret, _ := key["secret"].(string)
	if !strings.HasPrefix(id, "key_") || !strings.HasPrefix(secret, "ffk_") || key["name"] != "Billing" ||
		!reflect.DeepEqual(key["scopes"], []any{"push", "read"}) ||
		!reflect.DeepEqual(key["addresses"], []any{"192.0.2.0/24", "2001:db8::7"}) || key["expires_at"] != ends.Format(time.RFC3339) {
		t.Errorf("created %s", made.text)
	}
	read := s.call("GET", keysPath+"/"+id, acme, nil)
	delete(key, "secret")
	if got := read.want(t, http.StatusOK); !reflect.DeepEqual(got, key) || read.Header.Get("ETag") != made.Header.Get("ETag") {
		t.Errorf("created %v, read %v", key, got)
	}
	me := s.uses(secret, "192.0.2.77:1").want(t, http.StatusOK)
	if got := me["api_key"]; !reflect.DeepEqual(got, any(key)) {
		t.Errorf("it is %v, created %v", got, key)
	}
	s.call("PATCH", keysPath+"/"+id, acme, `{"scopes":["read"],"addresses":[],"expires_at":null}`, "If-Match", made.Header.Get("ETag")).want(t, 200)
	s.call("PATCH", keysPath+"/"+id, acme, `{"name":"x"}`, "If-Match", made.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	changed := s.call("GET", keysPath+"/"+id, acme, nil).want(t, http.StatusOK)
	if changed["expires_at"] != nil || changed["name"] != "Billing" || !reflect.DeepEqual(changed["addresses"], []any{}) {
		t.Errorf("changed to %v", changed)
	}
	s.call("POST", pubPath, secret, `{"topic":"acme/chat/x","payload":""}`).problem(t, 403, "forbidden") // the scope is gone at once
	s.uses(secret, "10.9.9.9:1").want(t, http.StatusOK)
	if got := s.call("DELETE", keysPath+"/"+id, acme, nil); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d %s", got.StatusCode, got.text)
	}
	s.uses(secret, "10.9.9.9:1").problem(t, 401, "unauthenticated")
	s.call("DELETE", keysPath+"/"+id, acme, nil).problem(t, 404, "not_found")
	if got := s.bus.announced; len(got) != 4 || slices.Compact(got)[0] != "app.changed acme/chat" {
		t.Errorf("announced %q", got)
	}
	if strings.Contains(s.log.String(), secret) {
		t.Error("the log has a secret")
	}
}

func TestAPIKeyLists(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	for range 5 {
		s.newKey(t, acme, `{"scopes":["push"]}`)
	}
	if got := pages(t, s, keysPath, acme, "id"); len(got) != 6 || !slices.IsSorted(got) {
		t.Errorf("listed %q", got)
	}
}

// TestAPIKeysAreBoundToAddresses: to the client's own, also where limits count
// a network of IPv6.
func TestAPIKeysAreBoundToAddresses(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	_, secret := s.newKey(t, acme, `{"scopes":["push"],"addresses":["192.0.2.0/25","2001:db8::7","2001:db8:1::/48"]}`)
	for from, want := range map[string]int{
		"192.0.2.127:1": 200, "192.0.2.128:1": 403, "[::ffff:192.0.2.1]:1": 200, "[2001:db8::7]:1": 200, "[2001:db8::8]:1": 403,
		"[2001:db8:1:ffff::1]:1": 200, "[2001:db8:2::1]:1": 403, "@": 403,
	} {
		got := s.uses(secret, from)
		if got.StatusCode != want {
			t.Errorf("from %s: %d %s, want %d", from, got.StatusCode, got.text, want)
		}
		if want == http.StatusForbidden {
			got.problem(t, 403, "forbidden")
		}
	}
	// A key that is wrong is wrong from anywhere.
	s.uses(secret[:len(secret)-1]+"!", "203.0.113.1:1").problem(t, 401, "unauthenticated")
}

// TestForwardedClients: the operator's proxies say who their clients are, and
// nobody else does.
func TestForwardedClients(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *api.Config, _ *api.Deps) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	})
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	_, secret := s.newKey(t, acme, `{"scopes":["push"],"addresses":["192.0.2.1","2001:db8::7"]}`)
	for _, c := range []struct {
		peer, forwarded string
		want            int
	}{
		{"10.0.0.1:1", "192.0.2.1", 200},
		{"10.0.0.1:1", "192.0.2.1:4711", 200},
		{"10.0.0.1:1", "[2001:db8::7]:4711", 200},
		{"[2001:db8:ffff::1]:1", "2001:db8::7", 200},
		{"10.0.0.1:1", "203.0.113.1, 192.0.2.1, 10.3.4.5", 200},
		{"10.0.0.1:1", "192.0.2.1, 203.0.113.1", 403}, // the first was written by the client
		{"10.0.0.1:1", "192.0.2.1, unknown", 403},
		{"10.0.0.1:1", "", 403},
		{"203.0.113.1:1", "192.0.2.1", 403}, // which is no proxy
		{"192.0.2.1:1", "203.0.113.1", 200},
	} {
		got := s.call("GET", "/v1/me", secret, nil, "Remote", c.peer, "X-Forwarded-For", c.forwarded)
		if got.StatusCode != c.want {
			t.Errorf("%s for %q: %d %s, want %d", c.peer, c.forwarded, got.StatusCode, got.text, c.want)
		}
	}
}

func TestAPIKeysExpire(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	ends := s.clock.Now().Add(10 * time.Minute).UTC()
	id, secret := s.newKey(t, acme, fmt.Sprintf(`{"scopes":["push"],"expires_at":%q}`, ends.Format(time.RFC3339Nano)))
	s.clock.Advance(10*time.Minute - time.Millisecond)
	s.uses(secret, "192.0.2.1:1").want(t, http.StatusOK)
	s.clock.Advance(time.Millisecond)
	got := s.uses(secret, "192.0.2.1:1")
	got.problem(t, 401, "token_expired")
	if !strings.Contains(got.Header.Get("WWW-Authenticate"), `error_description="expired"`) {
		t.Errorf("challenge %s", got.Header.Get("WWW-Authenticate"))
	}
	acme = s.signIn("acme")
	// It can have a new life; without one there is nothing to rotate to.
	fields := s.call("POST", keysPath+"/"+id+"/rotate", acme, `{}`).problem(t, 422, "invalid")
	if !slices.Equal(fields, []string{"/expires_at"}) {
		t.Errorf("fields %q", fields)
	}
	s.call("PATCH", keysPath+"/"+id, acme, `{"expires_at":null}`).want(t, http.StatusOK)
	s.uses(secret, "192.0.2.1:1").want(t, http.StatusOK)
}

// TestAPIKeyRotation: both keys work for the overlap, it shows whether the old
// one is still used, and then only the new one works.
func TestAPIKeyRotation(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	id, old := s.newKey(t, acme, `{"name":"Billing","scopes":["push"],"addresses":["192.0.2.0/24","2001:db8::/64"]}`)
	answer := s.call("POST", keysPath+"/"+id+"/rotate", acme, `{"overlap_seconds":600}`)
	rotated := answer.want(t, http.StatusCreated)
	next, _ := rotated["api_key"].(map[string]any)
	last, _ := rotated["replaced"].(map[string]any)
	secret, _ := next["secret"].(string)
	ends := s.clock.Now().Add(10 * time.Minute).UTC().Truncate(time.Millisecond)
	if next["name"] != "Billing" || !reflect.DeepEqual(next["scopes"], []any{"push"}) || next["expires_at"] != nil ||
		!reflect.DeepEqual(next["addresses"], []any{"192.0.2.0/24", "2001:db8::/64"}) || next["id"] == id || secret == old ||
		last["id"] != id || last["replaced_by"] != next["id"] || last["expires_at"] != ends.Format(time.RFC3339Nano) {
		t.Errorf("rotated: %s", answer.text)
	}
	s.call("POST", keysPath+"/"+id+"/rotate", acme, `{}`).problem(t, 409, "conflict")

	s.clock.Advance(4 * time.Minute)
	s.uses(secret, "192.0.2.1:1").want(t, http.StatusOK)
	s.uses(old, "[2001:db8::1:2]:1").want(t, http.StatusOK)
	used := s.clock.Now().UTC()
	s.clock.Advance(time.Minute)
	s.uses(old, "203.0.113.1:1").problem(t, 403, "forbidden") // which is no use
	if err := s.usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(5 * time.Minute)
	s.uses(old, "192.0.2.1:1").problem(t, 401, "token_expired")
	s.uses(secret, "192.0.2.1:1").want(t, http.StatusOK)
	if err := s.usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := s.call("GET", keysPath+"/"+id, acme, nil).want(t, http.StatusOK)
	at, err := time.Parse(time.RFC3339Nano, seen["last_used_at"].(string))
	if err != nil || !at.Equal(used.Truncate(time.Microsecond)) || seen["last_used_from"] != "2001:db8::1:2" {
		t.Errorf("last used %v from %v (%v), want %v", seen["last_used_at"], seen["last_used_from"], err, used)
	}
	acme = s.signIn("acme")
	// The key that has replaced it rotates on, with an end of its own.
	body := fmt.Sprintf(`{"overlap_seconds":0,"expires_at":%q}`, s.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	again := s.call("POST", keysPath+"/"+next["id"].(string)+"/rotate", acme, body).want(t, http.StatusCreated)
	if again["api_key"].(map[string]any)["expires_at"] == nil {
		t.Errorf("rotated: %v", again)
	}
	s.uses(secret, "192.0.2.1:1").problem(t, 401, "token_expired")
	// A key that ends before the overlap does still ends then.
	third := again["api_key"].(map[string]any)
	ended := s.call("POST", keysPath+"/"+third["id"].(string)+"/rotate", acme, `{}`).want(t, http.StatusCreated)
	if got := ended["replaced"].(map[string]any)["expires_at"]; got != third["expires_at"] {
		t.Errorf("the overlap ends %v, the key %v", got, third["expires_at"])
	}
}

func TestAPIKeyQuota(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	soon := s.clock.Now().Add(time.Minute).UTC().Format(time.RFC3339Nano)
	id, _ := s.newKey(t, acme, `{"scopes":["push"],"expires_at":"`+soon+`"}`)
	for range tenant.MaxAPIKeys - 2 {
		s.newKey(t, acme, `{"scopes":["push"]}`)
	}
	s.call("POST", keysPath, acme, `{"scopes":["push"]}`).problem(t, 429, "quota_exceeded")
	s.call("POST", keysPath+"/"+id+"/rotate", acme, `{}`).problem(t, 429, "quota_exceeded")
	if s.call("GET", keysPath+"/"+id, acme, nil).want(t, 200)["replaced_by"] != nil {
		t.Error("half a rotation has happened")
	}
	s.clock.Advance(tenant.ExpiredKeysFor + 2*time.Minute)
	s.newKey(t, s.signIn("acme"), `{"scopes":["push"]}`) // what expired long ago makes room
}

// TestNoKeyGoesBeyondItsMaker: with an API key nobody gets, changes, rotates or
// deletes one that can do more.
func TestNoKeyGoesBeyondItsMaker(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	at := func(hours int) string {
		return s.clock.Now().Add(time.Duration(hours) * time.Hour).UTC().Format(time.RFC3339)
	}
	const from = "10.0.0.1:1"
	_, maker := s.newKey(t, acme, `{"scopes":["read","manage"],"addresses":["10.0.0.0/8"],"expires_at":"`+at(24)+`"}`)
	for _, c := range []struct {
		name, scopes, addresses, expires string
		fields                           []string
	}{
		{"the same", `["read","manage"]`, `["10.0.0.0/8"]`, `"` + at(24) + `"`, nil},
		{"less", `["read"]`, `["10.1.0.0/16","10.2.3.4"]`, `"` + at(1) + `"`, nil},
		{"another scope", `["push","manage"]`, `["10.1.0.0/16"]`, `"` + at(1) + `"`, []string{"/scopes"}},
		{"a wider network", `["read"]`, `["10.0.0.0/7"]`, `"` + at(1) + `"`, []string{"/addresses"}},
		{"another network", `["read"]`, `["10.0.0.0/8","192.0.2.1"]`, `"` + at(1) + `"`, []string{"/addresses"}},
		{"anywhere", `["read"]`, `[]`, `"` + at(1) + `"`, []string{"/addresses"}},
		{"later", `["read"]`, `["10.0.0.0/8"]`, `"` + at(25) + `"`, []string{"/expires_at"}},
		{"for ever", `["read"]`, `["10.0.0.0/8"]`, `null`, []string{"/expires_at"}},
		{"everything", `["push","read","manage"]`, `[]`, `null`, []string{"/addresses", "/expires_at", "/scopes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"scopes":%s,"addresses":%s,"expires_at":%s}`, c.scopes, c.addresses, c.expires)
			call := func(method, path, body string) answer {
				if body == "" {
					return s.call(method, path, maker, nil, "Remote", from)
				}
				return s.call(method, path, maker, body, "Remote", from)
			}
			weak, _ := s.newKey(t, acme, `{"scopes":["read"],"addresses":["10.0.0.1"],"expires_at":"`+at(1)+`"}`)
			strong, _ := s.newKey(t, acme, body)
			changed := call("PATCH", keysPath+"/"+weak, body)
			made := call("POST", keysPath, body)
			rotated := call("POST", keysPath+"/"+strong+"/rotate", `{"overlap_seconds":2592000}`)
			patched := call("PATCH", keysPath+"/"+strong, `{"scopes":["read"]}`)
			deleted := call("DELETE", keysPath+"/"+strong, "")
			if c.fields == nil {
				changed.want(t, 200)
				made.want(t, 201)
				rotated.want(t, 201)
				patched.want(t, 200)
				if deleted.StatusCode != http.StatusNoContent {
					t.Errorf("deleted: %d %s", deleted.StatusCode, deleted.text)
				}
				return
			}
			for what, got := range map[string]answer{"changed": changed, "made": made} {
				if fields := got.problem(t, 403, "forbidden"); !slices.Equal(fields, c.fields) {
					t.Errorf("%s: fields %q, want %q", what, fields, c.fields)
				}
			}
			for _, got := range []answer{rotated, patched, deleted} {
				got.problem(t, 403, "forbidden")
			}
			kept := s.call("GET", keysPath+"/"+strong, acme, nil).want(t, 200)
			if kept["replaced_by"] != nil || len(kept["scopes"].([]any)) != strings.Count(c.scopes, `"`)/2 {
				t.Errorf("it is %v now", kept)
			}
		})
	}
}

// TestAPIKeysWantThePassword: an hour after it was given, members cannot show
// or end credentials, or make a key more powerful; less they can.
func TestAPIKeysWantThePassword(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	s.app(acme, "chat")
	soon := s.clock.Now().Add(50 * time.Hour).UTC().Format(time.RFC3339)
	id, _ := s.newKey(t, acme, `{"scopes":["push"],"addresses":["10.0.0.0/8"],"expires_at":"`+soon+`"}`)
	s.clock.Advance(11 * time.Minute)
	for _, c := range [][3]string{
		{"POST", "", `{"scopes":["push"]}`},
		{"POST", "/" + id + "/rotate", `{}`},
		{"DELETE", "/" + id, ""},
		{"PATCH", "/" + id, `{"scopes":["push","read"]}`},
		{"PATCH", "/" + id, `{"addresses":[]}`},
		{"PATCH", "/" + id, `{"addresses":["10.0.0.0/7"]}`},
		{"PATCH", "/" + id, `{"expires_at":null}`},
	} {
		var body any
		if c[2] != "" {
			body = c[2]
		}
		s.call(c[0], keysPath+c[1], acme, body).problem(t, 403, "step_up_required")
	}
	s.call("PATCH", keysPath+"/"+id, acme, `{"name":"Less","addresses":["10.1.0.0/16"]}`).want(t, 200)
	viewer := s.member("globex", tenant.Viewer)
	s.key("globex", "chat", tenant.ScopeRead)
	s.call("GET", keysPath, viewer, nil).want(t, 200)
	s.call("POST", keysPath, viewer, `{"scopes":["read"]}`).problem(t, 403, "forbidden")
}
