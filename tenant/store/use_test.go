package store_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testUses(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	_, key, _ := addApp(t, s, "acme", "chat")
	_, other, _ := addApp(t, s, "acme", "mail")
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	for _, c := range []struct {
		uses []tenant.Use
		at   time.Time
		from string
	}{
		{nil, time.Time{}, ""},
		{[]tenant.Use{{Kind: tenant.UsedAPIKey, ID: key.ID, At: at(5), From: "10.0.0.1"}}, at(5), "10.0.0.1"},
		{[]tenant.Use{{Kind: tenant.UsedAPIKey, ID: key.ID, At: at(4), From: "10.0.0.2"}}, at(5), "10.0.0.1"}, // a node that is late
		{[]tenant.Use{{Kind: tenant.UsedAPIKey, ID: "key_gone", At: at(9), From: ""}, {Kind: tenant.UsedAPIKey, ID: key.ID, At: at(6), From: "::1"}}, at(6), "::1"},
	} {
		must(t, s.NoteUses(t.Context(), c.uses))
		got, err := s.APIKeyByHash(t.Context(), key.Hash)
		must(t, err)
		if !got.LastUsedAt.Equal(c.at) || got.LastUsedFrom != c.from {
			t.Errorf("after %v: %v from %q", c.uses, got.LastUsedAt, got.LastUsedFrom)
		}
	}
	if got, err := s.APIKeyByHash(t.Context(), other.Hash); err != nil || !got.LastUsedAt.IsZero() {
		t.Errorf("another key: %v, %v", got.LastUsedAt, err)
	}
	if err := s.NoteUses(t.Context(), []tenant.Use{{Kind: "something", ID: "x", At: now, From: ""}}); err == nil {
		t.Error("an unknown kind is taken")
	}
}
