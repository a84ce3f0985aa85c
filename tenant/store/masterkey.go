package store

import (
	"context"
	"fmt"
)

// masterKeyCheck names the setting that holds a known text, sealed by whoever
// opened the database first.
const masterKeyCheck = "master_key_check"

// checkMasterKey fails at start, and not at the first secret that is read, if
// the database was made under another master key.
func (s *Store) checkMasterKey(ctx context.Context) error {
	check := s.sealer.Seal([]byte("fanfare"), masterKeyCheck)
	var kept []byte
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		_, err := tx.exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
			masterKeyCheck, check)
		if err != nil {
			return err
		}
		return tx.one(ctx, "setting", `SELECT value FROM settings WHERE name = $1`, []any{masterKeyCheck}, &kept)
	})
	if err != nil {
		return err
	}
	if _, err := s.sealer.Open(kept, masterKeyCheck); err != nil {
		return fmt.Errorf("the master key is not the one this database was made with: %w", err)
	}
	return nil
}
