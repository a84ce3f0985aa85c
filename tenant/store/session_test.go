package store_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

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

// signIn adds a session of a member that lasts an hour from now.
func signIn(t *testing.T, s *store.Store, m tenant.Member, token string) tenant.Session {
	t.Helper()
	session := newSession(m, token)
	must(t, s.CreateSession(t.Context(), session))
	return session
}

func newSession(m tenant.Member, token string) tenant.Session {
	return tenant.Session{
		ID: tenant.NewID("ses"), Hash: sha256.Sum256([]byte(token)), MemberID: m.ID, CreatedAt: now, ConfirmedAt: now,
		ExpiresAt: now.Add(time.Hour),
	}
}

// lives says whether a session is there.
func lives(t *testing.T, s *store.Store, session tenant.Session) bool {
	t.Helper()
	_, err := s.SessionByHash(t.Context(), session.Hash, now)
	if err != nil {
		wantCode(t, err, fault.NotFound)
	}
	return err == nil
}

func testPersonSessions(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	there := addOrganization(t, s, ana, "labs")
	first, second := signIn(t, s, ana, "first"), signIn(t, s, there, "second")
	signIn(t, s, eve, "other")
	expired := newSession(ana, "expired")
	expired.ExpiresAt = now
	must(t, s.CreateSession(t.Context(), expired))

	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page, err := s.Sessions(t.Context(), ana.Person, now, after, 1)
		must(t, err)
		if len(page) == 0 {
			break
		}
		if page[0].Member != ana && page[0].Member != there {
			t.Errorf("got %+v", page[0].Member)
		}
		got = append(got, page[0].Session.ID)
	}
	if len(got) != 2 || got[0] != first.ID || got[1] != second.ID {
		t.Errorf("got %q", got)
	}
	wantCode(t, s.EndSession(t.Context(), eve.Person, first.ID), fault.NotFound)
	must(t, s.EndSession(t.Context(), ana.Person, second.ID))
	wantCode(t, s.EndSession(t.Context(), ana.Person, second.ID), fault.NotFound)
	if !lives(t, s, first) || lives(t, s, second) {
		t.Error("another session than meant has ended")
	}

	later := now.Add(time.Minute)
	must(t, s.ConfirmSession(t.Context(), first.Hash, later))
	in, err := s.SessionByHash(t.Context(), first.Hash, now)
	if err != nil || !in.Session.ConfirmedAt.Equal(later) {
		t.Errorf("confirmed at %v, %v", in.Session.ConfirmedAt, err)
	}
	wantCode(t, s.ConfirmSession(t.Context(), second.Hash, later), fault.NotFound)
}

func testSwitch(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	there := addOrganization(t, s, ana, "labs")
	from := newSession(ana, "from")
	from.ConfirmedAt, from.ExpiresAt = now.Add(-5*time.Minute), now.Add(5*time.Minute)
	must(t, s.CreateSession(t.Context(), from))

	to, err := s.Switch(t.Context(), from.Hash, newSession(there, "to"))
	must(t, err)
	in, err := s.SessionByHash(t.Context(), to.Hash, now)
	must(t, err)
	if in.Member != there || in.Session != to || !to.ConfirmedAt.Equal(from.ConfirmedAt) || !to.ExpiresAt.Equal(from.ExpiresAt) {
		t.Errorf("got %+v of %+v, want the times of %+v", in.Session, in.Member, from)
	}
	if !lives(t, s, from) {
		t.Error("the session has ended")
	}
	_, err = s.Switch(t.Context(), from.Hash, newSession(eve, "hers"))
	wantCode(t, err, fault.NotFound)
	late := newSession(there, "late")
	late.CreatedAt = from.ExpiresAt
	_, err = s.Switch(t.Context(), from.Hash, late)
	wantCode(t, err, fault.NotFound)
}
