package api_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/tenant"
)

// appOperations are the operations of one app, with bodies that are right.
var appOperations = []struct{ method, path, body, scope string }{
	{"GET", "", "", "read"},
	{"PATCH", "", `{"name":"Chat"}`, "manage"},
	{"GET", "/acl", "", "read"},
	{"POST", "/acl/rules", `{"effect":"deny","action":"all","topic":"acme/x","who":{"everyone":true}}`, "manage"},
	{"GET", "/acl/rules/rule_1", "", "read"},
	{"PUT", "/acl/rules/rule_1", `{"effect":"deny","action":"all","topic":"acme/y","who":{"everyone":true}}`, "manage"},
	{"DELETE", "/acl/rules/rule_1", "", "manage"},
	{"PUT", "/acl", `{"rules":[]}`, "manage"},
	{"POST", "/acl/test", `{"user":"ana","action":"publish","topic":"acme/chat/x"}`, "read"},
	{"GET", "/api-keys", "", "read"},
	{"POST", "/api-keys", `{"scopes":["manage"]}`, "manage"},
	{"GET", "/api-keys/{key}", "", "read"},
	{"PATCH", "/api-keys/{key}", `{"name":"Other"}`, "manage"},
	{"POST", "/api-keys/{key}/rotate", `{}`, "manage"},
	{"DELETE", "/api-keys/{key}", "", "manage"},
	{"GET", "/logins", "", "read"},
	{"POST", "/logins", `{"username":"new","password":"a long password","user":"ana"}`, "manage"},
	{"GET", "/logins/robot", "", "read"},
	{"PATCH", "/logins/robot", `{"enabled":false}`, "manage"},
	{"DELETE", "/logins/robot", "", "manage"},
	{"GET", "/certificates", "", "read"},
	{"POST", "/certificates", jsonOf(map[string]any{"ca_pem": authorityPEM("New"), "user_from": "cn"}), "manage"},
	{"GET", "/certificates/{certificate}", "", "read"},
	{"DELETE", "/certificates/{certificate}", "", "manage"},
	{"GET", "/signing-keys", "", "read"},
	{"POST", "/signing-keys", `{}`, "manage"},
	{"GET", "/signing-keys/{kid}", "", "read"},
	{"PATCH", "/signing-keys/{kid}", `{"name":"Other"}`, "manage"},
	{"POST", "/signing-keys/{kid}/rotate", `{}`, "manage"},
	{"DELETE", "/signing-keys/{kid}", "", "manage"},
	{"GET", "/key-sets", "", "read"},
	{"POST", "/key-sets", `{"url":"https://issuer.invalid/jwks"}`, "manage"},
	{"GET", "/key-sets/{key_set}", "", "read"},
	{"POST", "/key-sets/{key_set}/refresh", "", "manage"},
	{"DELETE", "/key-sets/{key_set}", "", "manage"},
	{"GET", "/revocations", "", "read"},
	{"POST", "/revocations", `{"token":{"jti":"one"}}`, "manage"},
	{"GET", "/revocations/user/ana", "", "read"},
	{"DELETE", "/revocations/user/ana", "", "manage"},
	{"POST", "/tokens", `{"user":"ana"}`, "push"},
	{"POST", "/push", `{"to":{"user":"a"},` + note + `}`, "push"},
	{"POST", "/publish", `{"topic":"acme/chat/x","payload":""}`, "push"},
}

// TestTenancy: what belongs to somebody else does not exist.
func TestTenancy(t *testing.T) {
	s := newServer(t)
	acme, globex := s.member("acme", "owner"), s.member("globex", "owner")
	s.app(acme, "chat")
	other := s.app(acme, "mail")
	foreign := s.app(globex, "theirs")
	ids := s.credentials("acme", "chat")
	for _, op := range appOperations {
		op.path = ids.Replace(op.path)
		var body any
		if op.body != "" {
			body = op.body
		}
		for name, token := range map[string]string{"another member": globex, "another app's key": other, "another organization's key": foreign} {
			got := s.call(op.method, "/v1/apps/chat"+op.path, token, body)
			if fields := got.problem(t, 404, "not_found"); fields != nil {
				t.Errorf("%s: %s %s tells %q", name, op.method, op.path, fields)
			}
		}
	}
	page := s.call("GET", "/v1/apps", other, nil).want(t, http.StatusOK)
	if items := page["items"].([]any); len(items) != 1 || items[0].(map[string]any)["id"] != "mail" {
		t.Errorf("a key lists %v", items)
	}
}

func TestScopes(t *testing.T) {
	s := newServer(t)
	s.member("acme", "owner")
	for i, scope := range []tenant.Scope{tenant.ScopePush, tenant.ScopeRead, tenant.ScopeManage} {
		app := "app" + string(rune('0'+i))
		key := s.key("acme", app, scope)
		ids := s.credentials("acme", app)
		for _, op := range appOperations {
			op.path = ids.Replace(op.path)
			var body any
			if op.body != "" {
				body = op.body
			}
			got := s.call(op.method, "/v1/apps/"+app+op.path, key, body)
			if allowed := op.scope == string(scope); allowed && got.StatusCode >= 300 {
				t.Errorf("%s %s with %s: %d %s", op.method, op.path, scope, got.StatusCode, got.text)
			} else if !allowed {
				got.problem(t, 403, "forbidden")
			}
		}
	}
}

func TestViewersRead(t *testing.T) {
	s := newServer(t)
	viewer := s.member("acme", tenant.Viewer)
	s.key("acme", "chat", tenant.ScopeRead)
	s.call("GET", "/v1/apps/chat", viewer, nil).want(t, http.StatusOK)
	s.call("GET", "/v1/apps/chat/acl", viewer, nil).want(t, http.StatusOK)
	s.call("POST", "/v1/apps", viewer, `{"id":"x","name":"x"}`).problem(t, 403, "forbidden")
	s.call("PATCH", "/v1/apps/chat", viewer, `{"name":"x"}`).problem(t, 403, "forbidden")
	s.call("GET", "/v1/apps/chat/logins", viewer, nil).want(t, http.StatusOK)
	s.call("POST", "/v1/apps/chat/logins", viewer, `{"username":"a","password":"12345678","user":"a"}`).problem(t, 403, "forbidden")
	s.call("PUT", "/v1/apps/chat/acl", viewer, `{"rules":[]}`).problem(t, 403, "forbidden")
	s.call("POST", "/v1/apps/chat/push", viewer, `{"to":{"user":"a"},`+note+`}`).problem(t, 403, "forbidden")
}

func TestSessionsEnd(t *testing.T) {
	s := newServer(t)
	token := s.member("acme", "owner")
	s.call("GET", "/v1/me", token, nil).want(t, http.StatusOK)
	s.clock.Advance(2 * time.Hour)
	got := s.call("GET", "/v1/me", token, nil)
	if got.StatusCode != http.StatusUnauthorized || !strings.Contains(got.Header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("an ended session: %d %v", got.StatusCode, got.Header)
	}
}

func TestSignupClosed(t *testing.T) {
	s := newServer(t, func(c *api.Config, _ *api.Deps) { c.SignupClosed = true })
	s.call("POST", "/v1/signup", "", signUpBody).problem(t, 403, "signup_closed")
}

func TestSignupsAreThrottled(t *testing.T) {
	s := newServer(t)
	weak := `{"organization":"acme","email":"ana@example.com","password":"aaaaaaaaaaaa"}`
	for range 30 {
		s.call("POST", "/v1/signup", "", weak).problem(t, 422, "invalid")
	}
	got := s.call("POST", "/v1/signup", "", weak)
	got.problem(t, 429, "too_many_requests")
	if after := got.Header.Get("Retry-After"); after != "10" {
		t.Errorf("Retry-After %s", after)
	}
	s.call("POST", "/v1/signup", "", weak, "Remote", "[2001:db8::1]:5").problem(t, 422, "invalid")
	s.clock.Advance(11 * time.Second)
	s.call("POST", "/v1/signup", "", weak).problem(t, 422, "invalid")
	s.call("POST", "/v1/signup", "", weak).problem(t, 429, "too_many_requests")
}

// TestLoginFailuresAreThrottled: by account as well as by address, and never
// the right password.
func TestLoginFailuresAreThrottled(t *testing.T) {
	s := newServer(t)
	s.call("POST", "/v1/signup", "", `{"organization":"acme","email":"ana@example.com","password":"correct horse battery"}`).want(t, 201)
	wrong := `{"email":"ANA@example.com","password":"wrong"}`
	right := `{"email":"ana@example.com","password":"correct horse battery"}`
	for i := range 30 {
		s.call("POST", "/v1/login", "", wrong, "Remote", "10.0.1."+string(rune('0'+i%10))+":1").problem(t, 401, "unauthenticated")
	}
	s.call("POST", "/v1/login", "", wrong, "Remote", "10.0.2.1:1").problem(t, 429, "too_many_requests")
	s.call("POST", "/v1/login", "", right, "Remote", "10.0.2.1:1").want(t, http.StatusOK)
	s.call("POST", "/v1/login", "", `{"email":"bo@example.com","password":"wrong"}`, "Remote", "10.0.2.1:1").problem(t, 401, "unauthenticated")
}

func TestAccessRules(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	const path = "/v1/apps/chat/acl"
	empty := s.call("GET", path, key, nil)
	if rules, ok := empty.want(t, 200)["rules"].([]any); !ok || len(rules) != 0 {
		t.Errorf("a new app's rules: %s", empty.text)
	}
	rules := `{"rules":[` +
		`{"effect":"deny","action":"all","topic":"acme/chat/secret/#","who":{"everyone":true}},` +
		`{"effect":"allow","action":"subscribe","topic":"acme/chat/room/${user}/#","who":{"tag":"beta"}},` +
		`{"effect":"allow","action":"publish","topic":"acme/chat/in","who":{"role":"driver"}},` +
		`{"effect":"allow","action":"publish","topic":"acme/chat/up/+","who":{"user":"ana"}}]}` + "\n"
	put := s.call("PUT", path, key, rules, "If-Match", empty.Header.Get("ETag"))
	put.want(t, 200)
	read := s.call("GET", path, key, nil)
	var sent any
	if err := json.Unmarshal([]byte(rules), &sent); err != nil {
		t.Fatal(err)
	}
	if string(put.text) != string(read.text) || !reflect.DeepEqual(any(withoutIDs(read.want(t, 200))), sent) || read.Header.Get("ETag") != put.Header.Get("ETag") {
		t.Errorf("put %s %s, read %s %s", put.text, put.Header.Get("ETag"), read.text, read.Header.Get("ETag"))
	}
	s.call("PUT", path, key, `{"rules":[]}`, "If-Match", empty.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	s.call("PUT", path, key, `{"rules":[]}`, "If-Match", "what").problem(t, 422, "invalid")
	s.call("PUT", path, key, `{"rules":[]}`, "If-Match", "*").want(t, 200)
	s.call("PUT", path, key, `{"rules":[]}`).want(t, 200)
	// The app's creation and three changes.
	if want := slices.Repeat([]string{"app.changed acme/chat"}, 4); !slices.Equal(s.bus.announced, want) {
		t.Errorf("announced %q", s.bus.announced)
	}
}
