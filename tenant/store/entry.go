package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fanfare-mq/fanfare/tenant"
)

// entryQuery reads an app, its rules and its signing keys in one statement, so
// that they belong together: a row per key, or one row without a key. The
// newest key comes first.
const entryQuery = `SELECT ` + appColumns + `, a.acl_rules, a.acl_version,
	       CASE WHEN o.suspended_at IS NULL THEN 0 ELSE 1 END, o.limits, p.limits,
	       COALESCE(k.kid, ''), COALESCE(k.name, ''), COALESCE(k.algorithm, ''), k.secret, k.public_key,
	       k.expires_at, COALESCE(k.replaced_by, ''), k.created_at
	FROM apps a
	JOIN organizations o ON o.slug = a.organization AND o.deleted_at IS NULL
	LEFT JOIN plans p ON p.name = o.plan
	LEFT JOIN signing_keys k ON k.organization = a.organization AND k.app = a.id
	WHERE `

const entryOrder = ` ORDER BY k.created_at DESC, k.kid DESC`

// Entry returns all that an edge needs to know of an app, or fault.NotFound.
// Its signing keys and its certificates are ordered from the newest to the
// oldest, its key sets from the oldest to the newest.
func (s *Store) Entry(ctx context.Context, org, app string) (tenant.Entry, error) {
	return s.entry(ctx, "app", `a.organization = $1 AND a.id = $2`, org, app)
}

// EntryByKID returns the entry of the app that a signing key belongs to, or
// fault.NotFound.
func (s *Store) EntryByKID(ctx context.Context, kid string) (tenant.Entry, error) {
	return s.entry(ctx, "signing key",
		`(a.organization, a.id) = (SELECT organization, app FROM signing_keys WHERE kid = $1)`, kid)
}

func (s *Store) entry(ctx context.Context, what, where string, args ...any) (tenant.Entry, error) {
	var entry tenant.Entry
	err := s.many(ctx, entryQuery+where+entryOrder, args, func(rows *sql.Rows) error {
		return s.scanEntry(rows, &entry)
	})
	if err == nil && entry.App.ID == "" {
		err = sql.ErrNoRows
	}
	if err != nil {
		return tenant.Entry{}, found(what, err)
	}
	// The certificates are read after the rest: one statement for both would
	// have a row for each pair of a key and a certificate. A change between the
	// two is announced after it, so the entry is read again.
	entry.Certificates, err = s.certificates(ctx,
		`WHERE organization = $1 AND app = $2 ORDER BY id DESC`, entry.App.Organization, entry.App.ID)
	if err != nil {
		return tenant.Entry{}, err
	}
	if len(entry.Certificates) == 0 {
		entry.Certificates = nil
	}
	entry.KeySets, err = s.entryKeySets(ctx, entry.App.Organization, entry.App.ID)
	if err != nil {
		return tenant.Entry{}, err
	}
	return entry, nil
}

// entryKeySets reads what an edge needs of key sets: nothing that changes with
// every fetch, which would make another entry of the same keys.
func (s *Store) entryKeySets(ctx context.Context, org, app string) (sets []tenant.KeySet, err error) {
	const query = `SELECT id, organization, app, name, url, document, created_at FROM key_sets
		 WHERE organization = $1 AND app = $2 ORDER BY id`
	err = s.many(ctx, query, []any{org, app}, func(rows *sql.Rows) error {
		var k tenant.KeySet
		err := rows.Scan(&k.ID, &k.Organization, &k.App, &k.Name, &k.URL, &k.Document, timeScanner{&k.CreatedAt})
		sets = append(sets, k)
		return err
	})
	return sets, err
}

func (s *Store) scanEntry(rows *sql.Rows, entry *tenant.Entry) error {
	var key tenant.SigningKey
	var sealed []byte
	var own, plan tenant.Limits
	dst := append(scanApp(&entry.App), rulesScanner{&entry.ACL.Rules}, &entry.ACL.Version,
		boolScanner{&entry.Suspended}, limitsScanner{&own}, limitsScanner{&plan},
		&key.KID, &key.Name, &key.Algorithm, &sealed, &key.PublicKey,
		timeScanner{&key.ExpiresAt}, &key.ReplacedBy, timeScanner{&key.CreatedAt})
	if err := rows.Scan(dst...); err != nil {
		return err
	}
	entry.Limits = own.Over(plan)
	if key.KID == "" {
		return nil
	}
	key.Organization, key.App = entry.App.Organization, entry.App.ID
	secret, err := s.sealer.Open(sealed, signingKeyContext(key))
	if err != nil {
		return fmt.Errorf("signing key %s: %w", key.KID, err)
	}
	key.Secret = string(secret)
	entry.SigningKeys = append(entry.SigningKeys, key)
	return nil
}
