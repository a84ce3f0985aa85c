package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const keySetColumns = `id, organization, app, name, url, document, fetched_at, failed_at, failure, due_at, last_used_at, created_at`

func scanKeySet(k *tenant.KeySet) []any {
	return []any{
		&k.ID, &k.Organization, &k.App, &k.Name, &k.URL, &k.Document,
		timeScanner{&k.FetchedAt},
		timeScanner{&k.FailedAt},
		&k.Failure,
		timeScanner{&k.DueAt},
		timeScanner{&k.LastUsedAt},
		timeScanner{&k.CreatedAt},
	}
}

// CreateKeySet adds a key set to an app. It fails with fault.QuotaExceeded if
// the app has tenant.MaxKeySets of them, and with fault.NotFound if there is no
// such app.
func (s *Store) CreateKeySet(ctx context.Context, k tenant.KeySet) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		_, err := tx.exec(ctx,
			`INSERT INTO key_sets (id, organization, app, name, url, due_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			k.ID, k.Organization, k.App, k.Name, k.URL, k.DueAt, k.CreatedAt)
		if err != nil {
			return err
		}
		// Two at once may both get in at the limit, which does no harm.
		var n int
		err = tx.one(ctx, "app", `SELECT COUNT(*) FROM key_sets WHERE organization = $1 AND app = $2`,
			[]any{k.Organization, k.App}, &n)
		if err == nil && n > tenant.MaxKeySets {
			return fault.Newf(fault.QuotaExceeded, "the app has %d key sets already", tenant.MaxKeySets)
		}
		if err != nil {
			return err
		}
		return tx.touch(ctx, k.Organization, k.App)
	})
}

// KeySet returns one key set of an app, or fault.NotFound.
func (s *Store) KeySet(ctx context.Context, org, app, id string) (tenant.KeySet, error) {
	var k tenant.KeySet
	err := s.one(ctx, "key set", `SELECT `+keySetColumns+` FROM key_sets WHERE organization = $1 AND app = $2 AND id = $3`,
		[]any{org, app, id}, scanKeySet(&k)...)
	if err != nil {
		return tenant.KeySet{}, err
	}
	return k, nil
}

// KeySets returns up to limit key sets of an app in the order of their ids, the
// oldest first, beginning behind the id after.
func (s *Store) KeySets(ctx context.Context, org, app, after string, limit int) ([]tenant.KeySet, error) {
	return s.keySets(ctx, `SELECT `+keySetColumns+` FROM key_sets
		 WHERE organization = $1 AND app = $2 AND id > $3 ORDER BY id LIMIT $4`, org, app, after, limit)
}

func (s *Store) keySets(ctx context.Context, query string, args ...any) ([]tenant.KeySet, error) {
	sets := []tenant.KeySet{}
	err := s.many(ctx, query, args, func(rows *sql.Rows) error {
		var k tenant.KeySet
		if err := rows.Scan(scanKeySet(&k)...); err != nil {
			return err
		}
		sets = append(sets, k)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sets, nil
}

// DeleteKeySet takes a key set away after last has seen it. It fails with what
// last fails with, or with fault.NotFound.
func (s *Store) DeleteKeySet(ctx context.Context, org, app, id string, last func(*tenant.KeySet) error) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		var k tenant.KeySet
		err := tx.one(ctx, "key set", `SELECT `+keySetColumns+` FROM key_sets WHERE organization = $1 AND app = $2 AND id = $3`,
			[]any{org, app, id}, scanKeySet(&k)...)
		if err != nil {
			return err
		}
		if err := last(&k); err != nil {
			return err
		}
		gone, err := tx.exec(ctx, `DELETE FROM key_sets WHERE organization = $1 AND app = $2 AND id = $3`, org, app, id)
		if err == nil && !gone {
			return found("key set", sql.ErrNoRows) // another was faster
		}
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
}

// ClaimKeySets returns up to limit key sets, of all organizations that are not
// suspended, whose address is to be asked again, and makes them due at until
// for everybody else: of several nodes one gets each.
func (s *Store) ClaimKeySets(ctx context.Context, now, until time.Time, limit int) ([]tenant.KeySet, error) {
	due, err := s.keySets(ctx, `SELECT `+keySetColumns+` FROM key_sets WHERE due_at <= $1 AND organization IN (
		   SELECT slug FROM organizations WHERE suspended_at IS NULL AND deleted_at IS NULL)
		 ORDER BY due_at LIMIT $2`, now, limit)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	claimed := due[:0]
	err = s.change(ctx, func(ctx context.Context, tx *transaction) error {
		for _, k := range due {
			ours, err := tx.exec(ctx, `UPDATE key_sets SET due_at = $1
				 WHERE organization = $2 AND app = $3 AND id = $4 AND due_at <= $5`, until, k.Organization, k.App, k.ID, now)
			if err != nil {
				return err
			}
			if ours {
				claimed = append(claimed, k)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// SaveKeySet keeps a document that was asked for at a time, unless a newer one
// is there, and says whether it is another than before. It fails with
// fault.NotFound if there is no such key set.
func (s *Store) SaveKeySet(ctx context.Context, org, app, id, document string, asked, due time.Time) (changed bool, err error) {
	err = s.change(ctx, func(ctx context.Context, tx *transaction) error {
		const newest = ` WHERE organization = $1 AND app = $2 AND id = $3 AND (fetched_at IS NULL OR fetched_at <= $4)`
		changed, err = tx.exec(ctx, `UPDATE key_sets SET document = $5`+newest+` AND document <> $5`, org, app, id, asked, document)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE key_sets SET fetched_at = $4, failed_at = NULL, failure = '', due_at = $5`+newest,
			org, app, id, asked, due)
		if err != nil {
			return err
		}
		if changed {
			if err := tx.touch(ctx, org, app); err != nil {
				return err
			}
		}
		var there string
		return tx.one(ctx, "key set", `SELECT id FROM key_sets WHERE organization = $1 AND app = $2 AND id = $3`,
			[]any{org, app, id}, &there)
	})
	return changed && err == nil, err
}

// FailKeySet notes that a key set's address failed at a time, and how. Its
// document stays.
func (s *Store) FailKeySet(ctx context.Context, org, app, id, failure string, at, due time.Time) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		noted, err := tx.exec(ctx, `UPDATE key_sets SET failed_at = $1, failure = $2, due_at = $3
			 WHERE organization = $4 AND app = $5 AND id = $6`, at, failure, due, org, app, id)
		if err == nil && !noted {
			return found("key set", sql.ErrNoRows)
		}
		return err
	})
}
