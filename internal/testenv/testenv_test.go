package testenv_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fanfare-mq/fanfare/internal/testenv"
)

func TestPostgresGivesEmptyDatabases(t *testing.T) {
	first, second := testenv.Postgres(t), testenv.Postgres(t)
	for _, url := range []string{first, second} {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE mine (id integer)"); err != nil {
			t.Errorf("not a database of its own: %v", err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestStopTwice(t *testing.T) {
	s, err := testenv.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
	if conn, err := pgx.Connect(t.Context(), s.URL); err == nil {
		t.Error("the server still answers", conn.Close(t.Context()))
	}
}
