package store

import (
	"context"

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

// keyColumns are what scanKey reads, from api_keys k.
const keyColumns = `k.id, k.organization, k.app, k.name, k.hash, k.scopes, k.addresses, k.across, k.expires_at,
	k.last_used_at, k.last_used_from, k.replaced_by, k.created_at`

func scanKey(k *tenant.APIKey) []any {
	return []any{
		&k.ID, &k.Organization, &k.App, &k.Name,
		hashScanner{&k.Hash},
		scopesScanner{&k.Scopes},
		networksScanner{&k.Addresses},
		boolScanner{&k.Across},
		timeScanner{&k.ExpiresAt},
		timeScanner{&k.LastUsedAt},
		&k.LastUsedFrom, &k.ReplacedBy,
		timeScanner{&k.CreatedAt},
	}
}

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
