package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testApp(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	_, err := s.App(t.Context(), "acme", "chat")
	wantCode(t, err, fault.NotFound)
	want, _, _ := addApp(t, s, "acme", "chat")
	got, err := s.App(t.Context(), "acme", "chat")
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func testAppConflicts(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")

	app, key, signing := newApp("acme", "chat")
	key.Hash[0]++
	err := s.CreateApp(t.Context(), app, key, signing)
	wantCode(t, err, fault.Conflict)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != "/id" {
		t.Errorf("got %+v, want it at /id", f)
	}
	_, err = s.APIKeyByHash(t.Context(), key.Hash)
	wantCode(t, err, fault.NotFound) // nothing of a failed creation remains

	app, key, signing = newApp("nobody", "chat")
	wantCode(t, s.CreateApp(t.Context(), app, key, signing), fault.NotFound)
}

func testApps(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	apps, err := s.Apps(t.Context(), "acme", "", 10)
	if err != nil || apps == nil || len(apps) != 0 {
		t.Errorf("got %v, %v; want an empty page", apps, err)
	}
	// The order is that of bytes, whatever the server's language is.
	ids := []string{"a", "a-b", "a0", "aa", "b", "b-1", "b1"}
	for _, i := range []int{3, 0, 6, 2, 5, 1, 4} {
		addApp(t, s, "acme", ids[i])
	}
	addApp(t, s, "globex", "other")
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page, err := s.Apps(t.Context(), "acme", after, 3)
		must(t, err)
		for _, a := range page {
			got = append(got, a.ID)
		}
		if len(page) < 3 {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Errorf("got %v, want %v", got, ids)
	}
}

// Every look-up by organization answers for that organization alone.
func testTenancy(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	addApp(t, s, "acme", "chat")
	_, err := s.App(t.Context(), "globex", "chat")
	wantCode(t, err, fault.NotFound)
	_, err = s.ACL(t.Context(), "globex", "chat")
	wantCode(t, err, fault.NotFound)
	_, err = s.Entry(t.Context(), "globex", "chat")
	wantCode(t, err, fault.NotFound)
	_, err = setACL(t, s, "globex", "chat", nil, store.AnyVersion)
	wantCode(t, err, fault.NotFound)

	own, _, _ := addApp(t, s, "globex", "chat") // the same name is free there
	entry, err := s.Entry(t.Context(), "globex", "chat")
	if err != nil || entry.App != own || len(entry.SigningKeys) != 1 || entry.SigningKeys[0].Organization != "globex" {
		t.Errorf("got %+v, %v", entry, err)
	}
}

func testAPIKey(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	_, want, _ := addApp(t, s, "acme", "chat")
	got, err := s.APIKeyByHash(t.Context(), want.Hash)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	want.Hash[31]++
	_, err = s.APIKeyByHash(t.Context(), want.Hash)
	wantCode(t, err, fault.NotFound)
}

// Nothing that looks like SQL, a pattern or another encoding does harm.
func testHostileText(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	for i, text := range []string{
		`'; DROP TABLE apps; --`, `%`, `_`, `"`, `\`, `$1`, `?`, "näme ☕ \u202e", "a\nb", strings.Repeat("x", 10_000),
	} {
		id := fmt.Sprintf("app%d", i)
		app, key, signing := newApp("acme", id)
		app.Name = text
		must(t, s.CreateApp(t.Context(), app, key, signing))
		if got, err := s.App(t.Context(), "acme", id); err != nil || got.Name != text {
			t.Errorf("%q came back as %q, %v", text, got.Name, err)
		}
		_, _, err := s.PersonByEmail(t.Context(), text)
		wantCode(t, err, fault.NotFound)
		_, err = s.App(t.Context(), text, text)
		wantCode(t, err, fault.NotFound)
		_, err = s.EntryByKID(t.Context(), text)
		wantCode(t, err, fault.NotFound)
		_, err = s.Organization(t.Context(), text)
		wantCode(t, err, fault.NotFound)
	}
	// Text that a database cannot hold names nothing. It arrives from a token's
	// kid before anybody is authenticated, so it must not look like our mistake.
	for _, text := range []string{"nul\x00byte", "\xff\xfe not UTF-8"} {
		_, err := s.EntryByKID(t.Context(), text)
		wantCode(t, err, fault.NotFound)
		_, err = s.Entry(t.Context(), text, text)
		wantCode(t, err, fault.NotFound)
		_, _, err = s.PersonByEmail(t.Context(), text)
		wantCode(t, err, fault.NotFound)
	}
	var empty tenant.Entry
	if entry, err := s.EntryByKID(t.Context(), ""); !reflect.DeepEqual(entry, empty) {
		t.Errorf("got %+v, %v for no key", entry, err)
	}
}
