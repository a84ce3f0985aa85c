package store_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// newLogin returns a login of acme/chat, not yet stored.
func newLogin(username string) tenant.Login {
	return tenant.Login{
		Organization: "acme", App: "chat", Username: username, PasswordHash: "hash of " + username,
		User: "ana ☕", Device: "phone-1", Tags: []string{"beta", `"quoted"`}, Role: "driver", Enabled: true, Super: true, CreatedAt: now,
	}
}

func testLogin(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "acme", "shop")
	addApp(t, s, "globex", "chat")
	bare := tenant.Login{Organization: "acme", App: "chat", Username: "bare", PasswordHash: "h", User: "bob", CreatedAt: now}
	for _, want := range []tenant.Login{newLogin("Robot-1"), bare} {
		must(t, s.CreateLogin(t.Context(), want))
		got, err := s.Login(t.Context(), "acme", "chat", want.Username)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	err := s.CreateLogin(t.Context(), newLogin("bare"))
	wantCode(t, err, fault.Conflict)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != "/username" {
		t.Errorf("got %+v, want it at /username", f)
	}
	lost := newLogin("x")
	lost.App = "nothing"
	wantCode(t, s.CreateLogin(t.Context(), lost), fault.NotFound)
	// The same name is free in another app, and another app's login is not seen.
	for _, other := range [][2]string{{"acme", "shop"}, {"globex", "chat"}} {
		org, app := other[0], other[1]
		_, err := s.Login(t.Context(), org, app, "bare")
		wantCode(t, err, fault.NotFound)
		_, err = s.UpdateLogin(t.Context(), org, app, "bare", store.AnyVersion, func(*tenant.Login) error { return nil })
		wantCode(t, err, fault.NotFound)
		wantCode(t, s.DeleteLogin(t.Context(), org, app, "bare"), fault.NotFound)
		same := bare
		same.Organization, same.App = org, app
		must(t, s.CreateLogin(t.Context(), same))
	}
	for _, text := range []string{"robot-1", "", "%", "nul\x00byte", "\xff"} {
		_, err := s.Login(t.Context(), "acme", "chat", text)
		wantCode(t, err, fault.NotFound)
	}
	must(t, s.DeleteLogin(t.Context(), "acme", "chat", "bare"))
	_, err = s.Login(t.Context(), "acme", "chat", "bare")
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.DeleteLogin(t.Context(), "acme", "chat", "bare"), fault.NotFound)
	if _, err := s.Login(t.Context(), "globex", "chat", "bare"); err != nil {
		t.Errorf("another app's login went too: %v", err)
	}
}

func testLoginChanges(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	want := newLogin("robot")
	must(t, s.CreateLogin(t.Context(), want))
	must(t, s.CreateLogin(t.Context(), newLogin("other")))
	update := func(ifVersion int64, change func(*tenant.Login) error) (tenant.Login, error) {
		return s.UpdateLogin(t.Context(), "acme", "chat", "robot", ifVersion, change)
	}
	got, err := update(0, func(l *tenant.Login) error {
		want.Version = 1
		if !reflect.DeepEqual(*l, want) {
			t.Errorf("the change begins with %+v, want %+v", l, want)
		}
		l.PasswordHash, l.User, l.Device, l.Tags, l.Role, l.Enabled, l.Super = "new", "bob", "", nil, "", false, false
		return nil
	})
	want.PasswordHash, want.User, want.Device, want.Tags, want.Role, want.Enabled, want.Super = "new", "bob", "", nil, "", false, false
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	_, err = update(0, func(*tenant.Login) error { return nil })
	wantCode(t, err, fault.PreconditionFailed)
	refused := errors.New("no")
	if _, err := update(store.AnyVersion, func(l *tenant.Login) error { l.User = "eve"; return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	got, err = s.Login(t.Context(), "acme", "chat", "robot")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if other, err := s.Login(t.Context(), "acme", "chat", "other"); err != nil || !reflect.DeepEqual(other, newLogin("other")) {
		t.Errorf("the other login is %+v, %v", other, err)
	}
}

func testLogins(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "acme", "shop")
	if logins, err := s.Logins(t.Context(), "acme", "chat", "", 3); err != nil || logins == nil || len(logins) != 0 {
		t.Errorf("got %v, %v; want an empty page", logins, err)
	}
	names := []string{"A", "B.1", "a", "a-b", "a0", "a@b", "b"}
	for _, i := range []int{3, 0, 6, 2, 5, 1, 4} {
		must(t, s.CreateLogin(t.Context(), newLogin(names[i])))
	}
	other := newLogin("aa")
	other.App = "shop"
	must(t, s.CreateLogin(t.Context(), other))
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page, err := s.Logins(t.Context(), "acme", "chat", after, 3)
		must(t, err)
		for _, l := range page {
			want := newLogin(l.Username)
			want.PasswordHash = ""
			if !reflect.DeepEqual(l, want) {
				t.Errorf("listed %+v, want %+v", l, want)
			}
			got = append(got, l.Username)
		}
		if len(page) < 3 {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("got %v, want %v", got, names)
	}
}
