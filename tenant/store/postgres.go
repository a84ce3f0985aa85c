package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// The pool of connections to PostgreSQL. The hot path never asks the database,
// so a few connections per node are plenty, and many nodes share one server
// whose default limit is 100.
const (
	postgresMaxOpen     = 16
	postgresMaxIdle     = 4
	postgresMaxIdleTime = 5 * time.Minute
	// A connection is replaced after a while, so that load spreads again after
	// a failover or a new replica behind a proxy.
	postgresMaxLifetime = 30 * time.Minute
	// postgresConnectTimeout bounds one attempt to connect, so that a black
	// hole costs less than an operation's whole time.
	postgresConnectTimeout = 5 * time.Second
)

func openPostgres(ctx context.Context, url string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL URL: %w", err) // pgx leaves the password out
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = postgresConnectTimeout
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(postgresMaxOpen)
	db.SetMaxIdleConns(postgresMaxIdle)
	db.SetConnMaxIdleTime(postgresMaxIdleTime)
	db.SetConnMaxLifetime(postgresMaxLifetime)
	if err := migratePostgres(ctx, db); err != nil {
		return nil, errors.Join(translate(err), db.Close())
	}
	return db, nil
}
