package store

import (
	"context"
	"database/sql"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// signingKeyColumns are what scanSigningKey reads: all but the secret, which
// the entry of an app alone has.
const signingKeyColumns = `kid, organization, app, name, algorithm, public_key, expires_at, last_used_at, replaced_by, version, created_at`

func scanSigningKey(k *tenant.SigningKey) []any {
	return []any{
		&k.KID, &k.Organization, &k.App, &k.Name, &k.Algorithm, &k.PublicKey,
		timeScanner{&k.ExpiresAt},
		timeScanner{&k.LastUsedAt},
		&k.ReplacedBy, &k.Version,
		timeScanner{&k.CreatedAt},
	}
}

// signingKeyQuery reads one signing key.
const signingKeyQuery = `SELECT ` + signingKeyColumns + ` FROM signing_keys
	WHERE organization = $1 AND app = $2 AND kid = $3`

func (s *Store) insertSigningKey(ctx context.Context, tx *transaction, key tenant.SigningKey) error {
	_, err := tx.exec(ctx,
		`INSERT INTO signing_keys (kid, organization, app, name, algorithm, secret, public_key, expires_at, created_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		key.KID, key.Organization, key.App, key.Name, string(key.Algorithm),
		s.sealer.Seal([]byte(key.Secret), signingKeyContext(key)), key.PublicKey, key.ExpiresAt, key.CreatedAt)
	return err
}

// signingKeyContext binds a sealed secret to its key and its app: copied into
// another row it does not open.
func signingKeyContext(key tenant.SigningKey) string {
	return "signing_keys/" + key.Organization + "/" + key.App + "/" + key.KID
}

// CreateSigningKey adds a signing key to an app. It fails with
// fault.QuotaExceeded if the app has tenant.MaxSigningKeys of them, and with
// fault.NotFound if there is no such app.
func (s *Store) CreateSigningKey(ctx context.Context, key tenant.SigningKey) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error { return s.addSigningKey(ctx, tx, key) })
}

// addSigningKey adds a key to an app that has room for it. Keys that have
// expired long ago make room.
func (s *Store) addSigningKey(ctx context.Context, tx *transaction, key tenant.SigningKey) error {
	_, err := tx.exec(ctx, `DELETE FROM signing_keys WHERE organization = $1 AND app = $2 AND expires_at < $3`,
		key.Organization, key.App, key.CreatedAt.Add(-tenant.ExpiredKeysFor))
	if err != nil {
		return err
	}
	if err := s.insertSigningKey(ctx, tx, key); err != nil {
		return err
	}
	// Two at once may both get in at the limit, which does no harm.
	var n int
	err = tx.one(ctx, "app", `SELECT COUNT(*) FROM signing_keys WHERE organization = $1 AND app = $2`,
		[]any{key.Organization, key.App}, &n)
	if err == nil && n > tenant.MaxSigningKeys {
		return fault.Newf(fault.QuotaExceeded, "the app has %d signing keys already", tenant.MaxSigningKeys)
	}
	if err != nil {
		return err
	}
	return tx.touch(ctx, key.Organization, key.App)
}

// SigningKeys returns up to limit signing keys of an app in the order of their
// kids, the oldest first, beginning behind the kid after, without secrets.
func (s *Store) SigningKeys(ctx context.Context, org, app, after string, limit int) ([]tenant.SigningKey, error) {
	keys := []tenant.SigningKey{}
	err := s.many(ctx, `SELECT `+signingKeyColumns+` FROM signing_keys
		 WHERE organization = $1 AND app = $2 AND kid > $3 ORDER BY kid LIMIT $4`,
		[]any{org, app, after, limit}, func(rows *sql.Rows) error {
			var k tenant.SigningKey
			if err := rows.Scan(scanSigningKey(&k)...); err != nil {
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

// SigningKey returns one signing key of an app without its secret, or
// fault.NotFound.
func (s *Store) SigningKey(ctx context.Context, org, app, kid string) (tenant.SigningKey, error) {
	var k tenant.SigningKey
	if err := s.one(ctx, "signing key", signingKeyQuery, []any{org, app, kid}, scanSigningKey(&k)...); err != nil {
		return tenant.SigningKey{}, err
	}
	return k, nil
}

// UpdateSigningKey changes the name and the expiry of a signing key by the
// function change if the key has the version ifVersion, or in any case with
// AnyVersion, and returns it with its new version. It fails with what change
// fails with, with fault.PreconditionFailed if the key has changed since, and
// with fault.NotFound if there is none.
func (s *Store) UpdateSigningKey(
	ctx context.Context, org, app, kid string, ifVersion int64, change func(*tenant.SigningKey) error,
) (tenant.SigningKey, error) {
	var k tenant.SigningKey
	err := s.change(ctx, func(ctx context.Context, tx *transaction) (err error) {
		if k, err = lockSigningKey(ctx, tx, org, app, kid, ifVersion); err != nil {
			return err
		}
		if err := change(&k); err != nil {
			return err
		}
		return writeSigningKey(ctx, tx, k)
	})
	if err != nil {
		return tenant.SigningKey{}, err
	}
	return k, nil
}

// RotateSigningKey puts a key in another one's place, all or nothing: rotate
// gets the old one, changes when it expires and what has replaced it, and
// returns the new one. It fails with what rotate fails with, with
// fault.NotFound, and with fault.QuotaExceeded as CreateSigningKey does.
func (s *Store) RotateSigningKey(
	ctx context.Context, org, app, kid string, rotate func(old *tenant.SigningKey) (tenant.SigningKey, error),
) (old, next tenant.SigningKey, err error) {
	err = s.change(ctx, func(ctx context.Context, tx *transaction) (err error) {
		if old, err = lockSigningKey(ctx, tx, org, app, kid, AnyVersion); err != nil {
			return err
		}
		if next, err = rotate(&old); err != nil {
			return err
		}
		if err := writeSigningKey(ctx, tx, old); err != nil {
			return err
		}
		next.Organization, next.App = org, app
		return s.addSigningKey(ctx, tx, next)
	})
	if err != nil {
		return tenant.SigningKey{}, tenant.SigningKey{}, err
	}
	return old, next, nil
}

// lockSigningKey reads a key that the transaction is going to change, with its
// new version, if it has a version.
func lockSigningKey(
	ctx context.Context, tx *transaction, org, app, kid string, ifVersion int64,
) (k tenant.SigningKey, err error) {
	// The new version comes first: it locks the row for what is read then.
	current, err := tx.exec(ctx, `UPDATE signing_keys SET version = version + 1
		 WHERE organization = $1 AND app = $2 AND kid = $3
		   AND (CAST($4 AS bigint) < 0 OR version = CAST($4 AS bigint))`, org, app, kid, ifVersion)
	if err != nil {
		return k, err
	}
	err = tx.one(ctx, "signing key", signingKeyQuery, []any{org, app, kid}, scanSigningKey(&k)...)
	if err == nil && !current {
		err = fault.New(fault.PreconditionFailed, "the signing key has changed since it was read")
	}
	return k, err
}

func writeSigningKey(ctx context.Context, tx *transaction, k tenant.SigningKey) error {
	_, err := tx.exec(ctx, `UPDATE signing_keys SET name = $1, expires_at = $2, replaced_by = $3
		 WHERE organization = $4 AND app = $5 AND kid = $6`,
		k.Name, k.ExpiresAt, k.ReplacedBy, k.Organization, k.App, k.KID)
	if err != nil {
		return err
	}
	return tx.touch(ctx, k.Organization, k.App)
}

// DeleteSigningKey takes a signing key away after last has seen it. It fails
// with what last fails with, or with fault.NotFound.
func (s *Store) DeleteSigningKey(ctx context.Context, org, app, kid string, last func(*tenant.SigningKey) error) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		k, err := lockSigningKey(ctx, tx, org, app, kid, AnyVersion)
		if err != nil {
			return err
		}
		if err := last(&k); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `DELETE FROM signing_keys WHERE organization = $1 AND app = $2 AND kid = $3`, org, app, kid)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
}
