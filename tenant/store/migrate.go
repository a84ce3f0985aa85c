package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/fanfare-mq/fanfare/migrations"
)

// The migration lock is waited for five minutes, on PostgreSQL by trying every
// second: longer than any migration that a starting node should wait for.
const (
	lockPeriodSeconds = 1
	lockTries         = 300
	sqliteLockPragma  = "busy_timeout(300000)" // milliseconds: the same five minutes
)

// migratePostgres migrates under an advisory lock of the database session,
// which ends with the session even if the process dies.
func migratePostgres(ctx context.Context, db *sql.DB) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSeconds, lockTries))
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	return migrate(ctx, goose.DialectPostgres, "postgres", db, goose.WithSessionLocker(locker))
}

// migrateSQLite migrates under the exclusive lock of a second, empty database
// beside the first: SQLite's own file locks work between processes on every
// system, and end with the process. The writer cannot hold such a lock itself,
// since each migration is a transaction of its own.
func migrateSQLite(ctx context.Context, db *sql.DB, path string) (err error) {
	path += ".lock"
	if err := createPrivate(path); err != nil {
		return err
	}
	locks, err := sql.Open("sqlite", sqliteDSN(path, "_txlock=exclusive", sqliteLockPragma))
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	defer func() { err = errors.Join(err, locks.Close()) }()
	held, err := locks.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	defer func() { err = errors.Join(err, held.Rollback()) }()
	return migrate(ctx, goose.DialectSQLite3, "sqlite", db)
}

// migrate applies what is pending. Nodes that start on a current schema do not
// wait for each other's lock.
func migrate(ctx context.Context, dialect goose.Dialect, folder string, db *sql.DB, opts ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations.Files, folder)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	opts = append(opts, goose.WithDisableGlobalRegistry(true), goose.WithTableName("schema_versions"))
	provider, err := goose.NewProvider(dialect, db, files, opts...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if pending, err := provider.HasPending(ctx); err == nil && !pending {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}
