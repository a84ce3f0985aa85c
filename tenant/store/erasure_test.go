package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testFoundOrganization(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	org := tenant.Organization{Slug: "acme", Shard: 7, CreatedAt: now}
	link := tenant.Invitation{
		ID: tenant.NewID("inv"), Email: " Ana@acme.example", Role: tenant.Owner, Hash: [32]byte{1}, InvitedBy: "operator",
		ExpiresAt: now.Add(time.Hour), CreatedAt: now,
	}
	must(t, s.FoundOrganization(t.Context(), org, link))
	if h := must2(s.Holdings(t.Context(), "acme"))(t); h.Members != 0 || h.Shard != 7 {
		t.Errorf("got %+v", h)
	}
	link.ID, link.Hash = tenant.NewID("inv"), [32]byte{2}
	wantCode(t, s.FoundOrganization(t.Context(), org, link), fault.Conflict)
}

func testSuspension(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	owner := signUp(t, s, "acme")
	signUp(t, s, "globex")
	_, key, _ := addApp(t, s, "acme", "chat")
	hash := [32]byte{9}
	must(t, s.CreateSession(t.Context(), tenant.Session{ID: "ses_1", Hash: hash, MemberID: owner.ID, CreatedAt: now, ConfirmedAt: now, ExpiresAt: now.Add(time.Hour)}))
	want := func(suspended bool) {
		t.Helper()
		in := must2(s.SessionByHash(t.Context(), hash, now))(t)
		if k := must2(s.APIKeyByHash(t.Context(), key.Hash))(t); k.Suspended != suspended || in.Suspended != suspended {
			t.Errorf("the key's organization is suspended: %t, the member's: %t", k.Suspended, in.Suspended)
		}
		if e := must2(s.Entry(t.Context(), "acme", "chat"))(t); e.Suspended != suspended {
			t.Errorf("the app's organization is suspended: %t", e.Suspended)
		}
	}
	want(false)
	org := must2(s.UpdateOrganization(t.Context(), "acme", 0, func(o *tenant.Organization) error {
		o.SuspendedAt, o.SuspendedFor = now, "unpaid"
		return nil
	}))(t)
	if got := must2(s.Organization(t.Context(), "acme"))(t); got != org || !got.Suspended() || got.SuspendedFor != "unpaid" || got.Version != 1 {
		t.Errorf("got %+v, want %+v", got, org)
	}
	want(true)
	_, err := s.UpdateOrganization(t.Context(), "acme", 0, func(*tenant.Organization) error { return nil })
	wantCode(t, err, fault.PreconditionFailed)
	_, err = s.UpdateOrganization(t.Context(), "nobody", 0, func(*tenant.Organization) error { return nil })
	wantCode(t, err, fault.NotFound)
	must2(s.UpdateOrganization(t.Context(), "acme", store.AnyVersion, func(o *tenant.Organization) error {
		o.SuspendedAt, o.SuspendedFor = time.Time{}, ""
		return nil
	}))(t)
	want(false)
	if got := must2(s.Organization(t.Context(), "globex"))(t); got.Version != 0 {
		t.Errorf("globex: %+v", got)
	}
}

// testDeletion: what is deleted is gone at once, and its slug is free when it
// is erased.
func testDeletion(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	owner := signUp(t, s, "acme")
	signUp(t, s, "globex")
	_, key, signing := addApp(t, s, "acme", "chat")
	addApp(t, s, "globex", "chat")
	hash := [32]byte{9}
	must(t, s.CreateSession(t.Context(), tenant.Session{ID: "ses_1", Hash: hash, MemberID: owner.ID, CreatedAt: now, ConfirmedAt: now, ExpiresAt: now.Add(time.Hour)}))
	e := tenant.AuditEntry{Action: "organization.delete", Target: "acme", CreatedAt: now}
	must(t, s.DeleteOrganization(tenant.WithAudit(t.Context(), &e), "acme", now))

	_, err := s.Entry(t.Context(), "acme", "chat")
	wantCode(t, err, fault.NotFound)
	_, err = s.EntryByKID(t.Context(), signing.KID)
	wantCode(t, err, fault.NotFound)
	_, err = s.APIKeyByHash(t.Context(), key.Hash)
	wantCode(t, err, fault.NotFound)
	_, err = s.SessionByHash(t.Context(), hash, now)
	wantCode(t, err, fault.NotFound)
	if left := must2(s.Memberships(t.Context(), owner.Person))(t); len(left) != 0 {
		t.Errorf("the owner belongs to %+v", left)
	}
	wantCode(t, s.DeleteOrganization(t.Context(), "acme", now), fault.Conflict)
	wantCode(t, s.DeleteOrganization(t.Context(), "nobody", now), fault.NotFound)
	_, err = s.UpdateOrganization(t.Context(), "acme", store.AnyVersion, func(*tenant.Organization) error { return nil })
	wantCode(t, err, fault.Conflict)
	again := tenant.Member{ID: tenant.NewID("mem"), Email: "new@acme.example", Role: tenant.Owner, CreatedAt: now}
	wantCode(t, s.CreateOrganization(t.Context(), tenant.Organization{Slug: "acme", CreatedAt: now}, again, "hash"), fault.Conflict)

	must(t, s.FinishErasure(t.Context(), tenant.Erasure{Organization: "acme", DeletedAt: now}))
	must(t, s.FinishErasure(t.Context(), tenant.Erasure{Organization: "acme", DeletedAt: now}))
	_, err = s.Organization(t.Context(), "acme")
	wantCode(t, err, fault.NotFound)
	left := must2(s.Audit(t.Context(), tenant.AuditQuery{Limit: 9}))(t)
	if len(left) != 1 || left[0].Target != "acme" {
		t.Errorf("the audit log has %+v", left)
	}
	must2(s.Entry(t.Context(), "globex", "chat"))(t)
	// The slug and the person's address are free again.
	must(t, s.CreateOrganization(t.Context(), tenant.Organization{Slug: "acme", CreatedAt: now}, owner, "hash"))
}

// testErasureKeepsOthers: what belongs to others stays.
func testErasureKeepsOthers(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	owner, other := signUp(t, s, "acme"), signUp(t, s, "globex")
	elsewhere := addOrganization(t, s, owner, "labs")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "globex", "chat")
	must(t, s.CreateLogin(t.Context(), tenant.Login{Organization: "acme", App: "chat", Username: "robot", User: "r", PasswordHash: "h", CreatedAt: now}))
	must(t, s.CreateLogin(t.Context(), tenant.Login{Organization: "globex", App: "chat", Username: "robot", User: "r", PasswordHash: "h", CreatedAt: now}))
	for _, org := range []string{"acme", "globex"} {
		e := tenant.AuditEntry{Organization: org, Action: "x", CreatedAt: now}
		must2(s.UpdateOrganization(tenant.WithAudit(t.Context(), &e), org, store.AnyVersion, func(*tenant.Organization) error { return nil }))(t)
	}
	// Without the mark the row stays: it is the mark that makes it gone.
	must(t, s.FinishErasure(t.Context(), tenant.Erasure{Organization: "acme"}))
	must2(s.Organization(t.Context(), "acme"))(t)
	must(t, s.DeleteOrganization(t.Context(), "acme", now))
	must(t, s.FinishErasure(t.Context(), tenant.Erasure{Organization: "acme"}))
	must2(s.Login(t.Context(), "globex", "chat", "robot"))(t)
	if got := must2(s.Audit(t.Context(), tenant.AuditQuery{Limit: 9}))(t); len(got) != 1 || got[0].Organization != "globex" {
		t.Errorf("got %+v", got)
	}
	must2(s.Member(t.Context(), "globex", other.ID))(t)
	if left := must2(s.Memberships(t.Context(), owner.Person))(t); len(left) != 1 || left[0] != elsewhere {
		t.Errorf("the owner of two organizations belongs to %+v", left)
	}
}

func testErasureClaims(t *testing.T, cfg store.Config) {
	at := now
	cfg.Now = func() time.Time { return at }
	s := open(t, cfg)
	for _, slug := range []string{"acme", "globex"} {
		signUp(t, s, slug)
	}
	addApp(t, s, "acme", "chat")
	must(t, s.DeleteApp(t.Context(), "acme", "chat", now))
	must(t, s.DeleteOrganization(t.Context(), "globex", now.Add(time.Second)))
	wantCode(t, s.DeleteApp(t.Context(), "acme", "chat", now), fault.NotFound)
	app, key, signing := newApp("acme", "chat")
	wantCode(t, s.CreateApp(t.Context(), app, key, signing), fault.Conflict)

	claim := func(before time.Time) string {
		e, err := s.ClaimErasure(t.Context(), before, at.Add(time.Minute))
		if err != nil {
			wantCode(t, err, fault.NotFound)
			return ""
		}
		return e.Organization + "/" + e.App
	}
	got := []string{claim(now.Add(-time.Second)), claim(now), claim(now), claim(now.Add(time.Minute)), claim(now.Add(time.Minute))}
	if want := []string{"", "acme/chat", "", "globex/", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	at = at.Add(time.Minute) // whoever had it has died
	if got := claim(at); got != "acme/chat" {
		t.Errorf("got %q", got)
	}
	must(t, s.FinishErasure(t.Context(), tenant.Erasure{Organization: "acme", App: "chat"}))
	must(t, s.CreateApp(t.Context(), app, key, signing))
	oneWins(t, fault.NotFound, func(int) error {
		_, err := s.ClaimErasure(t.Context(), at, at.Add(time.Minute))
		return err
	})
}
