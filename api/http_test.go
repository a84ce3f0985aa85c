package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/fanfare-mq/fanfare"
	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

func TestRouting(t *testing.T) {
	s := newServer(t)
	for _, path := range []string{"/nope", "/v1", "/v1/", "/v1/apps/", "/v1/apps/chat/nope", "/v1//apps", "/docs/nope.js", "/healthz/", "/%00"} {
		s.call("GET", path, "", nil).problem(t, 404, "not_found")
	}
	for _, c := range []struct{ method, path, allow string }{
		{"GET", "/v1/signup", "POST"},
		{"DELETE", "/v1/apps", "GET, POST"},
		{"PATCH", "/v1/apps/chat/acl", "GET, PUT"},
		{"PUT", "/v1/apps/chat/logins/robot", "GET, PATCH, DELETE"},
		{"PATCH", "/v1/apps/chat/certificates/ca_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "GET, DELETE"},
		{"GET", "/v1/invitations/accept", "POST"},
		{"PUT", "/v1/members/mem_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "GET, PATCH, DELETE"},
		{"POST", "/healthz", "GET"},
		{"POST", "/", "GET"},
		{"PUT", "/openapi.yaml", "GET"},
		{"OPTIONS", "/v1/apps", "GET, POST"}, // CORS is off
		{"BREW", "/v1/apps", "GET, POST"},
	} {
		got := s.call(c.method, c.path, "", nil)
		got.problem(t, 405, "method_not_allowed")
		if allow := got.Header.Get("Allow"); allow != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, allow, c.allow)
		}
	}
	if got := s.call("HEAD", "/healthz", "", nil); got.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", got.StatusCode)
	}
}

func TestSurfaces(t *testing.T) {
	requests := []struct {
		method, path string
		app, admin   bool // is it there?
	}{
		{"POST", "/v1/signup", false, true},
		{"POST", "/v1/login", false, true},
		{"GET", "/v1/me", true, true},
		{"POST", "/v1/me/confirm", false, true},
		{"GET", "/v1/members", false, true},
		{"POST", "/v1/invitations/accept", false, true},
		{"GET", "/v1/apps", true, true},
		{"POST", "/v1/apps", false, true},
		{"GET", "/v1/apps/chat", true, true},
		{"PATCH", "/v1/apps/chat", true, true},
		{"GET", "/v1/apps/chat/acl", true, true},
		{"PUT", "/v1/apps/chat/acl", true, true},
		{"POST", "/v1/apps/chat/logins", true, true},
		{"DELETE", "/v1/apps/chat/logins/robot", true, true},
		{"GET", "/v1/apps/chat/certificates", true, true},
		{"POST", "/v1/apps/chat/tokens", true, false},
		{"POST", "/v1/apps/chat/push", true, false},
		{"POST", "/v1/apps/chat/publish", true, false},
		{"GET", "/healthz", true, true},
		{"GET", "/readyz", true, true},
		{"GET", "/openapi.yaml", true, true},
		{"GET", "/", false, true},
		{"GET", "/style.css", false, true},
		{"GET", "/docs", false, true},
	}
	for surface, there := range map[api.Surface]func(app, admin bool) bool{
		api.All:   func(_, _ bool) bool { return true },
		api.App:   func(app, _ bool) bool { return app },
		api.Admin: func(_, admin bool) bool { return admin },
	} {
		s := newServer(t, func(c *api.Config, _ *api.Deps) { c.Surface = surface })
		for _, r := range requests {
			got := s.call(r.method, r.path, "", nil)
			missing := got.StatusCode == http.StatusNotFound || got.StatusCode == http.StatusMethodNotAllowed
			if missing == there(r.app, r.admin) {
				t.Errorf("surface %d: %s %s answers %d", surface, r.method, r.path, got.StatusCode)
			}
		}
	}
}

// TestSurfaceOfKeys: whatever an API key may call is on the surface of backends.
func TestSurfaceOfKeys(t *testing.T) {
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(c *api.Config, _ *api.Deps) { c.Surface = api.App })
	called := 0
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			security := d.doc.Security
			if op.Security != nil {
				security = *op.Security
			}
			if !slices.ContainsFunc(security, func(r openapi3.SecurityRequirement) bool { return r["apiKey"] != nil }) {
				continue
			}
			called++
			got := s.call(method, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "chat"), "", nil)
			if got.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s %s answers %d, want it to ask for credentials", method, path, got.StatusCode)
			}
		}
	}
	if called < 8 {
		t.Errorf("only %d operations take API keys", called)
	}
}

func TestRequestIDs(t *testing.T) {
	s := newServer(t)
	if got := s.call("GET", "/healthz", "", nil, "X-Request-Id", "trace.1_a-B"); got.Header.Get("X-Request-Id") != "trace.1_a-B" {
		t.Errorf("got %q", got.Header.Get("X-Request-Id"))
	}
	for _, bad := range []string{"", "a b", "a\tb", "ü", `a"b`, strings.Repeat("a", 65)} {
		if got := s.call("GET", "/healthz", "", nil, "X-Request-Id", bad).Header.Get("X-Request-Id"); got == bad || !strings.HasPrefix(got, "req_") {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestPublisherFaults(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	for _, c := range []struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{broker.ErrOverloaded, 503, "overloaded", "1"},
		{broker.ErrLogFull, 503, "log_full", "30"},
		{broker.ErrUnavailable, 503, "unavailable", "5"},
		{fault.Wrap(fault.Unavailable, "away", errors.New("at 10.1.2.3")), 503, "unavailable", "5"},
		{context.DeadlineExceeded, 503, "unavailable", "5"},
		{fault.Wrap(fault.Unavailable, "away", context.DeadlineExceeded), 503, "unavailable", "5"},
		{errors.New("a secret at 10.1.2.3"), 500, "internal", ""},
	} {
		s.bus.err = c.err
		got := s.call("POST", pushPath, key, `{"to":{"user":"a"},`+note+`}`)
		got.problem(t, c.status, c.code)
		if got.Header.Get("Retry-After") != c.retryAfter || strings.Contains(string(got.text), "10.1.2.3") {
			t.Errorf("%v: %v %s", c.err, got.Header, got.text)
		}
	}
	if !strings.Contains(s.log.String(), "a secret at 10.1.2.3") {
		t.Error("the cause is not in the log")
	}
}

func TestPanics(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	s.bus.panics = true
	got := s.call("POST", pushPath, key, `{"to":{"user":"a"},`+note+`}`, "X-Request-Id", "boom-1")
	got.problem(t, 500, "internal")
	if log := s.log.String(); !strings.Contains(log, "the publisher broke") || !strings.Contains(log, "boom-1") {
		t.Errorf("log %s", log)
	}
	s.bus.panics = false
	s.call("POST", pushPath, key, `{"to":{"user":"a"},`+note+`}`).want(t, http.StatusAccepted)
}

func TestHealth(t *testing.T) {
	var broken error
	s := newServer(t, func(_ *api.Config, d *api.Deps) {
		d.Checks["nats"] = func(context.Context) error { return broken }
	})
	ready := s.call("GET", "/readyz", "", nil).want(t, 200)
	if parts := ready["components"].(map[string]any); ready["status"] != "ok" || len(parts) != 3 || parts["store"] != "ok" {
		t.Errorf("ready %v", ready)
	}
	broken = errors.New("no servers at 10.1.2.3")
	got := s.call("GET", "/readyz", "", nil)
	ready = got.want(t, 503)
	if parts := ready["components"].(map[string]any); ready["status"] != "unavailable" || parts["nats"] != "unavailable" || parts["store"] != "ok" {
		t.Errorf("not ready %v", ready)
	}
	if strings.Contains(string(got.text), "10.1.2.3") || !strings.Contains(s.log.String(), "10.1.2.3") {
		t.Errorf("the reason belongs to the log alone: %s", got.text)
	}
	s.call("GET", "/healthz", "", nil).want(t, 200)
}

func TestLanding(t *testing.T) {
	s := newServer(t)
	page := string(s.call("GET", "/", "", nil).text)
	for _, want := range []string{"http://push.example.com/v1/signup", "mosquitto_sub -h push.example.com -p 1883", `href="docs"`, "中文", "注册"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	loads := regexp.MustCompile(`(?:src|href)="((?:https?:)?//[^"]*)"|<script|style=|url\(`)
	if found := loads.FindAllString(page+string(s.call("GET", "/style.css", "", nil).text), -1); found != nil {
		t.Errorf("the page loads %q", found)
	}
	closed := newServer(t, func(c *api.Config, _ *api.Deps) { c.SignupClosed = true })
	if page := string(closed.call("GET", "/", "", nil).text); strings.Contains(page, "/v1/signup") || !strings.Contains(page, "/v1/login") {
		t.Error("the page tells to sign up where sign-up is closed")
	}
}

// TestReference: the page works without a network and under its own policy.
func TestReference(t *testing.T) {
	s := newServer(t)
	if got := s.call("GET", "/openapi.yaml", "", nil); string(got.text) != fanfare.OpenAPI {
		t.Error("openapi.yaml is not served as it is")
	}
	for _, path := range []string{"/docs", "/docs/"} {
		got := s.call("GET", path, "", nil)
		policy, page := got.Header.Get("Content-Security-Policy"), string(got.text)
		if got.StatusCode != http.StatusOK || strings.Contains(policy, "unsafe-eval") || strings.Contains(policy, "script-src 'self' 'unsafe") {
			t.Fatalf("%s: %d, policy %s", path, got.StatusCode, policy)
		}
		scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(page, -1)
		for _, script := range scripts {
			sum := sha256.Sum256([]byte(script[1]))
			if !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) {
				t.Error("a script in the page is not permitted")
			}
		}
		for _, ref := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if !strings.HasPrefix(ref[1], "/docs/") {
				t.Errorf("%s loads %s", path, ref[1])
			} else if got := s.call("GET", ref[1], "", nil); got.StatusCode != http.StatusOK || len(got.text) == 0 {
				t.Errorf("%s: %d", ref[1], got.StatusCode)
			}
		}
		if len(scripts) == 0 || !strings.Contains(page, "/openapi.yaml") {
			t.Error("the page is not what it was")
		}
	}
}

// TestErrorPage: every code has a status of its own choice and its anchor in
// the documentation that problems point to.
func TestErrorPage(t *testing.T) {
	page, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fault.Registry {
		if status := api.Status(e.Code); status < 400 || status == 500 && e.Code != fault.Internal {
			t.Errorf("%s has the status %d", e.Code, status)
		}
		if !strings.Contains(string(page), "\n## "+string(e.Code)+"\n") {
			t.Errorf("%s is not in docs/errors.md", e.Code)
		}
	}
}

func TestNewWantsItsParts(t *testing.T) {
	if _, err := api.New(api.Config{}, api.Deps{}); err == nil {
		t.Error("built without any part")
	}
}

func FuzzBodies(f *testing.F) {
	s := newServer(f)
	member := s.member("acme", "owner")
	key := s.app(member, "chat")
	targets := []struct{ method, path, token string }{
		{"POST", "/v1/signup", ""},
		{"POST", "/v1/apps", member},
		{"POST", tokenPath, key},
		{"POST", pushPath, key},
		{"POST", pubPath, key},
		{"PUT", aclPath, key},
	}
	for _, c := range badInputs {
		if len(c.body) < 1000 {
			for i := range targets {
				f.Add(byte(i), c.body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, target byte, body string) {
		to := targets[int(target)%len(targets)]
		here := *s
		here.t = t
		got := here.call(to.method, to.path, to.token, body)
		if got.StatusCode >= 500 {
			t.Errorf("%s %s %q: %d %s", to.method, to.path, body, got.StatusCode, got.text)
		}
	})
}
