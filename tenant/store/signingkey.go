package store

import (
	"context"

	"github.com/fanfare-mq/fanfare/tenant"
)

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
