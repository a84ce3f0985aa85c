package store_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// newKeySet returns a key set of acme/chat, not yet stored.
func newKeySet(n int) tenant.KeySet {
	return tenant.KeySet{
		ID: fmt.Sprintf("ks_%026d", n), Organization: "acme", App: "chat", Name: "Issuer", URL: "https://issuer.example.com/jwks",
		DueAt: now, CreatedAt: now,
	}
}

func testKeySet(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "globex", "chat")
	want := newKeySet(1)
	must(t, s.CreateKeySet(t.Context(), want))
	got, err := s.KeySet(t.Context(), "acme", "chat", want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	lost := newKeySet(2)
	lost.App = "nothing"
	wantCode(t, s.CreateKeySet(t.Context(), lost), fault.NotFound)
	_, err = s.KeySet(t.Context(), "globex", "chat", want.ID)
	wantCode(t, err, fault.NotFound)
	for i := 2; i <= tenant.MaxKeySets; i++ {
		must(t, s.CreateKeySet(t.Context(), newKeySet(i)))
	}
	wantCode(t, s.CreateKeySet(t.Context(), newKeySet(99)), fault.QuotaExceeded)
	page, err := s.KeySets(t.Context(), "acme", "chat", want.ID, 2)
	if err != nil || len(page) != 2 || page[0].ID != newKeySet(2).ID {
		t.Errorf("the second page is %+v, %v", page, err)
	}
	look := func(*tenant.KeySet) error { return nil }
	wantCode(t, s.DeleteKeySet(t.Context(), "globex", "chat", want.ID, look), fault.NotFound)
	must(t, s.DeleteKeySet(t.Context(), "acme", "chat", want.ID, look))
	wantCode(t, s.DeleteKeySet(t.Context(), "acme", "chat", want.ID, look), fault.NotFound)
}

func testKeySetDocument(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	k := newKeySet(1)
	must(t, s.CreateKeySet(t.Context(), k))
	save := func(document string, asked time.Duration) bool {
		t.Helper()
		changed, err := s.SaveKeySet(t.Context(), "acme", "chat", k.ID, document, now.Add(asked), now.Add(asked+time.Hour))
		must(t, err)
		return changed
	}
	must(t, s.FailKeySet(t.Context(), "acme", "chat", k.ID, "it does not answer", now, now.Add(time.Minute)))
	got, err := s.KeySet(t.Context(), "acme", "chat", k.ID)
	if err != nil || got.Failure != "it does not answer" || !got.FailedAt.Equal(now) || !got.DueAt.Equal(now.Add(time.Minute)) {
		t.Errorf("after a failure: %+v, %v", got, err)
	}
	if !save("one", time.Second) || save("one", 2*time.Second) || !save("two", 3*time.Second) {
		t.Error("what has changed is not what is another")
	}
	// An answer that was asked for before another one, and comes after it, is old.
	if save("one", time.Second) {
		t.Error("an old answer replaces a new one")
	}
	want := k
	want.Document, want.FetchedAt, want.DueAt = "two", now.Add(3*time.Second), now.Add(3*time.Second+time.Hour)
	if got, err := s.KeySet(t.Context(), "acme", "chat", k.ID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	// The edge gets nothing that another fetch of the same keys would change.
	before, err := s.Entry(t.Context(), "acme", "chat")
	must(t, err)
	save("two", 4*time.Second)
	must(t, s.FailKeySet(t.Context(), "acme", "chat", k.ID, "broken", now.Add(time.Hour), now))
	must(t, s.NoteUses(t.Context(), []tenant.Use{{Kind: tenant.UsedKeySet, ID: k.ID, At: now}}))
	after, err := s.Entry(t.Context(), "acme", "chat")
	if err != nil || !reflect.DeepEqual(before, after) || len(after.KeySets) != 1 || after.KeySets[0].Document != "two" {
		t.Errorf("before %+v, after %+v, %v", before.KeySets, after.KeySets, err)
	}
	wantCode(t, s.FailKeySet(t.Context(), "globex", "chat", k.ID, "x", now, now), fault.NotFound)
	_, err = s.SaveKeySet(t.Context(), "acme", "chat", "ks_none", "x", now, now)
	wantCode(t, err, fault.NotFound)
}

// Each set that is due goes to one of those who ask at once.
func testKeySetClaims(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "globex", "chat")
	for i := range 4 {
		k := newKeySet(i)
		if i == 3 {
			k.DueAt = now.Add(time.Second)
		}
		must(t, s.CreateKeySet(t.Context(), k))
	}
	suspended := newKeySet(9)
	suspended.Organization = "globex"
	must(t, s.CreateKeySet(t.Context(), suspended))
	_, err := raw(t, cfg).ExecContext(t.Context(), `UPDATE organizations SET suspended_at = created_at WHERE slug = 'globex'`)
	must(t, err)
	var total atomic.Int64
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			sets, err := s.ClaimKeySets(context.Background(), now, now.Add(time.Minute), 2)
			if err != nil || len(sets) > 2 {
				t.Errorf("%d sets, %v", len(sets), err)
			}
			total.Add(int64(len(sets)))
		})
	}
	wait.Wait()
	last, err := s.ClaimKeySets(t.Context(), now, now.Add(time.Minute), 10)
	if n := total.Load() + int64(len(last)); n != 3 || err != nil {
		t.Errorf("%d sets were claimed, %v", n, err)
	}
	again, err := s.ClaimKeySets(t.Context(), now.Add(time.Minute), now.Add(2*time.Minute), 10)
	if err != nil || len(again) != 4 {
		t.Errorf("a minute later: %d sets, %v", len(again), err)
	}
}
