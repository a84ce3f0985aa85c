package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// one reads the only row of a query, or says that there is no such what.
func (s *Store) one(ctx context.Context, what, query string, args []any, dst ...any) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	err := s.read.QueryRowContext(ctx, query, s.dialect.bind(args)...).Scan(dst...)
	return found(what, err)
}

// many reads every row of a query; scan is called with each.
func (s *Store) many(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, query, s.dialect.bind(args)...)
	if err != nil {
		return translate(err)
	}
	defer rows.Close() //nolint:errcheck // Err below has said everything
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	return translate(rows.Err())
}

// change runs fn in one transaction, which is undone if fn fails. An entry of
// the audit log that ctx brings is kept in the same transaction.
func (s *Store) change(ctx context.Context, fn func(context.Context, *transaction) error) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	t := &transaction{tx: tx, dialect: s.dialect, now: s.now}
	err = fn(ctx, t)
	if entry := tenant.AuditOf(ctx); err == nil && entry != nil {
		err = insertAudit(ctx, t, entry)
	}
	if err != nil {
		// If the connection is gone so is the transaction, and err says why.
		_ = tx.Rollback()
		return translate(err)
	}
	return translate(tx.Commit())
}

// transaction is one change under way.
type transaction struct {
	tx      *sql.Tx
	dialect dialect
	now     func() time.Time
}

// exec reports whether the statement touched a row.
func (t *transaction) exec(ctx context.Context, query string, args ...any) (bool, error) {
	result, err := t.tx.ExecContext(ctx, query, t.dialect.bind(args)...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// one is Store.one within the transaction.
func (t *transaction) one(ctx context.Context, what, query string, args []any, dst ...any) error {
	return found(what, t.tx.QueryRowContext(ctx, query, t.dialect.bind(args)...).Scan(dst...))
}

// remove takes one row away, or says that there is no such what.
func (t *transaction) remove(ctx context.Context, what, query string, args ...any) error {
	removed, err := t.exec(ctx, query, args...)
	if err == nil && !removed {
		err = sql.ErrNoRows
	}
	if err != nil {
		return found(what, err)
	}
	return nil
}
