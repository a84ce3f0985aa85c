package store_test

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// newAPIKey returns an API key of an app of acme with everything, not yet stored.
func newAPIKey(app string) tenant.APIKey {
	id := tenant.NewID("key")
	return tenant.APIKey{
		ID: id, Organization: "acme", App: app, Name: "Näme", Hash: sha256.Sum256([]byte(id)),
		Scopes:    []tenant.Scope{tenant.ScopePush, tenant.ScopeManage},
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::7/128")},
		Across:    true, ExpiresAt: now.Add(time.Hour), CreatedAt: now,
	}
}

func wantKey(t *testing.T, s *store.Store, want tenant.APIKey) {
	t.Helper()
	got, err := s.APIKey(t.Context(), want.Organization, want.App, want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	byHash, err := s.APIKeyByHash(t.Context(), want.Hash)
	if err != nil || !reflect.DeepEqual(byHash, want) {
		t.Errorf("by its hash %+v, %v; want %+v", byHash, err, want)
	}
}

func testAPIKeys(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	_, first, _ := addApp(t, s, "acme", "chat")
	addApp(t, s, "acme", "mail")
	signUp(t, s, "globex")
	addApp(t, s, "globex", "chat")
	key := newAPIKey("chat")
	must(t, s.CreateAPIKey(t.Context(), key))
	wantKey(t, s, key)
	plain := tenant.APIKey{ID: tenant.NewID("key"), Organization: "acme", App: "chat", Scopes: []tenant.Scope{tenant.ScopeRead}, CreatedAt: now}
	must(t, s.CreateAPIKey(t.Context(), plain))
	wantKey(t, s, plain)
	wantCode(t, s.CreateAPIKey(t.Context(), newAPIKey("nope")), fault.NotFound)

	all, err := s.APIKeys(t.Context(), "acme", "chat", "", 2)
	if err != nil || !reflect.DeepEqual(all, []tenant.APIKey{first, key}) {
		t.Errorf("listed %+v, %v", all, err)
	}
	rest, err := s.APIKeys(t.Context(), "acme", "chat", key.ID, 2)
	if err != nil || !reflect.DeepEqual(rest, []tenant.APIKey{plain}) {
		t.Errorf("listed %+v, %v", rest, err)
	}
	// Somebody else's app has no such key.
	for _, other := range [][2]string{{"acme", "mail"}, {"globex", "chat"}, {"acme", "nope"}} {
		reached := fault.Newf(fault.Internal, "%v reaches the key", other)
		allow := func(*tenant.APIKey) error { return reached }
		_, err := s.APIKey(t.Context(), other[0], other[1], key.ID)
		wantCode(t, err, fault.NotFound)
		_, err = s.UpdateAPIKey(t.Context(), other[0], other[1], key.ID, store.AnyVersion, allow)
		wantCode(t, err, fault.NotFound)
		_, _, err = s.RotateAPIKey(t.Context(), other[0], other[1], key.ID,
			func(k *tenant.APIKey) (tenant.APIKey, error) { return tenant.APIKey{}, allow(k) })
		wantCode(t, err, fault.NotFound)
		wantCode(t, s.DeleteAPIKey(t.Context(), other[0], other[1], key.ID, allow), fault.NotFound)
	}
	wantKey(t, s, key)

	no := errors.New("no")
	if err := s.DeleteAPIKey(t.Context(), "acme", "chat", key.ID, func(*tenant.APIKey) error { return no }); !errors.Is(err, no) {
		t.Errorf("deleted although it must not be: %v", err)
	}
	wantKey(t, s, key)
	var seen tenant.APIKey
	must(t, s.DeleteAPIKey(t.Context(), "acme", "chat", key.ID, func(k *tenant.APIKey) error { seen = *k; return nil }))
	if seen.ID != key.ID || !reflect.DeepEqual(seen.Addresses, key.Addresses) {
		t.Errorf("was asked about %+v", seen)
	}
	_, err = s.APIKeyByHash(t.Context(), key.Hash)
	wantCode(t, err, fault.NotFound)
}

func testAPIKeyChanges(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	key := newAPIKey("chat")
	must(t, s.CreateAPIKey(t.Context(), key))
	want := key
	want.Name, want.Scopes, want.Addresses, want.ExpiresAt, want.Version = "Other", []tenant.Scope{tenant.ScopeRead}, nil, time.Time{}, 1
	got, err := s.UpdateAPIKey(t.Context(), "acme", "chat", key.ID, 0, func(k *tenant.APIKey) error {
		k.Name, k.Scopes, k.Addresses, k.ExpiresAt = want.Name, want.Scopes, nil, time.Time{}
		k.Across, k.ReplacedBy = false, "key_x" // which are not changed so
		return nil
	})
	if err != nil || got.Version != 1 || got.Name != "Other" {
		t.Errorf("changed to %+v, %v", got, err)
	}
	wantKey(t, s, want)
	_, err = s.UpdateAPIKey(t.Context(), "acme", "chat", key.ID, 0, func(*tenant.APIKey) error { return nil })
	wantCode(t, err, fault.PreconditionFailed)
	no := errors.New("no")
	if _, err = s.UpdateAPIKey(t.Context(), "acme", "chat", key.ID, 1, func(*tenant.APIKey) error { return no }); !errors.Is(err, no) {
		t.Errorf("changed although it must not be: %v", err)
	}
	wantKey(t, s, want)
}

func testAPIKeyRotation(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	key, next := newAPIKey("chat"), newAPIKey("chat")
	must(t, s.CreateAPIKey(t.Context(), key))
	rotate := func(k *tenant.APIKey) (tenant.APIKey, error) {
		k.ExpiresAt = now.Add(time.Minute)
		if k.ReplacedBy != "" {
			return tenant.APIKey{}, fault.New(fault.Conflict, "was rotated")
		}
		return next, nil
	}
	last, got, err := s.RotateAPIKey(t.Context(), "acme", "chat", key.ID, rotate)
	must(t, err)
	key.ExpiresAt, key.ReplacedBy, key.Version = now.Add(time.Minute), next.ID, 1
	if !reflect.DeepEqual(last, key) || !reflect.DeepEqual(got, next) {
		t.Errorf("rotated %+v to %+v", last, got)
	}
	wantKey(t, s, key)
	wantKey(t, s, next)
	// Of many at once one is the rotation.
	key = newAPIKey("chat")
	must(t, s.CreateAPIKey(t.Context(), key))
	oneWins(t, fault.Conflict, func(int) error {
		_, _, err := s.RotateAPIKey(t.Context(), "acme", "chat", key.ID, func(k *tenant.APIKey) (tenant.APIKey, error) {
			_, err := rotate(k)
			return newAPIKey("chat"), err
		})
		return err
	})
}

func testAPIKeyQuota(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat") // with one key
	gone := newAPIKey("chat")
	gone.ExpiresAt = now.Add(time.Hour - tenant.ExpiredKeysFor)
	must(t, s.CreateAPIKey(t.Context(), gone))
	for range tenant.MaxAPIKeys - 2 {
		must(t, s.CreateAPIKey(t.Context(), newAPIKey("chat")))
	}
	key := newAPIKey("chat")
	wantCode(t, s.CreateAPIKey(t.Context(), key), fault.QuotaExceeded)
	_, err := s.APIKey(t.Context(), "acme", "chat", key.ID)
	wantCode(t, err, fault.NotFound)
	key.CreatedAt = now.Add(time.Hour + time.Second)
	must(t, s.CreateAPIKey(t.Context(), key)) // in the place of the one that expired long ago
	_, err = s.APIKey(t.Context(), "acme", "chat", gone.ID)
	wantCode(t, err, fault.NotFound)
}
