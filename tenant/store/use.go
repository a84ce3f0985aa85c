package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/fanfare-mq/fanfare/tenant"
)

// usesAtOnce bounds how many rows one transaction of NoteUses holds.
const usesAtOnce = 500

// noteUse is the statement of each kind: a node that is late changes nothing.
var noteUse = map[tenant.UseKind]string{
	tenant.UsedAPIKey: `UPDATE api_keys SET last_used_at = $1, last_used_from = $3
		WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)`,
	tenant.UsedSigningKey: `UPDATE signing_keys SET last_used_at = $1
		WHERE kid = $2 AND (last_used_at IS NULL OR last_used_at < $1)`,
	tenant.UsedKeySet: `UPDATE key_sets SET last_used_at = $1
		WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)`,
}

// NoteUses keeps when credentials were last used, if that is later than what is
// kept of them; what is gone has no last use. The uses must be in the order of
// their kinds and ids: two nodes that lock rows in different orders would wait
// for each other. Credentials have one owner by their ids, so tenants are not
// named here.
func (s *Store) NoteUses(ctx context.Context, uses []tenant.Use) error {
	for some := range slices.Chunk(uses, usesAtOnce) {
		err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
			for _, use := range some {
				if err := tx.noteUse(ctx, use); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) noteUse(ctx context.Context, use tenant.Use) error {
	query, known := noteUse[use.Kind]
	if !known {
		return fmt.Errorf("no last use is kept of %q", use.Kind)
	}
	args := []any{use.At, use.ID}
	if use.Kind == tenant.UsedAPIKey {
		args = append(args, use.From)
	}
	_, err := t.exec(ctx, query, args...)
	return err
}
