// Package store keeps tenants in PostgreSQL or SQLite. It is the only package
// that speaks SQL, and it speaks the same SQL to both. Its errors are faults
// wherever a caller can act on them: fault.NotFound, fault.Conflict,
// fault.PreconditionFailed, and fault.Unavailable when the database is away.
package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// operationTimeout bounds every operation, whatever its caller's deadline: a
// database that accepts connections and never answers is away like any other.
const operationTimeout = 10 * time.Second

// Config says where the tenants are kept: exactly one of PostgresURL and Path.
type Config struct {
	// PostgresURL is a PostgreSQL connection string.
	PostgresURL string
	// Path is the file of an SQLite database; it is created with mode 0600.
	Path string
	// Sealer encrypts the secrets that must be read back.
	Sealer *tenant.Sealer
	// Now tells the time for housekeeping; nil means time.Now.
	Now func() time.Time
}

// Store is the database of tenants. It is safe for concurrent use.
type Store struct {
	dialect dialect
	// On PostgreSQL both are the same pool. On SQLite write is a single
	// connection, so that writers queue here instead of failing as busy, and
	// read cannot write.
	read, write *sql.DB
	sealer      *tenant.Sealer
	now         func() time.Time
	// maxRevocations is how many an app may have.
	maxRevocations int
}

// Open opens the database, brings its schema up to date under a lock that all
// processes share, and checks that it was made under the same master key.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Sealer == nil {
		return nil, errors.New("store: a sealer is required")
	}
	if (cfg.PostgresURL == "") == (cfg.Path == "") {
		return nil, errors.New("store: either a PostgreSQL URL or an SQLite path is required")
	}
	s := &Store{sealer: cfg.Sealer, now: cfg.Now, maxRevocations: tenant.MaxRevocations}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.connect(ctx, cfg); err != nil {
		return nil, err
	}
	if err := s.checkMasterKey(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, cfg Config) (err error) {
	if cfg.Path != "" {
		s.dialect = sqliteDialect
		s.read, s.write, err = openSQLite(ctx, cfg.Path)
		return err
	}
	s.dialect = postgresDialect
	s.write, err = openPostgres(ctx, cfg.PostgresURL)
	s.read = s.write
	return err
}

// Close closes the database. It may be called twice.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.one(ctx, "answer", `SELECT 1`, nil, &one)
}
