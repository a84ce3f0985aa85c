package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// insertAudit keeps an entry of the audit log.
func insertAudit(ctx context.Context, tx *transaction, e *tenant.AuditEntry) error {
	e.ID = tenant.NewID("aud")
	_, err := tx.exec(ctx,
		`INSERT INTO audit (id, organization, app, actor_kind, actor, actor_name, address, request_id,
			action, target, before, after, created_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		e.ID, e.Organization, e.App, string(e.ActorKind), e.Actor, e.ActorName, e.Address, e.RequestID,
		e.Action, e.Target, string(e.Before), string(e.After), e.CreatedAt)
	return err
}

// KeepAudit keeps entries of what was no change of the store.
func (s *Store) KeepAudit(ctx context.Context, entries []tenant.AuditEntry) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		for i := range entries {
			if err := insertAudit(ctx, tx, &entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

const auditColumns = `id, organization, app, actor_kind, actor, actor_name, address, request_id, action, target,
	before, after, created_at`

// Audit returns the entries of the audit log that are wanted, the newest first.
func (s *Store) Audit(ctx context.Context, q tenant.AuditQuery) ([]tenant.AuditEntry, error) {
	where, args := conditions(q)
	entries := []tenant.AuditEntry{}
	err := s.many(ctx,
		fmt.Sprintf(`SELECT %s FROM audit WHERE %s ORDER BY id DESC LIMIT $%d`, auditColumns, where, len(args)+1),
		append(args, q.Limit), func(rows *sql.Rows) error {
			var e tenant.AuditEntry
			var before, after string
			err := rows.Scan(&e.ID, &e.Organization, &e.App, &e.ActorKind, &e.Actor, &e.ActorName, &e.Address,
				&e.RequestID, &e.Action, &e.Target, &before, &after, timeScanner{&e.CreatedAt})
			if before != "" {
				e.Before = []byte(before)
			}
			if after != "" {
				e.After = []byte(after)
			}
			entries = append(entries, e)
			return err
		})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// conditions are a query's as SQL. A "?" stands for the argument.
func conditions(q tenant.AuditQuery) (where string, args []any) {
	parts := []string{"1 = 1"}
	exact := strings.Contains(q.Action, ".")
	for _, c := range []struct {
		condition string
		wanted    bool
		value     any
	}{
		{"organization = ?", q.Organization != "", q.Organization},
		{"app = ?", q.App != "", q.App},
		{"(actor = ? OR actor_name = ?)", q.Actor != "", q.Actor},
		{`action = ?`, exact, q.Action},
		{`action LIKE ? ESCAPE '\'`, q.Action != "" && !exact, likeLiteral(q.Action) + ".%"},
		{"created_at >= ?", !q.Since.IsZero(), q.Since},
		{"created_at < ?", !q.Until.IsZero(), q.Until},
		{"id < ?", q.Before != "", q.Before},
	} {
		if c.wanted {
			args = append(args, c.value)
			parts = append(parts, strings.ReplaceAll(c.condition, "?", fmt.Sprintf("$%d", len(args))))
		}
	}
	return strings.Join(parts, " AND "), args
}

// PruneAudit erases entries of the audit log from before a time, at most
// eraseRows of them, and says whether there may be more.
func (s *Store) PruneAudit(ctx context.Context, before time.Time) (more bool, err error) {
	err = s.change(ctx, func(ctx context.Context, tx *transaction) error {
		more, err = tx.exec(ctx,
			`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE created_at < $1 LIMIT $2)`, before, eraseRows)
		return err
	})
	return more, err
}
