package store

import (
	"context"

	"github.com/fanfare-mq/fanfare/tenant"
)

func insertAPIKey(ctx context.Context, tx *transaction, key tenant.APIKey) error {
	_, err := tx.exec(ctx,
		`INSERT INTO api_keys (id, organization, app, hash, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		key.ID, key.Organization, key.App, key.Hash, joinScopes(key.Scopes), key.CreatedAt)
	return err
}

// APIKeyByHash returns the API key whose secret has the hash, or
// fault.NotFound.
func (s *Store) APIKeyByHash(ctx context.Context, hash [32]byte) (tenant.APIKey, error) {
	var k tenant.APIKey
	err := s.one(ctx, "API key",
		`SELECT id, organization, app, hash, scopes, created_at FROM api_keys WHERE hash = $1`, []any{hash},
		&k.ID, &k.Organization, &k.App, hashScanner{&k.Hash}, scopesScanner{&k.Scopes}, timeScanner{&k.CreatedAt})
	if err != nil {
		return tenant.APIKey{}, err
	}
	return k, nil
}

func (s *Store) insertSigningKey(ctx context.Context, tx *transaction, key tenant.SigningKey) error {
	_, err := tx.exec(ctx,
		`INSERT INTO signing_keys (kid, organization, app, algorithm, secret, created_at)
		 VALUES ($1, $2, $3, $4, $5, $6)`,
		key.KID, key.Organization, key.App, string(key.Algorithm),
		s.sealer.Seal([]byte(key.Secret), signingKeyContext(key)), key.CreatedAt)
	return err
}

// signingKeyContext binds a sealed secret to its key and its app: copied into
// another row it does not open.
func signingKeyContext(key tenant.SigningKey) string {
	return "signing_keys/" + key.Organization + "/" + key.App + "/" + key.KID
}
