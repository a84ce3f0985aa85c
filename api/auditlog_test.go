package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/tenant"
)

// entries reads an audit log, whole, as "action target" from the oldest.
func (s *server) entries(path, token string) (lines []string, items []map[string]any) {
	s.t.Helper()
	for cursor := ""; ; {
		page := s.call("GET", path+cursor, token, nil).want(s.t, 200)
		for _, item := range page["items"].([]any) {
			entry := item.(map[string]any)
			items = append(items, entry)
			lines = append(lines, entry["action"].(string)+" "+entry["target"].(string))
		}
		next, more := page["next_cursor"].(string)
		if !more {
			slices.Reverse(lines)
			slices.Reverse(items)
			return lines, items
		}
		cursor = map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "cursor=" + next
	}
}

// TestChangesAreAudited: what changes something leaves who, when, from where
// and how it was and is; what was refused leaves nothing, and no secret is there.
func TestChangesAreAudited(t *testing.T) {
	s := newServer(t)
	const password = "correct horse battery"
	s.call("POST", "/v1/signup", "", `{"organization":"acme","email":"ana@acme.example","password":"`+password+`"}`).want(t, 201)
	token := s.call("POST", "/v1/login", "", `{"email":"ana@acme.example","password":"`+password+`"}`).want(t, 200)["token"].(string)
	s.call("POST", "/v1/login", "", `{"email":"ana@acme.example","password":"wrong"}`).problem(t, 401, "unauthenticated")
	key := s.app(token, "chat")
	s.call("POST", "/v1/apps", token, `{"id":"chat","name":"Again"}`).problem(t, 409, "conflict")
	s.call("PATCH", appPath, key, `{"name":"New"}`, "X-Request-Id", "trace-1", "Remote", "198.51.100.7:1").want(t, 200)
	s.call("PATCH", appPath, key, `{"settings":{"max_retained":-1}}`).problem(t, 422, "invalid")
	s.call("POST", loginsPath, token, `{"username":"robot","password":"`+password+`","user":"r"}`).want(t, 201)
	s.call("PATCH", loginsPath+"/robot", token, `{"password":"another long one"}`).want(t, 200)
	s.call("DELETE", loginsPath+"/robot", token, nil)
	s.call("DELETE", loginsPath+"/robot", token, nil).problem(t, 404, "not_found")
	ca := s.call("POST", certPath, token, jsonOf(map[string]any{"ca_pem": authorityPEM("New"), "user_from": "cn"})).want(t, 201)["id"].(string)
	s.call("DELETE", certPath+"/"+ca, token, nil)
	s.call("PUT", aclPath, token, `{"rules":[]}`).want(t, 200)
	s.call("DELETE", appPath, token, nil)

	lines, items := s.entries("/v1/audit?limit=3", token)
	member := items[0]["actor"].(map[string]any)["id"].(string)
	want := []string{
		"organization.create acme", "session.start " + items[1]["target"].(string), "app.create chat", "app.update chat", "login.create robot",
		"login.update robot", "login.delete robot", "certificate.create " + ca, "certificate.delete " + ca, "acl.replace ", "app.delete chat",
	}
	if !slices.Equal(lines, want) {
		t.Fatalf("got  %q\nwant %q", lines, want)
	}
	update := items[3]
	if before, after := update["before"].(map[string]any), update["after"].(map[string]any); before["name"] != "chat" || after["name"] != "New" {
		t.Errorf("before %v, after %v", before, after)
	}
	if actor := update["actor"].(map[string]any); actor["kind"] != "api_key" || update["request_id"] != "trace-1" || update["address"] != "198.51.100.7" ||
		update["app"] != "chat" || update["organization"] != "acme" {
		t.Errorf("got %v", update)
	}
	if after := items[5]["after"].(map[string]any); after["password_changed"] != true {
		t.Errorf("got %v", after)
	}
	if actor := items[1]["actor"].(map[string]any); actor["kind"] != "member" || actor["name"] != "ana@acme.example" {
		t.Errorf("signed in: %v", actor)
	}
	for _, secret := range []string{password, "another long one", "ffk_", "ffs_", "argon2"} {
		if strings.Contains(fmt.Sprint(items), secret) {
			t.Errorf("the audit log holds %q", secret)
		}
	}
	for query, n := range map[string]int{
		"action=app": 3, "action=app.create": 1, "action=ap": 0, "actor=" + member: 10, "actor=ana@acme.example": 10, "app=chat": 9,
		"until=2020-01-01T00:00:00Z": 0, "since=2020-01-01T00:00:00Z": 11, "app=mail": 0,
	} {
		if got, _ := s.entries("/v1/audit?"+query, token); len(got) != n {
			t.Errorf("%s: %q, want %d", query, got, n)
		}
	}
	for _, query := range []string{"since=yesterday", "cursor=x", "limit=0", "action="} {
		s.call("GET", "/v1/audit?"+query, token, nil).problem(t, 422, "invalid")
	}
}

func TestAuditLogsAreApart(t *testing.T) {
	s := newServer(t)
	acme, globex, viewer := s.member("acme", tenant.Owner), s.member("globex", tenant.Admin), s.member("initech", tenant.Viewer)
	key := s.app(acme, "chat")
	s.call("GET", "/v1/audit", viewer, nil).problem(t, 403, "forbidden")
	s.call("GET", "/v1/audit", key, nil).problem(t, 403, "forbidden")
	if got, _ := s.entries("/v1/audit", globex); len(got) != 0 {
		t.Errorf("globex reads %q", got)
	}
	if got, _ := s.entries("/v1/audit?organization=acme", globex); len(got) != 0 {
		t.Errorf("globex reads %q", got)
	}
	s.app(globex, "mail")
	for query, want := range map[string][]string{
		"": {"app.create chat", "app.create mail"}, "?organization=acme": {"app.create chat"}, "?organization=nobody": nil,
	} {
		if got, _ := s.entries("/v1/operator/audit"+query, s.operator()); !slices.Equal(got, want) {
			t.Errorf("%s: %q", query, got)
		}
	}
}

func TestFoundedByTheOperator(t *testing.T) {
	s := newServer(t, func(c *api.Config, _ *api.Deps) { c.SignupClosed = true })
	for _, slug := range []string{"acme", "ops"} { // and the operator's own
		created := s.call("POST", "/v1/operator/organizations", s.operator(), `{"organization":"`+slug+`","email":"Ana@`+slug+`.example"}`).want(t, 201)
		owner := created["owner"].(map[string]any)
		token := owner["token"].(string)
		if !strings.HasPrefix(token, "ffi_") || owner["link"] != "http://push.example.com/invitations#"+token || owner["email"] != "ana@"+slug+".example" {
			t.Errorf("got %v", owner)
		}
		if _, items := s.entries("/v1/operator/audit?organization="+slug, s.operator()); strings.Contains(fmt.Sprint(items), token) || len(items) != 1 ||
			items[0]["actor"].(map[string]any)["kind"] != "operator" {
			t.Errorf("the audit log has %v", items)
		}
		got := s.call("GET", "/v1/operator/organizations/"+slug, s.operator(), nil).want(t, 200)
		if fmt.Sprint(got) != fmt.Sprint(created["organization"]) {
			t.Errorf("created %v, read %v", created["organization"], got)
		}
	}
	again := s.call("POST", "/v1/operator/organizations", s.operator(), `{"organization":"acme","email":"ana@acme.example"}`)
	if fields := again.problem(t, 409, "conflict"); !slices.Equal(fields, []string{"/organization"}) {
		t.Errorf("at %q", fields)
	}
	bad := s.call("POST", "/v1/operator/organizations", s.operator(), `{"organization":"admin","email":"bo.example.com"}`)
	if fields := bad.problem(t, 422, "invalid"); !slices.Equal(fields, []string{"/email", "/organization"}) {
		t.Errorf("at %q", fields)
	}
}

// TestSuspended: a suspended organization's credentials are answered 403, its
// reason is there for the operator, and it comes back as it was.
func TestSuspended(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Owner)
	key := s.app(member, "chat")
	other := s.app(s.member("globex", tenant.Owner), "chat")
	ops := s.member("ops", tenant.Admin)
	const path = "/v1/operator/organizations/acme/"
	s.bus.announced = nil
	for range 2 {
		got := s.call("POST", path+"suspend", ops, `{"reason":"unpaid"}`).want(t, 200)
		if got["state"] != "suspended" || got["suspended_for"] != "unpaid" || got["suspended_at"] == nil {
			t.Errorf("got %v", got)
		}
	}
	s.call("GET", "/v1/me", member, nil).problem(t, 403, "organization_suspended")
	s.call("GET", "/v1/me", key, nil).problem(t, 403, "organization_suspended")
	s.call("POST", pushPath, key, `{"to":{"user":"a"},`+note+`}`).problem(t, 403, "organization_suspended")
	s.call("GET", "/v1/me", other, nil).want(t, 200)
	if got := s.call("POST", path+"resume", s.operator(), nil).want(t, 200); got["state"] != "active" || got["suspended_for"] != nil {
		t.Errorf("got %v", got)
	}
	s.call("GET", "/v1/me", member, nil).want(t, 200)
	s.call("POST", pushPath, key, `{"to":{"user":"a"},`+note+`}`).want(t, 202)
	if want := slices.Repeat([]string{"app.changed acme"}, 3); !slices.Equal(s.bus.announced, want) {
		t.Errorf("announced %q", s.bus.announced)
	}
	lines, items := s.entries("/v1/audit?action=organization", member)
	if want := []string{"organization.suspend acme", "organization.suspend acme", "organization.resume acme"}; !slices.Equal(lines, want) {
		t.Errorf("its own audit log has %q", lines)
	}
	if after := items[0]["after"].(map[string]any); after["state"] != "suspended" || after["suspended_for"] != "unpaid" {
		t.Errorf("got %v", after)
	}
	for body, fields := range map[string][]string{`{}`: {"/reason"}, `{"reason":"  "}`: {"/reason"}, `{"reason":"x","until":1}`: {"/until"}} {
		if got := s.call("POST", path+"suspend", ops, body).problem(t, 422, "invalid"); !slices.Equal(got, fields) {
			t.Errorf("%s: at %q", body, got)
		}
	}
	s.call("POST", "/v1/operator/organizations/nobody/suspend", ops, `{"reason":"x"}`).problem(t, 404, "not_found")
	s.call("POST", "/v1/operator/organizations/nobody/resume", ops, nil).problem(t, 404, "not_found")
}

// TestDeleted: a deleted organization is gone at once for everybody, and its
// slug is not free before it is erased.
func TestDeleted(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Owner)
	key := s.app(member, "chat")
	s.call("DELETE", "/v1/organization", s.member("globex", tenant.Admin), `{"confirm":"globex"}`).problem(t, 403, "forbidden")
	if fields := s.call("DELETE", "/v1/organization", member, `{"confirm":"globex"}`).problem(t, 422, "invalid"); !slices.Equal(fields, []string{"/confirm"}) {
		t.Errorf("at %q", fields)
	}
	s.clock.Advance(11 * time.Minute)
	s.call("DELETE", "/v1/organization", member, `{"confirm":"acme"}`).problem(t, 403, "step_up_required")
	s.clock.Advance(-11 * time.Minute)
	if got := s.call("GET", "/v1/organization", member, nil).want(t, 200); got["id"] != "acme" || got["apps"] != 1.0 {
		t.Errorf("got %v", got)
	}
	s.bus.announced = nil
	if got := s.call("DELETE", "/v1/organization", member, `{"confirm":"acme"}`); got.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", got.StatusCode, got.text)
	}
	if !slices.Equal(s.bus.announced, []string{"app.changed acme"}) {
		t.Errorf("announced %q", s.bus.announced)
	}
	s.call("GET", "/v1/me", member, nil).problem(t, 401, "unauthenticated")
	s.call("GET", "/v1/me", key, nil).problem(t, 401, "unauthenticated")
	s.call("POST", "/v1/signup", "", `{"organization":"acme","email":"new@acme.example","password":"correct horse battery"}`).problem(t, 409, "conflict")
	if got := s.call("GET", "/v1/operator/organizations/acme", s.operator(), nil).want(t, 200); got["state"] != "deleting" {
		t.Errorf("got %v", got)
	}
	s.call("DELETE", "/v1/operator/organizations/acme", s.operator(), nil).problem(t, 409, "conflict")
	s.call("POST", "/v1/operator/organizations/acme/resume", s.operator(), nil).problem(t, 409, "conflict")
	s.call("DELETE", "/v1/operator/organizations/nobody", s.operator(), nil).problem(t, 404, "not_found")
	_, items := s.entries("/v1/operator/audit?action=organization.delete", s.operator())
	if len(items) != 1 || items[0]["organization"] != nil || items[0]["target"] != "acme" || items[0]["actor"].(map[string]any)["name"] != "ana@acme.example" {
		t.Errorf("the audit log has %v", items)
	}
}

func TestDeletedApp(t *testing.T) {
	s := newServer(t)
	member, viewer := s.member("acme", tenant.Owner), s.member("globex", tenant.Viewer)
	key := s.app(member, "chat")
	s.call("DELETE", appPath, key, nil).problem(t, 403, "forbidden")
	s.call("DELETE", appPath, viewer, nil).problem(t, 403, "forbidden")
	s.call("DELETE", "/v1/apps/mail", member, nil).problem(t, 404, "not_found")
	s.clock.Advance(11 * time.Minute)
	s.call("DELETE", appPath, member, nil).problem(t, 403, "step_up_required")
	s.clock.Advance(-11 * time.Minute)
	if got := s.call("DELETE", appPath, member, nil); got.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", got.StatusCode, got.text)
	}
	s.call("GET", "/v1/me", key, nil).problem(t, 401, "unauthenticated")
	s.call("GET", appPath, member, nil).problem(t, 404, "not_found")
	s.call("GET", aclPath, member, nil).problem(t, 404, "not_found")
	s.call("POST", "/v1/apps", member, `{"id":"chat","name":"Chat"}`).problem(t, 409, "conflict")
	s.call("DELETE", appPath, member, nil).problem(t, 404, "not_found")
}
