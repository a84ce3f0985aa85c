package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testOpen(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
	must(t, s.Close())
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store answers")
	}
}

func testOpenTwice(t *testing.T, cfg store.Config) {
	first := open(t, cfg)
	signUp(t, first, "acme")
	second := open(t, cfg)
	if _, err := second.Organization(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	signUp(t, second, "globex")
	if _, err := first.Organization(t.Context(), "globex"); err != nil {
		t.Error(err)
	}
}

// Nodes of a cluster start together on an empty database.
func testOpenAtOnce(t *testing.T, cfg store.Config) {
	const nodes = 6
	var wait sync.WaitGroup
	for range nodes {
		wait.Go(func() {
			s, err := store.Open(t.Context(), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func testMasterKey(t *testing.T, cfg store.Config) {
	open(t, cfg)
	cfg.Sealer = sealer(t, 2)
	s, err := store.Open(t.Context(), cfg)
	if err == nil {
		t.Fatal("opened under another master key", s.Close())
	}
	if !errors.Is(err, tenant.ErrSealed) || !strings.Contains(err.Error(), "master key") {
		t.Errorf("got %v", err)
	}
}

func testCancelled(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Organization(ctx, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	err := s.CreateOrganization(ctx, tenant.Organization{Slug: "acme"}, tenant.Member{}, "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_, err = s.Organization(t.Context(), "acme")
	wantCode(t, err, fault.NotFound)
}

func TestOpenWantsOneDatabase(t *testing.T) {
	for _, cfg := range []store.Config{
		{Sealer: sealer(t, 1)},
		{Sealer: sealer(t, 1), Path: filepath.Join(t.TempDir(), "a.db"), PostgresURL: "postgres://localhost/x"},
		{Path: filepath.Join(t.TempDir(), "b.db")},
	} {
		if s, err := store.Open(t.Context(), cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
			must(t, s.Close())
		}
	}
}

func TestOpenErrorKeepsThePassword(t *testing.T) {
	for _, url := range []string{
		"postgres://fanfare:hunter2hunter2@127.0.0.1:1/x?sslmode=disable",
		"postgres://fanfare:hunter2hunter2@127.0.0.1:99999999/x",
	} {
		s, err := store.Open(t.Context(), store.Config{PostgresURL: url, Sealer: sealer(t, 1)})
		if err == nil {
			t.Fatal("opened a database that is not there", s.Close())
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is shown: %v", err)
		}
	}
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "fanfare.db")
	must(t, os.WriteFile(path, nil, 0o666))
	s := open(t, store.Config{Path: path, Sealer: sealer(t, 1)})
	signUp(t, s, "acme") // so that the side files of the write-ahead log are there
	files, err := os.ReadDir(folder)
	must(t, err)
	if len(files) < 3 {
		t.Errorf("only %d files, no write-ahead log?", len(files))
	}
	for _, file := range files {
		info, err := file.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", file.Name(), info.Mode())
		}
	}
}

func TestSQLiteInAFolderThatIsNotThere(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "no", "x.db"), Sealer: sealer(t, 1)})
	if err == nil {
		t.Fatal("opened", s.Close())
	}
}
