package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// newSigningKey returns a key of acme/chat, not yet stored.
func newSigningKey(n int) tenant.SigningKey {
	return tenant.SigningKey{
		KID: fmt.Sprintf("sk_%026d", n), Organization: "acme", App: "chat", Name: fmt.Sprint("Key ", n), Algorithm: tenant.ES256,
		PublicKey: []byte{1, 2, byte(n)}, ExpiresAt: now.Add(time.Hour), CreatedAt: now.Add(time.Duration(n) * time.Second),
	}
}

func testSigningKeys(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	app, _, first := addApp(t, s, "acme", "chat")
	addApp(t, s, "globex", "chat")
	want := newSigningKey(1)
	must(t, s.CreateSigningKey(t.Context(), want))
	got, err := s.SigningKey(t.Context(), "acme", "chat", want.KID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	entry, err := s.Entry(t.Context(), "acme", "chat")
	if err != nil || !reflect.DeepEqual(entry.SigningKeys, []tenant.SigningKey{want, first}) || !reflect.DeepEqual(entry.App, app) {
		t.Errorf("the edge gets %+v, %v", entry.SigningKeys, err)
	}
	lost := newSigningKey(2)
	lost.App = "nothing"
	wantCode(t, s.CreateSigningKey(t.Context(), lost), fault.NotFound)
	_, err = s.SigningKey(t.Context(), "globex", "chat", want.KID)
	wantCode(t, err, fault.NotFound)

	// Lists have no secrets.
	all, err := s.SigningKeys(t.Context(), "acme", "chat", "", 9)
	if err != nil || len(all) != 2 || all[0].Secret != "" || all[1].Secret != "" || all[0].KID != want.KID {
		t.Fatalf("listed %+v, %v", all, err)
	}
	rest, err := s.SigningKeys(t.Context(), "acme", "chat", all[0].KID, 9)
	if err != nil || len(rest) != 1 || rest[0].KID != first.KID {
		t.Errorf("the second page is %+v, %v", rest, err)
	}

	look := func(*tenant.SigningKey) error { return nil }
	wantCode(t, s.DeleteSigningKey(t.Context(), "globex", "chat", want.KID, look), fault.NotFound)
	no := errors.New("no")
	if err := s.DeleteSigningKey(t.Context(), "acme", "chat", want.KID, func(*tenant.SigningKey) error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	must(t, s.DeleteSigningKey(t.Context(), "acme", "chat", want.KID, look))
	wantCode(t, s.DeleteSigningKey(t.Context(), "acme", "chat", want.KID, look), fault.NotFound)
}

func testSigningKeyChanges(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	key := newSigningKey(1)
	must(t, s.CreateSigningKey(t.Context(), key))
	change := func(k *tenant.SigningKey) error {
		k.Name, k.ExpiresAt = "Other", time.Time{}
		return nil
	}
	got, err := s.UpdateSigningKey(t.Context(), "acme", "chat", key.KID, 0, change)
	if err != nil || got.Name != "Other" || !got.ExpiresAt.IsZero() || got.Version != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if kept, err := s.SigningKey(t.Context(), "acme", "chat", key.KID); err != nil || !reflect.DeepEqual(kept, got) {
		t.Errorf("kept %+v, %v; want %+v", kept, err, got)
	}
	_, err = s.UpdateSigningKey(t.Context(), "acme", "chat", key.KID, 0, change)
	wantCode(t, err, fault.PreconditionFailed)
	_, err = s.UpdateSigningKey(t.Context(), "globex", "chat", key.KID, store.AnyVersion, change)
	wantCode(t, err, fault.NotFound)
	oneWins(t, fault.PreconditionFailed, func(int) error {
		_, err := s.UpdateSigningKey(t.Context(), "acme", "chat", key.KID, 1, change)
		return err
	})
}

func testSigningKeyRotation(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	_, _, key := addApp(t, s, "acme", "chat")
	rotate := func(n int) error {
		next := newSigningKey(n)
		next.Secret = fmt.Sprint("secret ", n)
		old, made, err := s.RotateSigningKey(t.Context(), "acme", "chat", key.KID, func(old *tenant.SigningKey) (tenant.SigningKey, error) {
			return next, old.Replace(next.KID, now.Add(time.Minute))
		})
		if err == nil && (old.ReplacedBy != next.KID || !old.ExpiresAt.Equal(now.Add(time.Minute)) || made.KID != next.KID) {
			t.Errorf("old %+v, new %+v", old, made)
		}
		return err
	}
	// A key has one successor, however many try.
	oneWins(t, fault.Conflict, func(i int) error { return rotate(i + 1) })
	entry, err := s.Entry(t.Context(), "acme", "chat")
	if err != nil || len(entry.SigningKeys) != 2 || entry.SigningKeys[1].ReplacedBy != entry.SigningKeys[0].KID ||
		entry.SigningKeys[0].Secret == "" || !entry.SigningKeys[1].ExpiresAt.Equal(now.Add(time.Minute)) {
		t.Errorf("the edge gets %+v, %v", entry.SigningKeys, err)
	}
	_, _, err = s.RotateSigningKey(t.Context(), "globex", "chat", key.KID, func(*tenant.SigningKey) (tenant.SigningKey, error) {
		t.Error("somebody else's key")
		return tenant.SigningKey{}, nil
	})
	wantCode(t, err, fault.NotFound)
}

func testSigningKeyQuota(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	_, _, key := addApp(t, s, "acme", "chat")
	for i := 1; i < tenant.MaxSigningKeys; i++ {
		must(t, s.CreateSigningKey(t.Context(), newSigningKey(i)))
	}
	wantCode(t, s.CreateSigningKey(t.Context(), newSigningKey(99)), fault.QuotaExceeded)
	_, _, err := s.RotateSigningKey(t.Context(), "acme", "chat", key.KID, func(old *tenant.SigningKey) (tenant.SigningKey, error) {
		return newSigningKey(98), old.Replace("sk_98", now)
	})
	wantCode(t, err, fault.QuotaExceeded)
	if kept, err := s.SigningKey(t.Context(), "acme", "chat", key.KID); err != nil || kept.ReplacedBy != "" {
		t.Errorf("half a rotation: %+v, %v", kept, err)
	}
	// Those that have expired long ago make room.
	late := newSigningKey(97)
	late.CreatedAt = now.Add(time.Hour + tenant.ExpiredKeysFor)
	wantCode(t, s.CreateSigningKey(t.Context(), late), fault.QuotaExceeded)
	late.CreatedAt = late.CreatedAt.Add(time.Second)
	must(t, s.CreateSigningKey(t.Context(), late))
	if kept, err := s.SigningKeys(t.Context(), "acme", "chat", "", 100); err != nil || len(kept) != 2 {
		t.Errorf("%d keys are kept, %v", len(kept), err)
	}
}
