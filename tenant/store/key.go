package store

import (
	"context"
	"database/sql"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

func insertAPIKey(ctx context.Context, tx *transaction, key tenant.APIKey) error {
	_, err := tx.exec(ctx,
		`INSERT INTO api_keys (id, organization, app, name, hash, scopes, addresses, across, expires_at, created_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		key.ID, key.Organization, key.App, key.Name, key.Hash, joinScopes(key.Scopes), joinNetworks(key.Addresses),
		asInt(key.Across), key.ExpiresAt, key.CreatedAt)
	return err
}

// addAPIKey adds a key to an app that has room for it. Keys that have expired
// long ago make room.
func addAPIKey(ctx context.Context, tx *transaction, key tenant.APIKey) error {
	_, err := tx.exec(ctx, `DELETE FROM api_keys WHERE organization = $1 AND app = $2 AND expires_at < $3`,
		key.Organization, key.App, key.CreatedAt.Add(-tenant.ExpiredKeysFor))
	if err != nil {
		return err
	}
	if err := insertAPIKey(ctx, tx, key); err != nil {
		return err
	}
	// Two at once may both get in at the limit, which does no harm.
	var n int
	err = tx.one(ctx, "app", `SELECT COUNT(*) FROM api_keys WHERE organization = $1 AND app = $2`,
		[]any{key.Organization, key.App}, &n)
	if err == nil && n > tenant.MaxAPIKeys {
		return fault.Newf(fault.QuotaExceeded, "the app has %d API keys already", tenant.MaxAPIKeys)
	}
	return err
}

// keyColumns are what scanKey reads, from api_keys k.
const keyColumns = `k.id, k.organization, k.app, k.name, k.hash, k.scopes, k.addresses, k.across, k.expires_at,
	k.last_used_at, k.last_used_from, k.replaced_by, k.version, k.created_at`

func scanKey(k *tenant.APIKey) []any {
	return []any{
		&k.ID, &k.Organization, &k.App, &k.Name,
		hashScanner{&k.Hash},
		scopesScanner{&k.Scopes},
		networksScanner{&k.Addresses},
		boolScanner{&k.Across},
		timeScanner{&k.ExpiresAt},
		timeScanner{&k.LastUsedAt},
		&k.LastUsedFrom, &k.ReplacedBy, &k.Version,
		timeScanner{&k.CreatedAt},
	}
}

// keyQuery reads one key of an app.
const keyQuery = `SELECT ` + keyColumns + ` FROM api_keys k WHERE k.organization = $1 AND k.app = $2 AND k.id = $3`

// APIKeyByHash returns the API key whose secret has the hash, also if it has
// expired, and whether its organization is suspended; or fault.NotFound.
func (s *Store) APIKeyByHash(ctx context.Context, hash [32]byte) (tenant.APIKey, error) {
	var k tenant.APIKey
	err := s.one(ctx, "API key",
		`SELECT `+keyColumns+`, CASE WHEN o.suspended_at IS NULL THEN 0 ELSE 1 END
		 FROM api_keys k JOIN organizations o ON o.slug = k.organization
		 WHERE k.hash = $1 AND o.deleted_at IS NULL`, []any{hash},
		append(scanKey(&k), boolScanner{&k.Suspended})...)
	if err != nil {
		return tenant.APIKey{}, err
	}
	return k, nil
}

// CreateAPIKey adds a key to an app. It fails with fault.QuotaExceeded if the
// app has tenant.MaxAPIKeys of them, and with fault.NotFound if there is no such
// app.
func (s *Store) CreateAPIKey(ctx context.Context, key tenant.APIKey) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := addAPIKey(ctx, tx, key); err != nil {
			return err
		}
		return tx.touch(ctx, key.Organization, key.App)
	})
}

// APIKey returns one key of an app, or fault.NotFound.
func (s *Store) APIKey(ctx context.Context, org, app, id string) (tenant.APIKey, error) {
	var k tenant.APIKey
	if err := s.one(ctx, "API key", keyQuery, []any{org, app, id}, scanKey(&k)...); err != nil {
		return tenant.APIKey{}, err
	}
	return k, nil
}

// APIKeys returns up to limit keys of an app in the order of their ids, the
// oldest first, beginning behind the id after.
func (s *Store) APIKeys(ctx context.Context, org, app, after string, limit int) ([]tenant.APIKey, error) {
	keys := []tenant.APIKey{}
	err := s.many(ctx,
		`SELECT `+keyColumns+` FROM api_keys k
		 WHERE k.organization = $1 AND k.app = $2 AND k.id > $3 ORDER BY k.id LIMIT $4`,
		[]any{org, app, after, limit}, func(rows *sql.Rows) error {
			var k tenant.APIKey
			if err := rows.Scan(scanKey(&k)...); err != nil {
				return err
			}
			keys = append(keys, k)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// lockAPIKey reads a key that nobody else changes until the transaction ends,
// and gives it its next version if it has the version ifVersion, or in any case
// with AnyVersion.
func lockAPIKey(ctx context.Context, tx *transaction, org, app, id string, ifVersion int64) (tenant.APIKey, error) {
	var k tenant.APIKey
	current, err := tx.exec(ctx,
		`UPDATE api_keys SET version = version + 1
		 WHERE organization = $1 AND app = $2 AND id = $3
		   AND (CAST($4 AS bigint) < 0 OR version = CAST($4 AS bigint))`,
		org, app, id, ifVersion)
	if err == nil {
		err = tx.one(ctx, "API key", keyQuery, []any{org, app, id}, scanKey(&k)...)
	}
	if err == nil && !current {
		err = fault.New(fault.PreconditionFailed, "the API key has changed since it was read")
	}
	return k, err
}

// UpdateAPIKey changes a key's name, scopes, addresses and end by the function
// change if it has the version ifVersion, or in any case with AnyVersion, and
// returns it with its new version. It fails with what change fails with, with
// fault.PreconditionFailed if the key has changed since, and with
// fault.NotFound if there is none.
func (s *Store) UpdateAPIKey(
	ctx context.Context, org, app, id string, ifVersion int64, change func(*tenant.APIKey) error,
) (tenant.APIKey, error) {
	var k tenant.APIKey
	err := s.change(ctx, func(ctx context.Context, tx *transaction) (err error) {
		if k, err = lockAPIKey(ctx, tx, org, app, id, ifVersion); err != nil {
			return err
		}
		if err := change(&k); err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`UPDATE api_keys SET name = $1, scopes = $2, addresses = $3, expires_at = $4
			 WHERE organization = $5 AND app = $6 AND id = $7`,
			k.Name, joinScopes(k.Scopes), joinNetworks(k.Addresses), k.ExpiresAt, org, app, id)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
	if err != nil {
		return tenant.APIKey{}, err
	}
	return k, nil
}

// RotateAPIKey puts the key that rotate returns in the place of one, and
// returns both. rotate gets the last one and decides when that ends. It fails
// with what rotate fails with, with fault.QuotaExceeded if the app has
// tenant.MaxAPIKeys of them, and with fault.NotFound if there is no such key.
func (s *Store) RotateAPIKey(
	ctx context.Context, org, app, id string, rotate func(last *tenant.APIKey) (tenant.APIKey, error),
) (last, next tenant.APIKey, err error) {
	err = s.change(ctx, func(ctx context.Context, tx *transaction) (err error) {
		if last, err = lockAPIKey(ctx, tx, org, app, id, AnyVersion); err != nil {
			return err
		}
		if next, err = rotate(&last); err != nil {
			return err
		}
		if err := addAPIKey(ctx, tx, next); err != nil {
			return err
		}
		last.ReplacedBy = next.ID
		_, err = tx.exec(ctx,
			`UPDATE api_keys SET expires_at = $1, replaced_by = $2 WHERE organization = $3 AND app = $4 AND id = $5`,
			last.ExpiresAt, last.ReplacedBy, org, app, id)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
	if err != nil {
		return tenant.APIKey{}, tenant.APIKey{}, err
	}
	return last, next, nil
}

// DeleteAPIKey takes a key away unless allow fails with it. It fails with what
// allow fails with, or with fault.NotFound.
func (s *Store) DeleteAPIKey(ctx context.Context, org, app, id string, allow func(*tenant.APIKey) error) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		k, err := lockAPIKey(ctx, tx, org, app, id, AnyVersion)
		if err != nil {
			return err
		}
		if err := allow(&k); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `DELETE FROM api_keys WHERE organization = $1 AND app = $2 AND id = $3`, org, app, id)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
}
