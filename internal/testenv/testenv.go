package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The environment in which the test runner names its servers.
const (
	PostgresVariable = "FANFARE_TEST_POSTGRES_URL"
	RedisVariable    = "FANFARE_TEST_REDIS_URL"
)

// Postgres returns the URL of a new, empty database that goes away with the
// test. Its server is that of PostgresVariable; without one, a private server
// starts, and stops when the last test that uses it has ended. A test that
// wants many databases in subtests asks for one itself first, so that a private
// server starts once.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(PostgresVariable)
	if server == "" {
		server = private.postgres.use(t, "PostgreSQL", StartPostgres)
	}
	name := "test_" + strings.ToLower(rand.Text())
	execute(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", PostgresVariable, err)
	}
	u.Path = "/" + name
	return u.String()
}

// Redis returns the URL of a Redis server that other tests use too: a test
// keeps to keys with a prefix of its own. It is that of RedisVariable, or a
// private one as with Postgres.
func Redis(t testing.TB) string {
	t.Helper()
	if server := os.Getenv(RedisVariable); server != "" {
		return server
	}
	return private.redis.use(t, "Redis", StartRedis)
}

func execute(t testing.TB, server, statement string) {
	t.Helper()
	ctx := context.Background() // also in a cleanup, where the test's own is done
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement's error counts
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
}

// private are the servers of a test program that was not started by the test
// runner, shared by its tests. (A test program has no other place for them.)
var private struct{ postgres, redis shared }

type shared struct {
	mu     sync.Mutex
	users  int
	server *Server
}

func (s *shared) use(t testing.TB, name string, start func(context.Context) (*Server, error)) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		server, err := start(context.Background())
		if err != nil {
			t.Fatalf("this test needs %s (%v): run it through `make test`", name, err)
		}
		s.server = server
	}
	s.users++
	t.Cleanup(func() { s.release(t, name) })
	return s.server.URL
}

func (s *shared) release(t testing.TB, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 {
		return
	}
	if err := s.server.Stop(); err != nil {
		t.Errorf("stop %s: %v", name, err)
	}
}

// Describe names the server for a log line, without its password.
func (s *Server) Describe() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "a server"
	}
	return fmt.Sprintf("%s on %s", u.Scheme, u.Host)
}
