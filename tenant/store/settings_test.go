package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testAppChanges(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	want, _, _ := addApp(t, s, "acme", "chat")
	other, _, _ := addApp(t, s, "globex", "chat")
	all := tenant.Settings{
		Mounted: true, SessionExpiry: time.Hour, RetainedExpiry: 3 * time.Second, MaxRetained: 1,
		MaxConnections: 2, MaxSubscriptions: 3, PublishRate: 4, PublishBytes: 5,
	}
	for i, c := range []struct {
		ifVersion int64
		settings  tenant.Settings
		code      fault.Code
	}{
		{1, all, fault.PreconditionFailed},
		{0, all, ""},
		{0, tenant.Settings{}, fault.PreconditionFailed},
		{1, tenant.Settings{}, ""},
		{store.AnyVersion, all, ""},
	} {
		got, err := s.UpdateApp(t.Context(), "acme", "chat", c.ifVersion, func(a *tenant.App) error {
			if a.Name != want.Name || a.Settings != want.Settings {
				t.Errorf("change %d begins with %+v, want %+v", i, a, want)
			}
			a.Name, a.Settings = a.Name+"!", c.settings
			return nil
		})
		wantCode(t, err, c.code)
		if err != nil {
			continue
		}
		want.Name, want.Settings, want.Version = want.Name+"!", c.settings, want.Version+1
		if kept, err := s.App(t.Context(), "acme", "chat"); got != want || kept != want || err != nil {
			t.Errorf("change %d: got %+v, kept %+v, %v; want %+v", i, got, kept, err, want)
		}
	}
	_, err := s.UpdateApp(t.Context(), "acme", "nothing", store.AnyVersion, func(*tenant.App) error { return nil })
	wantCode(t, err, fault.NotFound)

	refused := errors.New("no")
	_, err = s.UpdateApp(t.Context(), "acme", "chat", store.AnyVersion, func(a *tenant.App) error {
		a.Name = "another"
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if kept, err := s.App(t.Context(), "acme", "chat"); kept != want || err != nil {
		t.Errorf("a refused change left %+v, %v; want %+v", kept, err, want)
	}
	if entry, err := s.Entry(t.Context(), "acme", "chat"); entry.App != want || err != nil {
		t.Errorf("the entry has %+v, %v; want %+v", entry.App, err, want)
	}
	if kept, err := s.App(t.Context(), "globex", "chat"); kept != other || err != nil {
		t.Errorf("the other organization's app is %+v, %v; want %+v", kept, err, other)
	}
}

// Changes of different fields at once are all kept.
func testAppChangeRace(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			_, err := s.UpdateApp(t.Context(), "acme", "chat", store.AnyVersion, func(a *tenant.App) error {
				a.Settings.PublishRate++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if a, err := s.App(t.Context(), "acme", "chat"); err != nil || a.Settings.PublishRate != 8 || a.Version != 8 {
		t.Errorf("got %+v, %v", a, err)
	}
	oneWins(t, fault.PreconditionFailed, func(int) error {
		_, err := s.UpdateApp(t.Context(), "acme", "chat", 8, func(*tenant.App) error { return nil })
		return err
	})
}

// An app that was there before there were settings has those of a new one.
func testMigratedSettings(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	_, err := raw(t, cfg).ExecContext(t.Context(),
		`INSERT INTO apps (organization, id, name, retention_micros, created_at)
		 SELECT organization, 'old', name, retention_micros, created_at FROM apps WHERE id = 'chat'`)
	must(t, err)
	a, err := s.App(t.Context(), "acme", "old")
	if err != nil || a.Settings != tenant.DefaultSettings() || a.Version != 0 {
		t.Errorf("got %+v, %v", a, err)
	}
}
