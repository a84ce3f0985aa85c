package store_test

import (
	"crypto/sha256"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// at sets a store's clock to when the tests happen.
func at(cfg store.Config) store.Config {
	cfg.Now = func() time.Time { return now }
	return cfg
}

// newRevocation returns a revocation of acme/chat, not yet stored.
func newRevocation(kind tenant.RevocationKind, subject string) tenant.Revocation {
	r := tenant.Revocation{
		Organization: "acme", App: "chat", RevocationID: tenant.RevocationID{Kind: kind, Subject: subject},
		ExpiresAt: now.Add(time.Hour), CreatedAt: now,
	}
	if kind != tenant.RevokedToken {
		r.IssuedBefore = now
	}
	return r
}

func testRevocation(t *testing.T, cfg store.Config) {
	s := open(t, at(cfg))
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "globex", "chat")
	for _, want := range []tenant.Revocation{
		newRevocation(tenant.RevokedToken, "a/b?c=%"), newRevocation(tenant.RevokedUser, "ana"), newRevocation(tenant.RevokedDevice, "ana"),
	} {
		kept, err := s.Revoke(t.Context(), want)
		if err != nil || !reflect.DeepEqual(kept, want) {
			t.Errorf("kept %+v, %v; want %+v", kept, err, want)
		}
		got, err := s.Revocation(t.Context(), "acme", "chat", want.RevocationID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		_, err = s.Revocation(t.Context(), "globex", "chat", want.RevocationID)
		wantCode(t, err, fault.NotFound)
		wantCode(t, s.Unrevoke(t.Context(), "globex", "chat", want.RevocationID), fault.NotFound)
	}
	// It only grows, in both times.
	ana := newRevocation(tenant.RevokedUser, "ana")
	earlier, later := ana, ana
	earlier.IssuedBefore, earlier.ExpiresAt = now.Add(-time.Minute), now.Add(time.Minute)
	later.IssuedBefore, later.ExpiresAt = now.Add(time.Minute), now.Add(2*time.Hour)
	for _, step := range []struct{ sent, want tenant.Revocation }{{earlier, ana}, {later, later}, {ana, later}} {
		if kept, err := s.Revoke(t.Context(), step.sent); err != nil || !reflect.DeepEqual(kept, step.want) {
			t.Errorf("kept %+v, %v; want %+v", kept, err, step.want)
		}
	}
	lost := newRevocation(tenant.RevokedUser, "ana")
	lost.App = "nothing"
	_, err := s.Revoke(t.Context(), lost)
	wantCode(t, err, fault.NotFound)

	must(t, s.Unrevoke(t.Context(), "acme", "chat", ana.RevocationID))
	_, err = s.Revocation(t.Context(), "acme", "chat", ana.RevocationID)
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.Unrevoke(t.Context(), "acme", "chat", ana.RevocationID), fault.NotFound)
	_, err = s.Revocation(t.Context(), "acme", "chat", tenant.RevocationID{Kind: tenant.RevokedDevice, Subject: "ana"})
	must(t, err)
}

func testRevocations(t *testing.T, cfg store.Config) {
	s := open(t, at(cfg))
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "acme", "shop")
	var want []tenant.RevocationID
	// In the order of bytes, whatever the database's language.
	for _, kind := range []tenant.RevocationKind{tenant.RevokedDevice, tenant.RevokedToken, tenant.RevokedUser} {
		for _, subject := range []string{"B", "a", "a b", "é"} {
			_, err := s.Revoke(t.Context(), newRevocation(kind, subject))
			must(t, err)
			want = append(want, tenant.RevocationID{Kind: kind, Subject: subject})
		}
	}
	other := newRevocation(tenant.RevokedUser, "bo")
	other.App = "shop"
	_, err := s.Revoke(t.Context(), other)
	must(t, err)
	var got []tenant.RevocationID
	for {
		var after tenant.RevocationID
		if len(got) > 0 {
			after = got[len(got)-1]
		}
		page, err := s.Revocations(t.Context(), "acme", "chat", after, 5)
		must(t, err)
		for _, r := range page {
			got = append(got, r.RevocationID)
		}
		if len(page) < 5 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testRevocationQuota(t *testing.T, cfg store.Config) {
	s := open(t, at(cfg))
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	s.LimitRevocations(2)
	first := newRevocation(tenant.RevokedToken, "0")
	_, err := s.Revoke(t.Context(), first)
	must(t, err)
	_, err = s.Revoke(t.Context(), newRevocation(tenant.RevokedUser, "ana"))
	must(t, err)
	_, err = s.Revoke(t.Context(), first) // it is there
	must(t, err)
	_, err = s.Revoke(t.Context(), newRevocation(tenant.RevokedToken, "one more"))
	wantCode(t, err, fault.QuotaExceeded)
	must(t, s.Unrevoke(t.Context(), "acme", "chat", first.RevocationID))
	_, err = s.Revoke(t.Context(), newRevocation(tenant.RevokedToken, "one more"))
	must(t, err)
}

func testRevocationsEnd(t *testing.T, cfg store.Config) {
	clock := now
	cfg.Now = func() time.Time { return clock }
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	ends := newRevocation(tenant.RevokedToken, "ends")
	stays := newRevocation(tenant.RevokedToken, "stays")
	stays.ExpiresAt = now.Add(3 * time.Hour)
	for _, r := range []tenant.Revocation{ends, stays} {
		_, err := s.Revoke(t.Context(), r)
		must(t, err)
	}
	clock = ends.ExpiresAt
	_, err := s.Revocation(t.Context(), "acme", "chat", ends.RevocationID)
	wantCode(t, err, fault.NotFound)
	listed, err := s.Revocations(t.Context(), "acme", "chat", tenant.RevocationID{}, 9)
	if err != nil || len(listed) != 1 || listed[0].Subject != "stays" {
		t.Errorf("listed %+v, %v", listed, err)
	}
	must(t, s.Sweep(t.Context()))
	wantCode(t, s.Unrevoke(t.Context(), "acme", "chat", ends.RevocationID), fault.NotFound) // its row is gone
	must(t, s.Unrevoke(t.Context(), "acme", "chat", stays.RevocationID))
}

func testChanges(t *testing.T, cfg store.Config) {
	s := open(t, at(cfg))
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	ctx := t.Context()
	login := newLogin("robot")
	certificate := newCertificate("one", "CN=one")
	ana := newRevocation(tenant.RevokedUser, "ana")
	_, key, _ := newApp("acme", "chat")
	_, next, signing := newApp("acme", "chat")
	keys := tenant.KeySet{ID: tenant.NewID("ks"), Organization: "acme", App: "chat", URL: "https://a.example", DueAt: now, CreatedAt: now}
	key.Hash, next.Hash = sha256.Sum256([]byte("key")), sha256.Sum256([]byte("next"))
	for i, change := range []struct {
		subject string
		do      func() error
	}{
		{"shop", func() error { app, key, signing := newApp("acme", "shop"); return s.CreateApp(ctx, app, key, signing) }},
		{"chat", func() error {
			_, err := s.UpdateApp(ctx, "acme", "chat", store.AnyVersion, func(*tenant.App) error { return nil })
			return err
		}},
		{"chat", func() error {
			_, err := s.UpdateACL(ctx, "acme", "chat", store.AnyVersion, func(r []tenant.Rule) ([]tenant.Rule, error) { return r, nil })
			return err
		}},
		{"chat", func() error { return s.CreateAPIKey(ctx, key) }},
		{"chat", func() error {
			_, err := s.UpdateAPIKey(ctx, "acme", "chat", key.ID, store.AnyVersion, func(*tenant.APIKey) error { return nil })
			return err
		}},
		{"chat", func() error {
			_, _, err := s.RotateAPIKey(ctx, "acme", "chat", key.ID, func(*tenant.APIKey) (tenant.APIKey, error) {
				return next, nil
			})
			return err
		}},
		{"chat", func() error {
			return s.DeleteAPIKey(ctx, "acme", "chat", key.ID, func(*tenant.APIKey) error { return nil })
		}},
		{"chat", func() error { return s.CreateSigningKey(ctx, signing) }},
		{"chat", func() error {
			return s.DeleteSigningKey(ctx, "acme", "chat", signing.KID, func(*tenant.SigningKey) error { return nil })
		}},
		{"chat", func() error { return s.CreateKeySet(ctx, keys) }},
		{"chat", func() error { _, err := s.SaveKeySet(ctx, "acme", "chat", keys.ID, "{}", now, now); return err }},
		{"chat", func() error {
			return s.DeleteKeySet(ctx, "acme", "chat", keys.ID, func(*tenant.KeySet) error { return nil })
		}},
		{"", func() error {
			_, err := s.UpdateOrganization(ctx, "acme", store.AnyVersion, func(*tenant.Organization) error { return nil })
			return err
		}},
		{"shop", func() error { return s.DeleteApp(ctx, "acme", "shop", now) }},
		{"chat/robot", func() error { return s.CreateLogin(ctx, login) }},
		{"chat/robot", func() error {
			_, err := s.UpdateLogin(ctx, "acme", "chat", "robot", store.AnyVersion, func(*tenant.Login) error { return nil })
			return err
		}},
		{"chat/robot", func() error { return s.DeleteLogin(ctx, "acme", "chat", "robot") }},
		{"chat", func() error { return s.CreateCertificate(ctx, certificate) }},
		{"chat", func() error { return s.DeleteCertificate(ctx, "acme", "chat", certificate.ID) }},
		{"chat//user/ana", func() error { _, err := s.Revoke(ctx, ana); return err }},
		{"chat//user/ana", func() error { return s.Unrevoke(ctx, "acme", "chat", ana.RevocationID) }},
		{"", func() error { return s.DeleteOrganization(ctx, "acme", now) }},
	} {
		before, err := s.Changes(ctx, 0, 100)
		must(t, err)
		last := before[len(before)-1].Seq
		must(t, change.do())
		after, err := s.Changes(ctx, last, 100)
		if err != nil || len(after) != 1 || after[0].Organization != "acme" || after[0].Subject != change.subject || after[0].Seq <= last {
			t.Errorf("change %d: got %+v, %v; want %q", i, after, err, change.subject)
		}
	}
	if one, err := s.Changes(ctx, 0, 1); err != nil || len(one) != 1 || one[0].Subject != "chat" {
		t.Errorf("the first is %+v, %v", one, err)
	}
}

// testChangeIsAtomic: what fails is no change.
func testChangeIsAtomic(t *testing.T, cfg store.Config) {
	s := open(t, at(cfg))
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	before, err := s.Changes(t.Context(), 0, 100)
	must(t, err)
	wantCode(t, s.DeleteLogin(t.Context(), "acme", "chat", "nobody"), fault.NotFound)
	_, err = s.UpdateACL(t.Context(), "acme", "chat", 7, nil)
	wantCode(t, err, fault.PreconditionFailed)
	if after, err := s.Changes(t.Context(), 0, 100); err != nil || !slices.Equal(after, before) {
		t.Errorf("got %+v, %v", after, err)
	}
}

func testChangesGo(t *testing.T, cfg store.Config) {
	clock := now
	cfg.Now = func() time.Time { return clock }
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "old")
	clock = clock.Add(6 * time.Minute)
	addApp(t, s, "acme", "new")
	clock = clock.Add(6 * time.Minute)
	all, err := s.Changes(t.Context(), 0, 100)
	must(t, err)
	must(t, s.Sweep(t.Context()))
	left, err := s.Changes(t.Context(), 0, 100)
	if err != nil || len(all) != 2 || !slices.Equal(left, all[1:]) {
		t.Errorf("of %v are left %v, %v", all, left, err)
	}
	clock = clock.Add(time.Hour)
	must(t, s.Sweep(t.Context()))
	addApp(t, s, "acme", "newer")
	last, err := s.Changes(t.Context(), all[1].Seq, 100)
	if err != nil || len(last) != 1 {
		t.Errorf("numbers begin anew: %v, %v", last, err)
	}
}
