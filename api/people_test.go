package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

const (
	anaPassword = "correct horse battery"
	boPassword  = "staple battery horse"
)

// signUp signs up an organization over HTTP and returns the owner's token.
func (s *server) signUp(org, email, password string) string {
	s.t.Helper()
	return text(s.call("POST", "/v1/signup", "", map[string]any{
		"organization": org, "email": email, "password": password,
	}).want(s.t, http.StatusCreated), "token")
}

// text is a field of an answer that is text.
func text(body map[string]any, field string) string {
	s, _ := body[field].(string)
	return s
}

// logIn signs ana in.
func (s *server) logIn(password string) answer {
	s.t.Helper()
	return s.call("POST", "/v1/login", "", map[string]any{"email": "ana@example.com", "password": password})
}

// invite invites somebody and returns the secret of the link.
func (s *server) invite(token, email, role string) string {
	s.t.Helper()
	return text(s.call("POST", "/v1/invitations", token, map[string]any{"email": email, "role": role}).want(s.t, http.StatusCreated), "token")
}

func (s *server) accept(link, password string) answer {
	s.t.Helper()
	return s.call("POST", "/v1/invitations/accept", "", map[string]any{"token": link, "password": password})
}

// joins makes somebody new a member, with boPassword, and returns their id and token.
func (s *server) joins(owner, email, role string) (id, token string) {
	s.t.Helper()
	joined := s.accept(s.invite(owner, email, role), boPassword).want(s.t, http.StatusCreated)
	member, _ := joined["member"].(map[string]any)
	return text(member, "id"), text(joined, "token")
}

// me is the caller's own member id.
func (s *server) me(token string) string {
	s.t.Helper()
	member, _ := s.call("GET", "/v1/me", token, nil).want(s.t, http.StatusOK)["member"].(map[string]any)
	return text(member, "id")
}

// items are those of a list's first page.
func (s *server) items(path, token string) []map[string]any {
	s.t.Helper()
	list, _ := s.call("GET", path, token, nil).want(s.t, http.StatusOK)["items"].([]any)
	items := make([]map[string]any, len(list))
	for i, item := range list {
		items[i], _ = item.(map[string]any)
	}
	return items
}

// TestPeople goes the way of somebody who is invited, founds an organization of
// their own and goes to and fro.
func TestPeople(t *testing.T) {
	s := newServer(t)
	ana := s.signUp("acme", "ana@example.com", anaPassword)
	created := s.call("POST", "/v1/invitations", ana, `{"email":"Bo@Example.com","role":"admin"}`).want(t, http.StatusCreated)
	link, err := url.Parse(text(created, "link"))
	if err != nil || link.Fragment != created["token"] || link.Path != "/invitations" || link.Host != "push.example.com" || link.RawQuery != "" {
		t.Errorf("link %v, %v", link, err)
	}
	if open := s.items("/v1/invitations", ana); len(open) != 1 || open[0]["email"] != "bo@example.com" || open[0]["token"] != nil || open[0]["link"] != nil || open[0]["invited_by"] != "ana@example.com" {
		t.Errorf("invitations %v", open)
	}
	offer := s.call("POST", "/v1/invitations/inspect", "", map[string]any{"token": link.Fragment}).want(t, http.StatusOK)
	if offer["organization"] != "acme" || offer["email"] != "bo@example.com" || offer["role"] != "admin" || offer["registered"] != false {
		t.Errorf("offer %v", offer)
	}
	if fields := s.accept(link.Fragment, "password1234").problem(t, 422, "invalid"); !slices.Equal(fields, []string{"/password"}) {
		t.Errorf("fields %q", fields)
	}
	joined := s.accept(link.Fragment, boPassword).want(t, http.StatusCreated)
	bo := text(joined, "token")
	if member, _ := joined["member"].(map[string]any); joined["organization"] != "acme" || member["role"] != "admin" || member["email"] != "bo@example.com" {
		t.Errorf("joined %v", joined)
	}
	s.accept(link.Fragment, boPassword).problem(t, 404, "not_found")
	s.call("POST", "/v1/invitations/inspect", "", map[string]any{"token": link.Fragment}).problem(t, 404, "not_found")
	if members := s.items("/v1/members", bo); len(members) != 2 || members[0]["email"] != "ana@example.com" || members[1]["role"] != "admin" {
		t.Errorf("members %v", members)
	}
	goToAndFro(t, s, bo, text(joined, "expires_at"))
}

// goToAndFro: the person founds labs and goes there; the password counts from when
// it was given, in both organizations, until it is given again in one.
func goToAndFro(t *testing.T, s *server, bo, expires string) {
	t.Helper()
	founded := s.call("POST", "/v1/me/organizations", bo, `{"organization":"labs"}`).want(t, http.StatusCreated)
	if founded["organization"] != "labs" || founded["role"] != "owner" {
		t.Errorf("founded %v", founded)
	}
	s.call("POST", "/v1/apps", bo, `{"id":"chat","name":"Chat"}`).want(t, http.StatusCreated)
	s.clock.Advance(11 * time.Minute)
	switched := s.call("POST", "/v1/me/switch", bo, `{"organization":"labs"}`).want(t, http.StatusOK)
	there := text(switched, "token")
	if switched["expires_at"] != expires {
		t.Errorf("the session lives until %v, not %v", switched["expires_at"], expires)
	}
	me := s.call("GET", "/v1/me", there, nil).want(t, http.StatusOK)
	organizations, _ := me["organizations"].([]any)
	if me["organization"] != "labs" || len(organizations) != 2 || organizations[0].(map[string]any)["organization"] != "acme" {
		t.Errorf("me %v", me)
	}
	if apps := s.items("/v1/apps", there); len(apps) != 0 {
		t.Errorf("the other organization's apps are here: %v", apps)
	}

	// The password was given eleven minutes ago, for both sessions.
	for _, token := range []string{bo, there} {
		s.call("POST", "/v1/invitations", token, `{"email":"cy@example.com","role":"viewer"}`).problem(t, 403, "step_up_required")
	}
	s.call("POST", "/v1/apps", there, `{"id":"mail","name":"Mail"}`).want(t, http.StatusCreated)
	const keysPath, newKey = "/v1/apps/mail/api-keys", `{"scopes":["push"]}`
	s.call("POST", keysPath, there, newKey).problem(t, 403, "step_up_required")
	if fields := s.call("POST", "/v1/me/confirm", there, `{"password":"wrong"}`).problem(t, 422, "invalid"); !slices.Equal(fields, []string{"/password"}) {
		t.Errorf("fields %q", fields)
	}
	s.call("POST", "/v1/invitations", there, `{"email":"cy@example.com","role":"viewer"}`).problem(t, 403, "step_up_required")
	confirmed := s.call("POST", "/v1/me/confirm", there, map[string]any{"password": boPassword}).want(t, http.StatusOK)
	until, err := time.Parse(time.RFC3339, text(confirmed, "confirmed_until"))
	if left := until.Sub(s.clock.Now()); err != nil || left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("confirmed for %v, %v", left, err)
	}
	s.invite(there, "cy@example.com", "viewer")
	s.call("POST", keysPath, there, newKey).want(t, http.StatusCreated)
	s.call("POST", "/v1/invitations", bo, `{"email":"cy@example.com","role":"viewer"}`).problem(t, 403, "step_up_required")
}

func TestLogInToOneOfSeveral(t *testing.T) {
	s := newServer(t)
	ana := s.signUp("acme", "ana@example.com", anaPassword)
	s.signUp("globex", "eve@example.com", boPassword)
	s.clock.Advance(time.Second)
	s.call("POST", "/v1/me/organizations", ana, `{"organization":"labs"}`).want(t, http.StatusCreated)
	for body, want := range map[string]string{
		`{"email":"ana@example.com","password":"correct horse battery"}`:                       "acme",
		`{"email":"ana@example.com","password":"correct horse battery","organization":"acme"}`: "acme",
		`{"email":"ana@example.com","password":"correct horse battery","organization":"labs"}`: "labs",
	} {
		token := text(s.call("POST", "/v1/login", "", body).want(t, http.StatusOK), "token")
		if me := s.call("GET", "/v1/me", token, nil).want(t, http.StatusOK); me["organization"] != want {
			t.Errorf("%s: signed in to %v", body, me["organization"])
		}
	}
	for _, org := range []string{"globex", "nobody"} { // what is there and what is not, alike
		s.call("POST", "/v1/login", "", `{"email":"ana@example.com","password":"correct horse battery","organization":"`+org+`"}`).problem(t, 403, "forbidden")
		s.call("POST", "/v1/login", "", `{"email":"ana@example.com","password":"wrong","organization":"`+org+`"}`).problem(t, 401, "unauthenticated")
		s.call("POST", "/v1/me/switch", ana, `{"organization":"`+org+`"}`).problem(t, 404, "not_found")
	}
	s.call("POST", "/v1/me/organizations", ana, `{"organization":"globex"}`).problem(t, 409, "conflict")
	s.call("POST", "/v1/me/organizations", ana, `{"organization":"ops"}`).problem(t, 409, "conflict")
	s.call("POST", "/v1/me/organizations", ana, `{"organization":"Lab!"}`).problem(t, 422, "invalid")
	closed := newServer(t, func(c *api.Config, _ *api.Deps) { c.SignupClosed = true })
	closed.call("POST", "/v1/me/organizations", closed.member("acme", "owner"), `{"organization":"labs"}`).problem(t, 403, "signup_closed")
	s.call("POST", "/v1/me/organizations", s.app(ana, "chat"), `{"organization":"x"}`).problem(t, 403, "forbidden")
}

// TestRoles: only owners concern owners; admins concern the others; everybody may go.
func TestRoles(t *testing.T) {
	s := newServer(t)
	owner := s.signUp("acme", "ana@example.com", anaPassword)
	admin, adminToken := s.joins(owner, "bo@example.com", "admin")
	viewer, viewerToken := s.joins(owner, "cy@example.com", "viewer")
	stranger := s.member("globex", "owner")
	ana := s.me(owner)
	set := func(token, id, role string) answer {
		t.Helper()
		return s.call("PATCH", "/v1/members/"+id, token, `{"role":"`+role+`"}`)
	}
	remove := func(token, id string) answer {
		t.Helper()
		return s.call("DELETE", "/v1/members/"+id, token, nil)
	}
	set(adminToken, ana, "viewer").problem(t, 403, "forbidden")
	set(adminToken, viewer, "owner").problem(t, 403, "forbidden")
	set(adminToken, admin, "owner").problem(t, 403, "forbidden")
	set(viewerToken, viewer, "admin").problem(t, 403, "forbidden")
	set(viewerToken, admin, "viewer").problem(t, 403, "forbidden")
	set(stranger, admin, "viewer").problem(t, 404, "not_found")
	remove(adminToken, ana).problem(t, 403, "forbidden")
	remove(viewerToken, admin).problem(t, 403, "forbidden")
	remove(stranger, admin).problem(t, 404, "not_found")
	s.call("GET", "/v1/members/"+admin, stranger, nil).problem(t, 404, "not_found")
	s.call("POST", "/v1/invitations", adminToken, `{"email":"di@example.com","role":"owner"}`).problem(t, 403, "forbidden")
	s.call("POST", "/v1/invitations", viewerToken, `{"email":"di@example.com","role":"viewer"}`).problem(t, 403, "forbidden")
	s.call("GET", "/v1/invitations", viewerToken, nil).problem(t, 403, "forbidden")
	s.call("GET", "/v1/members/"+admin, viewerToken, nil).want(t, http.StatusOK)

	// A role holds from the next request on.
	set(adminToken, viewer, "admin").want(t, http.StatusOK)
	s.call("GET", "/v1/invitations", viewerToken, nil).want(t, http.StatusOK)
	set(owner, viewer, "viewer").want(t, http.StatusOK)
	s.call("GET", "/v1/invitations", viewerToken, nil).problem(t, 403, "forbidden")

	// The last owner stays; whoever else is one, may go.
	set(owner, ana, "admin").problem(t, 409, "conflict")
	remove(owner, ana).problem(t, 409, "conflict")
	if changed := set(owner, admin, "owner").want(t, http.StatusOK); changed["role"] != "owner" || changed["id"] != admin {
		t.Errorf("changed %v", changed)
	}
	set(owner, ana, "viewer").want(t, http.StatusOK)
	set(owner, admin, "viewer").problem(t, 403, "forbidden")

	// Whoever leaves or is removed is out at once.
	remove(viewerToken, viewer).empty(t)
	s.call("GET", "/v1/me", viewerToken, nil).problem(t, 401, "unauthenticated")
	remove(adminToken, ana).empty(t)
	s.call("GET", "/v1/me", owner, nil).problem(t, 401, "unauthenticated")
	s.logIn(anaPassword).problem(t, 401, "unauthenticated")
	if members := s.items("/v1/members", adminToken); len(members) != 1 {
		t.Errorf("members %v", members)
	}
	s.signUp("labs", "ana@example.com", anaPassword) // her address is free again
}

// empty checks for 204.
func (a answer) empty(t testing.TB) {
	t.Helper()
	if a.StatusCode != http.StatusNoContent || len(a.text) != 0 {
		t.Errorf("status %d: %s", a.StatusCode, a.text)
	}
}

func TestInvitationsOfPeopleWhoAreKnown(t *testing.T) {
	s := newServer(t)
	ana := s.signUp("acme", "ana@example.com", anaPassword)
	eve := s.signUp("globex", "eve@example.com", boPassword)
	link := s.invite(ana, "eve@example.com", "viewer")
	offer := s.call("POST", "/v1/invitations/inspect", "", map[string]any{"token": link}).want(t, http.StatusOK)
	if offer["registered"] != true {
		t.Errorf("offer %v", offer)
	}
	s.accept(link, "another long password").problem(t, 401, "unauthenticated")
	joined := s.accept(link, boPassword).want(t, http.StatusCreated)
	me := s.call("GET", "/v1/me", text(joined, "token"), nil).want(t, http.StatusOK)
	if organizations, _ := me["organizations"].([]any); me["organization"] != "acme" || len(organizations) != 2 {
		t.Errorf("me %v", me)
	}
	s.call("POST", "/v1/me/switch", eve, `{"organization":"acme"}`).want(t, http.StatusOK)
	s.call("POST", "/v1/invitations", ana, `{"email":"eve@example.com","role":"viewer"}`).problem(t, 409, "conflict")

	// What is withdrawn, replaced or too old is as good as wrong.
	first := s.invite(ana, "bo@example.com", "viewer")
	second := s.invite(ana, "bo@example.com", "viewer")
	open := s.items("/v1/invitations", ana)
	if len(open) != 1 {
		t.Fatalf("invitations %v", open)
	}
	path := "/v1/invitations/" + text(open[0], "id")
	s.call("DELETE", path, eve, nil).problem(t, 404, "not_found")
	s.call("DELETE", path, ana, nil).empty(t)
	s.call("DELETE", path, ana, nil).problem(t, 404, "not_found")
	third := s.invite(ana, "bo@example.com", "viewer")
	s.clock.Advance(7*24*time.Hour + time.Second)
	wrong := s.accept(auth.NewInvitationToken(), boPassword)
	for _, link := range []string{first, second, third, "x", strings.Repeat("x", 200)} {
		if got := s.accept(link, boPassword); detail(t, got) != detail(t, wrong) || got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s, not as %s", link, got.text, wrong.text)
		}
	}
}

func TestMySessions(t *testing.T) {
	s := newServer(t)
	first := s.signUp("acme", "ana@example.com", anaPassword)
	stranger := s.signUp("globex", "eve@example.com", boPassword)
	s.call("POST", "/v1/me/organizations", first, `{"organization":"labs"}`).want(t, http.StatusCreated)
	second := text(s.call("POST", "/v1/login", "", `{"email":"ana@example.com","password":"correct horse battery","organization":"labs"}`,
		"Remote", "203.0.113.7:1", "User-Agent", "a\xffgent/1.0").want(t, http.StatusOK), "token")
	sessions := s.items("/v1/me/sessions", first)
	if len(sessions) != 2 || sessions[0]["current"] != true || sessions[1]["current"] != false ||
		sessions[1]["organization"] != "labs" || sessions[1]["address"] != "203.0.113.7" || sessions[1]["user_agent"] != "a\uFFFDgent/1.0" {
		t.Fatalf("sessions %v", sessions)
	}
	page := s.call("GET", "/v1/me/sessions?limit=1", first, nil).want(t, http.StatusOK)
	rest := s.items("/v1/me/sessions?limit=1&cursor="+text(page, "next_cursor"), first)
	if len(rest) != 1 || rest[0]["id"] != sessions[1]["id"] {
		t.Errorf("page %v, then %v", page, rest)
	}
	path := "/v1/me/sessions/" + text(sessions[1], "id")
	s.call("DELETE", path, stranger, nil).problem(t, 404, "not_found")
	s.call("DELETE", path, first, nil).empty(t)
	s.call("GET", "/v1/me", second, nil).problem(t, 401, "unauthenticated")
	s.call("DELETE", path, first, nil).problem(t, 404, "not_found")
	s.clock.Advance(11 * time.Minute)
	s.call("DELETE", path, first, nil).problem(t, 403, "step_up_required")
	s.call("POST", "/v1/logout", first, nil).empty(t)
	s.call("GET", "/v1/me", first, nil).problem(t, 401, "unauthenticated")
}

// TestWhoManagesNobody: viewers, and whatever has an API key.
func TestWhoManagesNobody(t *testing.T) {
	s := newServer(t)
	viewer := s.member("globex", "viewer")
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", "/v1/members/mem_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", `{"role":"viewer"}`},
		{"POST", "/v1/invitations", `{"email":"x@example.com","role":"viewer"}`},
		{"DELETE", "/v1/invitations/inv_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", ``},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		s.call(c.method, c.path, viewer, body).problem(t, 403, "forbidden")
	}
	key := s.key("globex", "chat", tenant.ScopeManage, tenant.ScopeRead)
	for _, path := range []string{"/v1/members", "/v1/invitations", "/v1/me/sessions"} {
		s.call("GET", path, key, nil).problem(t, 403, "forbidden")
	}
}

// TestPeopleAreAudited: each change leaves who did what to whom, and no secret.
func TestPeopleAreAudited(t *testing.T) {
	s := newServer(t)
	ana := s.signUp("acme", "ana@example.com", anaPassword)
	first := s.invite(ana, "bo@example.com", "viewer")
	withdrawn := text(s.items("/v1/invitations", ana)[0], "id")
	s.call("DELETE", "/v1/invitations/"+withdrawn, ana, nil).empty(t)
	id, bo := s.joins(ana, "bo@example.com", "viewer")
	s.call("PATCH", "/v1/members/"+id, ana, `{"role":"admin"}`).want(t, http.StatusOK)
	s.call("PATCH", "/v1/members/"+s.me(ana), bo, `{"role":"viewer"}`).problem(t, 403, "forbidden")
	s.call("POST", "/v1/me/password", bo, map[string]any{"current_password": boPassword, "new_password": anaPassword}).empty(t)
	s.call("POST", "/v1/logout", bo, nil).empty(t)
	link := s.reset("bo@example.com")
	s.call("POST", "/v1/password-resets/redeem", "", map[string]any{"token": link, "new_password": boPassword}).empty(t)
	s.call("DELETE", "/v1/members/"+id, ana, nil).empty(t)

	lines, entries := s.entries("/v1/audit?limit=50", ana)
	var got []string
	for i, line := range lines {
		action, _, _ := strings.Cut(line, " ")
		actor, _ := entries[i]["actor"].(map[string]any)
		got = append(got, action+" by "+text(actor, "name"))
	}
	want := []string{
		"organization.create by ana@example.com", "member.invite by ana@example.com", "member.uninvite by ana@example.com",
		"member.invite by ana@example.com", "member.join by bo@example.com", "member.role by ana@example.com",
		"person.password by bo@example.com", "session.end by bo@example.com", "member.remove by ana@example.com",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	role := entries[5]
	before, _ := role["before"].(map[string]any)
	after, _ := role["after"].(map[string]any)
	if before["role"] != "viewer" || after["role"] != "admin" || role["target"] != id {
		t.Errorf("got %v", role)
	}
	ours, operated := s.entries("/v1/operator/audit?action=person", s.operator())
	if len(ours) < 2 || !strings.HasPrefix(ours[len(ours)-2], "person.password_reset per_") || !strings.HasPrefix(ours[len(ours)-1], "person.password per_") {
		t.Errorf("got %q", ours)
	}
	for _, secret := range []string{first, link, anaPassword, boPassword, "ffi_", "ffr_", "ffs_", "argon2"} {
		if strings.Contains(fmt.Sprint(entries, operated), secret) || strings.Contains(s.log.String(), secret) {
			t.Errorf("the audit log, or the log, holds %q", secret)
		}
	}
}

// TestFoundersComeIn: the owner of an organization that the operator has
// made comes in by the link.
func TestFoundersComeIn(t *testing.T) {
	s := newServer(t)
	made := s.call("POST", "/v1/operator/organizations", s.operator(), `{"organization":"acme","email":"ana@example.com"}`).want(t, http.StatusCreated)
	owner, _ := made["owner"].(map[string]any)
	joined := s.accept(text(owner, "token"), anaPassword).want(t, http.StatusCreated)
	if member, _ := joined["member"].(map[string]any); member["role"] != "owner" || joined["organization"] != "acme" {
		t.Errorf("joined %v", joined)
	}
	s.invite(text(joined, "token"), "bo@example.com", "owner")
}

// TestSuspendedOrganizations: whoever belongs to another signs in to that.
func TestSuspendedOrganizations(t *testing.T) {
	s := newServer(t)
	ana := s.signUp("acme", "ana@example.com", anaPassword)
	s.call("POST", "/v1/me/organizations", ana, `{"organization":"labs"}`).want(t, http.StatusCreated)
	s.suspend("acme")
	token := text(s.logIn(anaPassword).want(t, http.StatusOK), "token")
	if me := s.call("GET", "/v1/me", token, nil).want(t, http.StatusOK); me["organization"] != "labs" {
		t.Errorf("me %v", me)
	}
	switched := text(s.call("POST", "/v1/me/switch", token, `{"organization":"acme"}`).want(t, http.StatusOK), "token")
	s.call("GET", "/v1/me", switched, nil).problem(t, 403, "organization_suspended")
}

func (s *server) suspend(org string) {
	s.t.Helper()
	_, err := s.store.UpdateOrganization(s.t.Context(), org, store.AnyVersion, func(o *tenant.Organization) error {
		o.SuspendedAt = s.clock.Now()
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestMemberLimit: it holds for who invites and for who comes.
func TestMemberLimit(t *testing.T) {
	s := newServer(t)
	ana := s.signUp("acme", "ana@example.com", anaPassword)
	link := s.invite(ana, "bo@example.com", "viewer")
	_, err := s.store.UpdateOrganization(t.Context(), "acme", store.AnyVersion, func(o *tenant.Organization) error {
		o.Limits.Members = 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []answer{
		s.accept(link, boPassword),
		s.call("POST", "/v1/invitations", ana, `{"email":"cy@example.com","role":"viewer"}`),
	} {
		got.problem(t, 429, "quota_exceeded")
		if got.Header.Get("Retry-After") != "" {
			t.Errorf("time does not help, and the answer says %s", got.Header.Get("Retry-After"))
		}
	}
}
