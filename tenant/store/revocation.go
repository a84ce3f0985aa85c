package store

import (
	"context"
	"database/sql"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const revocationColumns = `organization, app, kind, subject, issued_before, expires_at, created_at`

func scanRevocation(r *tenant.Revocation) []any {
	return []any{
		&r.Organization, &r.App, &r.Kind, &r.Subject,
		timeScanner{&r.IssuedBefore},
		timeScanner{&r.ExpiresAt},
		timeScanner{&r.CreatedAt},
	}
}

// Revoke keeps a revocation. One that is there only grows: the later of both
// times holds. It returns what holds now, and fails with fault.QuotaExceeded if
// the app has tenant.MaxRevocations, with fault.NotFound if there is no such app.
func (s *Store) Revoke(ctx context.Context, r tenant.Revocation) (tenant.Revocation, error) {
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		_, err := tx.exec(ctx, `DELETE FROM revocations WHERE organization = $1 AND app = $2 AND expires_at <= $3`,
			r.Organization, r.App, s.now())
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`INSERT INTO revocations (`+revocationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			 ON CONFLICT (organization, app, kind, subject) DO UPDATE SET
			   issued_before = CASE WHEN excluded.issued_before > revocations.issued_before
			                        THEN excluded.issued_before ELSE revocations.issued_before END,
			   expires_at = CASE WHEN excluded.expires_at > revocations.expires_at
			                     THEN excluded.expires_at ELSE revocations.expires_at END,
			   created_at = excluded.created_at`,
			r.Organization, r.App, string(r.Kind), r.Subject, r.IssuedBefore, r.ExpiresAt, r.CreatedAt)
		if err != nil {
			return err
		}
		if err := s.admitRevocation(ctx, tx, &r); err != nil {
			return err
		}
		return tx.touch(ctx, r.Organization, r.Change(r.App))
	})
	if err != nil {
		return tenant.Revocation{}, err
	}
	return r, nil
}

// admitRevocation reads what is kept, if it is not too much.
func (s *Store) admitRevocation(ctx context.Context, tx *transaction, r *tenant.Revocation) error {
	// Two at once may both get in at the limit, which does no harm.
	var n int
	err := tx.one(ctx, "app", `SELECT COUNT(*) FROM revocations WHERE organization = $1 AND app = $2`,
		[]any{r.Organization, r.App}, &n)
	if err != nil {
		return err
	}
	if n > s.maxRevocations {
		return fault.Newf(fault.QuotaExceeded, "the app has %d revocations already", s.maxRevocations)
	}
	return tx.one(ctx, "revocation",
		`SELECT `+revocationColumns+` FROM revocations WHERE organization = $1 AND app = $2 AND kind = $3 AND subject = $4`,
		[]any{r.Organization, r.App, string(r.Kind), r.Subject}, scanRevocation(r)...)
}

// Revocation returns one revocation of an app, or fault.NotFound; it is not
// found any more once it has expired.
func (s *Store) Revocation(ctx context.Context, org, app string, id tenant.RevocationID) (tenant.Revocation, error) {
	var r tenant.Revocation
	err := s.one(ctx, "revocation",
		`SELECT `+revocationColumns+` FROM revocations
		 WHERE organization = $1 AND app = $2 AND kind = $3 AND subject = $4 AND expires_at > $5`,
		[]any{org, app, string(id.Kind), id.Subject, s.now()}, scanRevocation(&r)...)
	if err != nil {
		return tenant.Revocation{}, err
	}
	return r, nil
}

// Revocations returns up to limit revocations of an app that have not expired,
// in the order of their kinds and subjects, beginning behind one.
func (s *Store) Revocations(
	ctx context.Context, org, app string, after tenant.RevocationID, limit int,
) ([]tenant.Revocation, error) {
	revocations := []tenant.Revocation{}
	err := s.many(ctx,
		`SELECT `+revocationColumns+` FROM revocations
		 WHERE organization = $1 AND app = $2 AND (kind, subject) > ($3, $4) AND expires_at > $5
		 ORDER BY kind, subject LIMIT $6`,
		[]any{org, app, string(after.Kind), after.Subject, s.now(), limit}, func(rows *sql.Rows) error {
			var r tenant.Revocation
			if err := rows.Scan(scanRevocation(&r)...); err != nil {
				return err
			}
			revocations = append(revocations, r)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return revocations, nil
}

// Unrevoke lifts a revocation, or fails with fault.NotFound.
func (s *Store) Unrevoke(ctx context.Context, org, app string, id tenant.RevocationID) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		err := tx.remove(ctx, "revocation",
			`DELETE FROM revocations WHERE organization = $1 AND app = $2 AND kind = $3 AND subject = $4`,
			org, app, string(id.Kind), id.Subject)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, id.Change(app))
	})
}
