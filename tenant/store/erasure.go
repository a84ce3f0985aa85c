package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// eraseRows is how many rows one statement erases: an organization may have
// millions of logins and audit entries, and a statement has operationTimeout.
const eraseRows = 10_000

func insertErasure(ctx context.Context, tx *transaction, e tenant.Erasure) error {
	_, err := tx.exec(ctx, `INSERT INTO erasures (organization, app, deleted_at) VALUES ($1, $2, $3)`,
		e.Organization, e.App, e.DeletedAt)
	return err
}

// ClaimErasure gives what was deleted first, and not after before, to one worker
// alone until a time, at which another may have it. It fails with fault.NotFound
// if there is nothing to be had.
func (s *Store) ClaimErasure(ctx context.Context, before, until time.Time) (tenant.Erasure, error) {
	var e tenant.Erasure
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		now := s.now()
		err := tx.one(ctx, "erasure",
			`SELECT organization, app, deleted_at FROM erasures
			 WHERE deleted_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $2)
			 ORDER BY deleted_at, organization, app LIMIT 1`,
			[]any{before, now}, &e.Organization, &e.App, timeScanner{&e.DeletedAt})
		if err != nil {
			return err
		}
		claimed, err := tx.exec(ctx,
			`UPDATE erasures SET claimed_until = $1
			 WHERE organization = $2 AND app = $3 AND (claimed_until IS NULL OR claimed_until <= $4)`,
			until, e.Organization, e.App, now)
		if err == nil && !claimed {
			return fault.New(fault.NotFound, "another worker was faster")
		}
		return err
	})
	if err != nil {
		return tenant.Erasure{}, err
	}
	return e, nil
}

// FinishErasure erases the rows that are left of what was claimed, and that it
// was to be erased. Of an organization that is everything: its apps and
// credentials, its members and the people who belong to no other, its
// invitations and its audit log. It can be repeated.
func (s *Store) FinishErasure(ctx context.Context, e tenant.Erasure) error {
	if e.App != "" {
		return s.change(ctx, func(ctx context.Context, tx *transaction) error {
			_, err := tx.exec(ctx, `DELETE FROM erasures WHERE organization = $1 AND app = $2`, e.Organization, e.App)
			return err
		})
	}
	err := s.eraseInParts(ctx, e.Organization,
		`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE organization = $1 LIMIT $2)`,
		`DELETE FROM logins WHERE (organization, app, username) IN
			(SELECT organization, app, username FROM logins WHERE organization = $1 LIMIT $2)`,
		`DELETE FROM revocations WHERE (organization, app, kind, subject) IN
			(SELECT organization, app, kind, subject FROM revocations WHERE organization = $1 LIMIT $2)`)
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		// As lockPerson: who joins another organization right now is seen below.
		_, err := tx.exec(ctx,
			`UPDATE people SET password_hash = password_hash
			 WHERE id IN (SELECT person FROM members WHERE organization = $1)`, e.Organization)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`DELETE FROM people WHERE id IN (SELECT person FROM members WHERE organization = $1)
			 AND NOT EXISTS (SELECT 1 FROM members m WHERE m.person = people.id AND m.organization <> $1)`,
			e.Organization)
		if err != nil {
			return err
		}
		erased, err := tx.exec(ctx, `DELETE FROM organizations WHERE slug = $1 AND deleted_at IS NOT NULL`, e.Organization)
		if err != nil || !erased {
			return err
		}
		// Every node has found them, long ago.
		_, err = tx.exec(ctx, `DELETE FROM changes WHERE organization = $1`, e.Organization)
		return err
	})
}

// eraseInParts repeats each statement until it finds nothing more.
func (s *Store) eraseInParts(ctx context.Context, org string, statements ...string) error {
	for _, statement := range statements {
		for more := true; more; {
			err := s.change(ctx, func(ctx context.Context, tx *transaction) (err error) {
				more, err = tx.exec(ctx, statement, org, eraseRows)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// erasing fails with fault.Conflict if an app of that id is being erased.
func erasing(ctx context.Context, tx *transaction, org, app string) error {
	var there int
	err := tx.tx.QueryRowContext(ctx, `SELECT 1 FROM erasures WHERE organization = $1 AND app = $2`, org, app).Scan(&there)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fault.New(fault.Conflict, "an app of that name is being deleted").At("/id")
}
