package store_test

import (
	"bytes"
	"database/sql"
	"reflect"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testEntry(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	app, _, signing := addApp(t, s, "acme", "chat")
	addApp(t, s, "acme", "other")
	rules := []tenant.Rule{{
		Effect: tenant.Deny, Action: tenant.All, Topic: "acme/chat/secret/#", Who: tenant.Who{Everyone: true},
	}}
	acl, err := setACL(t, s, "acme", "chat", rules, store.AnyVersion)
	must(t, err)

	want := tenant.Entry{App: app, Plan: tenant.DefaultPlan, SigningKeys: []tenant.SigningKey{signing}, ACL: acl}
	got, err := s.Entry(t.Context(), "acme", "chat")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	got, err = s.EntryByKID(t.Context(), signing.KID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}

	// During a rotation there are two keys, before the first one none.
	db := raw(t, cfg)
	newer := signing
	newer.KID, newer.Secret = tenant.NewID("sk"), "a newer secret"
	_, err = db.ExecContext(t.Context(),
		`INSERT INTO signing_keys (kid, organization, app, algorithm, secret, created_at)
		 SELECT $1, organization, app, algorithm, $2, created_at FROM signing_keys WHERE kid = $3`,
		newer.KID, sealer(t, 1).Seal([]byte(newer.Secret), store.SigningKeyContext(newer)), signing.KID)
	must(t, err)
	want.SigningKeys = []tenant.SigningKey{newer, signing}
	got, err = s.EntryByKID(t.Context(), signing.KID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	_, err = db.ExecContext(t.Context(), `DELETE FROM signing_keys WHERE app = 'chat'`)
	must(t, err)
	got, err = s.Entry(t.Context(), "acme", "chat")
	if err != nil || got.App != app || len(got.SigningKeys) != 0 {
		t.Errorf("got %+v, %v; want the app without keys", got, err)
	}
	_, err = s.EntryByKID(t.Context(), signing.KID)
	wantCode(t, err, fault.NotFound)
}

// raw opens the database past the store.
func raw(t *testing.T, cfg store.Config) *sql.DB {
	t.Helper()
	driver, address := "pgx", cfg.PostgresURL
	if cfg.Path != "" {
		driver, address = "sqlite", store.SQLiteAddress(cfg.Path)
	}
	db, err := sql.Open(driver, address)
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func testSealed(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	_, _, signing := addApp(t, s, "acme", "chat")
	var kept []byte
	err := raw(t, cfg).QueryRowContext(t.Context(), `SELECT secret FROM signing_keys WHERE kid = $1`, signing.KID).Scan(&kept)
	must(t, err)
	if bytes.Contains(kept, []byte(signing.Secret)) || len(kept) <= len(signing.Secret) {
		t.Errorf("the secret is kept as %q", kept)
	}
}

// Whoever can write to the database cannot give one app's secret to another.
func testSealBinding(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	_, _, ours := addApp(t, s, "acme", "chat")
	_, _, theirs := addApp(t, s, "globex", "chat")
	db := raw(t, cfg)
	_, err := db.ExecContext(t.Context(),
		`UPDATE signing_keys SET secret = (SELECT secret FROM signing_keys WHERE kid = $1) WHERE kid = $2`,
		ours.KID, theirs.KID)
	must(t, err)
	_, err = s.Entry(t.Context(), "globex", "chat")
	wantCode(t, err, fault.Internal)
	_, err = db.ExecContext(t.Context(), `UPDATE signing_keys SET organization = 'globex' WHERE kid = $1`, ours.KID)
	must(t, err)
	_, err = s.EntryByKID(t.Context(), ours.KID)
	wantCode(t, err, fault.Internal)
}
