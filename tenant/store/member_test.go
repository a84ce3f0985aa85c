package store_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testMembers(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	want := signUp(t, s, "acme")
	signUp(t, s, "globex")
	for _, email := range []string{want.Email, " OWNER@Acme.example"} {
		got, hash, err := s.MemberByEmail(t.Context(), email)
		if err != nil || got != want || hash != "hash of acme" {
			t.Errorf("%q: got %+v, %q, %v", email, got, hash, err)
		}
	}
	got, hash, err := s.MemberByEmail(t.Context(), "nobody@acme.example")
	wantCode(t, err, fault.NotFound)
	if got != (tenant.Member{}) || hash != "" {
		t.Errorf("got %+v, %q beside the error", got, hash)
	}
}

func testSessions(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	want := signUp(t, s, "acme")
	hash := sha256.Sum256([]byte("token"))
	_, err := s.SessionByHash(t.Context(), hash, now)
	wantCode(t, err, fault.NotFound)

	session := tenant.Session{
		ID: "ses_1", Hash: hash, MemberID: want.ID, CreatedAt: now, ConfirmedAt: now, Address: "10.0.0.1", UserAgent: "test", ExpiresAt: now.Add(time.Hour),
	}
	must(t, s.CreateSession(t.Context(), session))
	for _, c := range []struct {
		after time.Duration
		code  fault.Code
	}{
		{0, ""},
		{time.Hour - time.Microsecond, ""},
		{time.Hour, fault.NotFound},
		{time.Hour + time.Microsecond, fault.NotFound},
	} {
		got, err := s.SessionByHash(t.Context(), hash, now.Add(c.after))
		wantCode(t, err, c.code)
		if err == nil && (got.Member != want || got.Session != session || got.Suspended) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	session.MemberID = "mem_nobody"
	session.Hash[0]++
	wantCode(t, s.CreateSession(t.Context(), session), fault.NotFound)
}

func testSessionHousekeeping(t *testing.T, cfg store.Config) {
	clock := now
	cfg.Now = func() time.Time { return clock }
	s := open(t, cfg)
	member, other := signUp(t, s, "acme"), signUp(t, s, "globex")
	add := func(token string, m tenant.Member) {
		t.Helper()
		must(t, s.CreateSession(t.Context(), tenant.Session{
			Hash: sha256.Sum256([]byte(token)), MemberID: m.ID, ExpiresAt: clock.Add(time.Hour),
		}))
	}
	kept := func(token string) bool {
		_, err := s.SessionByHash(t.Context(), sha256.Sum256([]byte(token)), now) // as if it had not expired
		return err == nil
	}
	add("first", member)
	add("other", other)
	clock = now.Add(30 * time.Minute)
	add("second", member)
	if !kept("first") || !kept("second") {
		t.Error("a session that has not expired is gone")
	}
	clock = now.Add(time.Hour)
	add("third", member)
	if kept("first") || !kept("second") || !kept("other") {
		t.Error("housekeeping takes away exactly the member's expired sessions")
	}
}
