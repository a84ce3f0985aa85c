package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// keptChanges is how long changes are kept for nodes to find. Those that look
// for them less often have to read everything again.
const keptChanges = 10 * time.Minute

// touch notes that a subject of an organization has changed (tenant.Change), so
// that all nodes read it again, whatever else they are told. Whoever changes
// what nodes cache calls it in the same transaction.
func (t *transaction) touch(ctx context.Context, org, subject string) error {
	_, err := t.exec(ctx, `INSERT INTO changes (organization, subject, changed_at) VALUES ($1, $2, $3)`,
		org, subject, t.now())
	return err
}

// Changes returns up to limit changes with a number above after, in the order
// of their numbers. A transaction takes at most the time of an operation, ten
// seconds: until then a change can come up whose number is below others'.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]tenant.Change, error) {
	var changes []tenant.Change
	err := s.many(ctx, `SELECT seq, organization, subject FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2`,
		[]any{after, limit}, func(rows *sql.Rows) error {
			var c tenant.Change
			if err := rows.Scan(&c.Seq, &c.Organization, &c.Subject); err != nil {
				return err
			}
			changes = append(changes, c)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// Sweep takes away what is worth nothing any more: changes that every node has
// found, and revocations of tokens that have expired by themselves.
func (s *Store) Sweep(ctx context.Context) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		now := s.now()
		if _, err := tx.exec(ctx, `DELETE FROM changes WHERE changed_at <= $1`, now.Add(-keptChanges)); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `DELETE FROM revocations WHERE expires_at <= $1`, now)
		return err
	})
}
