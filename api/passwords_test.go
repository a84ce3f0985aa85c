package api_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
)

const resetPath = "/v1/operator/people/password-reset"

func TestPasswordChange(t *testing.T) {
	s := newServer(t)
	token := s.signUp("acme", "ana@example.com", anaPassword)
	other := text(s.logIn(anaPassword).want(t, http.StatusOK), "token")
	change := func(current, fresh string) answer {
		t.Helper()
		return s.call("POST", "/v1/me/password", token, map[string]any{"current_password": current, "new_password": fresh})
	}
	for _, c := range []struct{ current, fresh, field string }{
		{"wrong", boPassword, "/current_password"},
		{anaPassword, "password1234", "/new_password"},
		{anaPassword, anaPassword, "/new_password"},
		{anaPassword, "ana@example.com", "/new_password"},
	} {
		if fields := change(c.current, c.fresh).problem(t, 422, "invalid"); !slices.Equal(fields, []string{c.field}) {
			t.Errorf("%+v: fields %q", c, fields)
		}
	}
	s.call("GET", "/v1/me", other, nil).want(t, http.StatusOK)
	change(anaPassword, boPassword).empty(t)
	s.call("GET", "/v1/me", token, nil).want(t, http.StatusOK)
	s.call("GET", "/v1/me", other, nil).problem(t, 401, "unauthenticated")
	s.logIn(anaPassword).problem(t, 401, "unauthenticated")
	s.logIn(boPassword).want(t, http.StatusOK)
}

// reset makes a link that sets a password, as the operator.
func (s *server) reset(email string) string {
	s.t.Helper()
	made := s.call("POST", resetPath, s.operator(), map[string]any{"email": email}).want(s.t, http.StatusCreated)
	if secret := text(made, "token"); text(made, "link") != "http://push.example.com/password-resets#"+secret {
		s.t.Errorf("made %v", made)
	}
	return text(made, "token")
}

func TestPasswordReset(t *testing.T) {
	s := newServer(t)
	token := s.signUp("acme", "ana@example.com", anaPassword)
	link := s.reset("ana@example.com")
	redeem := func(link, password string) answer {
		t.Helper()
		return s.call("POST", "/v1/password-resets/redeem", "", map[string]any{"token": link, "new_password": password})
	}
	if fields := redeem(link, "ana@example.com").problem(t, 422, "invalid"); !slices.Equal(fields, []string{"/new_password"}) {
		t.Errorf("fields %q", fields)
	}
	redeem(auth.NewResetToken(), boPassword).problem(t, 404, "not_found")
	redeem(s.invite(token, "bo@example.com", "viewer"), boPassword).problem(t, 404, "not_found")
	redeem(link, boPassword).empty(t)
	redeem(link, boPassword).problem(t, 404, "not_found")
	s.call("GET", "/v1/me", token, nil).problem(t, 401, "unauthenticated")
	s.logIn(anaPassword).problem(t, 401, "unauthenticated")
	s.logIn(boPassword).want(t, http.StatusOK)
	late := s.reset("ANA@example.com")
	s.call("POST", resetPath, s.operator(), `{"email":"nobody@example.com"}`).problem(t, 404, "not_found")
	s.call("POST", resetPath, s.member("ops", tenant.Admin), `{"email":"ana@example.com"}`).problem(t, 403, "forbidden")
	s.clock.Advance(time.Hour + time.Second)
	redeem(late, anaPassword).problem(t, 404, "not_found")
}

// TestLinksAreThrottled: by address, whatever is done with them.
func TestLinksAreThrottled(t *testing.T) {
	s := newServer(t)
	link := auth.NewInvitationToken()
	use := func(i int, remote string) answer {
		switch i % 3 {
		case 0:
			return s.call("POST", "/v1/invitations/inspect", "", map[string]any{"token": link}, "Remote", remote)
		case 1:
			return s.call("POST", "/v1/invitations/accept", "", map[string]any{"token": link, "password": boPassword}, "Remote", remote)
		default:
			return s.call("POST", "/v1/password-resets/redeem", "", map[string]any{"token": link, "new_password": boPassword}, "Remote", remote)
		}
	}
	for i := range 30 {
		use(i, "10.0.0.1:1").problem(t, 404, "not_found")
	}
	for i := range 3 {
		use(i, "10.0.0.1:1").problem(t, 429, "too_many_requests")
	}
	use(0, "10.0.0.2:1").problem(t, 404, "not_found")
	s.clock.Advance(11 * time.Second)
	use(0, "10.0.0.1:1").problem(t, 404, "not_found")
}

// TestPasswordFailuresAreThrottled: failures at the password's other doors count
// with those of log-in.
func TestPasswordFailuresAreThrottled(t *testing.T) {
	s := newServer(t)
	token := s.signUp("acme", "ana@example.com", anaPassword)
	link := s.invite(s.member("globex", "owner"), "ana@example.com", "viewer")
	doors := []func(password string) answer{
		func(p string) answer { return s.logIn(p) },
		func(p string) answer { return s.call("POST", "/v1/me/confirm", token, map[string]any{"password": p}) },
		func(p string) answer { return s.accept(link, p) },
		func(p string) answer {
			return s.call("POST", "/v1/me/password", token, map[string]any{"current_password": p, "new_password": boPassword})
		},
	}
	for i := range 30 {
		if got := doors[i%len(doors)]("wrong"); got.StatusCode != http.StatusUnauthorized && got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%d: %s", got.StatusCode, got.text)
		}
	}
	for _, door := range doors {
		door("wrong").problem(t, 429, "too_many_requests")
	}
	for _, door := range doors { // never the right one
		if got := door(anaPassword); got.StatusCode >= 300 {
			t.Errorf("%d: %s", got.StatusCode, got.text)
		}
	}
}
