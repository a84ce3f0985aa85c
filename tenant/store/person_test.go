package store_test

import (
	"crypto/sha256"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// addOrganization makes a person the owner of another organization.
func addOrganization(t *testing.T, s *store.Store, who tenant.Member, slug string) tenant.Member {
	t.Helper()
	m := who
	m.ID, m.Organization, m.Role = tenant.NewID("mem"), slug, tenant.Owner
	must(t, s.AddOrganization(t.Context(), tenant.Organization{Slug: slug, CreatedAt: now}, m))
	return m
}

func testPerson(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	m := signUp(t, s, "acme")
	signUp(t, s, "globex")
	want := tenant.Person{ID: m.Person, Email: m.Email, CreatedAt: now}
	for _, email := range []string{m.Email, " OWNER@Acme.example"} {
		got, hash, err := s.PersonByEmail(t.Context(), email)
		if err != nil || got != want || hash != "hash of acme" {
			t.Errorf("%q: got %+v, %q, %v", email, got, hash, err)
		}
	}
	got, hash, err := s.PersonByEmail(t.Context(), "nobody@acme.example")
	wantCode(t, err, fault.NotFound)
	if got != (tenant.Person{}) || hash != "" {
		t.Errorf("got %+v, %q beside the error", got, hash)
	}
}

func testMemberships(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana := signUp(t, s, "acme")
	signUp(t, s, "globex")
	later := ana
	later.CreatedAt = now.Add(time.Hour)
	there := addOrganization(t, s, later, "labs")
	got, err := s.Memberships(t.Context(), ana.Person)
	if err != nil || len(got) != 2 || got[0] != ana || got[1] != there {
		t.Errorf("got %+v, %v", got, err)
	}
	if none, err := s.Memberships(t.Context(), "per_nobody"); err != nil || len(none) != 0 {
		t.Errorf("got %+v, %v", none, err)
	}
	database := raw(t, cfg)
	for _, q := range []string{
		`UPDATE organizations SET suspended_at = created_at WHERE slug = 'acme'`,
		`UPDATE organizations SET deleted_at = created_at WHERE slug = 'labs'`,
	} {
		_, err := database.ExecContext(t.Context(), q)
		must(t, err)
		got, err = s.Memberships(t.Context(), ana.Person)
		must(t, err)
		if q[len(q)-6:] == "'acme'" && (len(got) != 2 || got[0] != there) {
			t.Errorf("what is suspended stands first: %+v", got)
		}
	}
	if len(got) != 1 || got[0] != ana {
		t.Errorf("what is being deleted is there: %+v", got)
	}

	taken := tenant.Member{ID: tenant.NewID("mem"), Person: ana.Person, Role: tenant.Owner, CreatedAt: now}
	wantCode(t, s.AddOrganization(t.Context(), tenant.Organization{Slug: "globex", CreatedAt: now}, taken), fault.Conflict)
	taken.Person = "per_nobody"
	wantCode(t, s.AddOrganization(t.Context(), tenant.Organization{Slug: "new", CreatedAt: now}, taken), fault.NotFound)
	for i := range tenant.MaxMemberships - 2 {
		addOrganization(t, s, ana, "more"+strconv.Itoa(i))
	}
	taken.Person = ana.Person
	wantCode(t, s.AddOrganization(t.Context(), tenant.Organization{Slug: "toomany", CreatedAt: now}, taken), fault.QuotaExceeded)
	_, err = s.Organization(t.Context(), "toomany")
	wantCode(t, err, fault.NotFound)
}

func testPasswordChange(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	there := addOrganization(t, s, ana, "labs")
	kept, other, elsewhere := signIn(t, s, ana, "kept"), signIn(t, s, ana, "other"), signIn(t, s, there, "elsewhere")
	hers := signIn(t, s, eve, "hers")
	link := addReset(t, s, ana.Email, "link")

	wantCode(t, s.ChangePassword(t.Context(), ana.Person, "another hash", "new", kept.Hash), fault.Conflict)
	if !lives(t, s, other) {
		t.Error("a change that fails ends sessions")
	}
	must(t, s.ChangePassword(t.Context(), ana.Person, "hash of acme", "new", kept.Hash))
	if _, hash, err := s.PersonByEmail(t.Context(), ana.Email); err != nil || hash != "new" {
		t.Errorf("got %q, %v", hash, err)
	}
	if !lives(t, s, kept) || lives(t, s, other) || lives(t, s, elsewhere) || !lives(t, s, hers) {
		t.Error("all other sessions of the person end, and no more")
	}
	_, err := s.PasswordReset(t.Context(), link.Hash, now)
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.SignIn(t.Context(), ana.Person, "hash of acme", newSession(ana, "late")), fault.Conflict)
	must(t, s.SignIn(t.Context(), ana.Person, "new", newSession(ana, "new")))
	wantCode(t, s.SignIn(t.Context(), "per_nobody", "new", newSession(ana, "nobody")), fault.Conflict)
}

// What signs in, or goes over from a session, while the password changes, is
// refused or ends with the rest.
func testPasswordRace(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	ana := signUp(t, s, "acme")
	there := addOrganization(t, s, ana, "labs")
	from := signIn(t, s, ana, "from")
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() {
			if err := s.SignIn(t.Context(), ana.Person, "hash of acme", newSession(ana, strconv.Itoa(i))); err != nil {
				wantCode(t, err, fault.Conflict)
			}
		})
		wait.Go(func() {
			if _, err := s.Switch(t.Context(), from.Hash, newSession(there, "to "+strconv.Itoa(i))); err != nil {
				wantCode(t, err, fault.NotFound)
			}
		})
	}
	wait.Go(func() {
		if err := s.ChangePassword(t.Context(), ana.Person, "hash of acme", "new", [32]byte{}); err != nil {
			t.Error(err)
		}
	})
	wait.Wait()
	if left, err := s.Sessions(t.Context(), ana.Person, now, "", 100); err != nil || len(left) != 0 {
		t.Errorf("%d sessions live on, %v", len(left), err)
	}
}

// addReset adds a link that lasts an hour from now.
func addReset(t *testing.T, s *store.Store, email, secret string) tenant.PasswordReset {
	t.Helper()
	reset := tenant.PasswordReset{Hash: sha256.Sum256([]byte(secret)), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	must(t, s.CreatePasswordReset(t.Context(), email, reset))
	return reset
}

func testPasswordReset(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	session := signIn(t, s, ana, "session")
	first := addReset(t, s, ana.Email, "first")
	hers := addReset(t, s, eve.Email, "hers")
	reset := addReset(t, s, " OWNER@acme.example", "second")
	wantCode(t, s.CreatePasswordReset(t.Context(), "nobody@acme.example", reset), fault.NotFound)

	_, err := s.PasswordReset(t.Context(), first.Hash, now)
	wantCode(t, err, fault.NotFound) // the second has taken its place
	wantCode(t, s.RedeemPasswordReset(t.Context(), ana.Person, first.Hash, now, "new"), fault.NotFound)
	if p, err := s.PasswordReset(t.Context(), reset.Hash, reset.ExpiresAt.Add(-time.Microsecond)); err != nil || p.ID != ana.Person || p.Email != ana.Email {
		t.Errorf("got %+v, %v", p, err)
	}
	_, err = s.PasswordReset(t.Context(), reset.Hash, reset.ExpiresAt)
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.RedeemPasswordReset(t.Context(), ana.Person, reset.Hash, reset.ExpiresAt, "new"), fault.NotFound)
	wantCode(t, s.RedeemPasswordReset(t.Context(), eve.Person, reset.Hash, now, "new"), fault.NotFound)
	if _, hash, err := s.PersonByEmail(t.Context(), ana.Email); err != nil || hash != "hash of acme" || !lives(t, s, session) {
		t.Errorf("a link that fails does something: %q, %v", hash, err)
	}
	must(t, s.RedeemPasswordReset(t.Context(), ana.Person, reset.Hash, now, "new"))
	if _, hash, err := s.PersonByEmail(t.Context(), ana.Email); err != nil || hash != "new" || lives(t, s, session) {
		t.Errorf("got %q, %v", hash, err)
	}
	if _, err := s.PasswordReset(t.Context(), hers.Hash, now); err != nil {
		t.Errorf("somebody else's link is gone: %v", err)
	}
}

func testPasswordResetRace(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana := signUp(t, s, "acme")
	reset := addReset(t, s, ana.Email, "link")
	oneWins(t, fault.NotFound, func(i int) error {
		return s.RedeemPasswordReset(t.Context(), ana.Person, reset.Hash, now, "new"+strconv.Itoa(i))
	})
}
