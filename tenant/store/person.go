package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// personColumns are what scanPerson reads, from people p.
const personColumns = `p.id, p.email, p.created_at`

func scanPerson(p *tenant.Person) []any {
	return []any{&p.ID, &p.Email, timeScanner{&p.CreatedAt}}
}

// PersonByEmail returns the person with an address and the hash of the
// password, or fault.NotFound. No other operation returns a password hash.
func (s *Store) PersonByEmail(ctx context.Context, email string) (p tenant.Person, passwordHash string, err error) {
	err = s.one(ctx, "person", `SELECT `+personColumns+`, p.password_hash FROM people p WHERE p.email = $1`,
		[]any{tenant.NormalizeEmail(email)}, append(scanPerson(&p), &passwordHash)...)
	if err != nil {
		return tenant.Person{}, "", err
	}
	return p, passwordHash, nil
}

// insertPerson adds the person that a member is, unless the address is taken.
func insertPerson(ctx context.Context, tx *transaction, m tenant.Member, passwordHash string) (added bool, err error) {
	return tx.exec(ctx,
		`INSERT INTO people (id, email, password_hash, created_at) VALUES ($1, $2, $3, $4)
		 ON CONFLICT (email) DO NOTHING`,
		m.Person, tenant.NormalizeEmail(m.Email), passwordHash, m.CreatedAt)
}

// lockPerson keeps all others who change what a person has, password,
// memberships or sessions, waiting until the transaction ends.
func lockPerson(ctx context.Context, tx *transaction, person string) error {
	there, err := tx.exec(ctx, `UPDATE people SET password_hash = password_hash WHERE id = $1`, person)
	if err == nil && !there {
		return fault.New(fault.NotFound, "no such person")
	}
	return err
}

// lockWithPassword is lockPerson if the password is still the one that hashes
// so; fault.Conflict says that it is not: what a password was checked for
// must not happen after the password has changed.
func lockWithPassword(ctx context.Context, tx *transaction, person, passwordHash string) error {
	same, err := tx.exec(ctx,
		`UPDATE people SET password_hash = password_hash WHERE id = $1 AND password_hash = $2`, person, passwordHash)
	if err == nil && !same {
		return fault.New(fault.Conflict, "the password has changed in the meantime")
	}
	return err
}

// join makes a person, who is locked, a member of an organization.
func join(ctx context.Context, tx *transaction, m tenant.Member) error {
	var memberships int64
	err := tx.one(ctx, "person", `SELECT count(*) FROM members WHERE person = $1`, []any{m.Person}, &memberships)
	if err != nil {
		return err
	}
	if memberships >= tenant.MaxMemberships {
		return fault.Newf(fault.QuotaExceeded, "a person may belong to %d organizations", tenant.MaxMemberships)
	}
	added, err := insertMember(ctx, tx, m)
	if err == nil && !added {
		return fault.New(fault.Conflict, "the person is a member already")
	}
	return err
}

// ChangePassword replaces a person's password, if it is still the one that
// hashes to from, and ends all of the person's sessions but the one with the
// hash keep. It fails with fault.Conflict if the password has changed since.
func (s *Store) ChangePassword(ctx context.Context, person, from, to string, keep [32]byte) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := lockWithPassword(ctx, tx, person, from); err != nil {
			return err
		}
		return setPassword(ctx, tx, person, to, keep)
	})
}

// setPassword sets the password of a person, who is locked. What the old one
// has opened closes: sessions but one, and links that would set another.
func setPassword(ctx context.Context, tx *transaction, person, passwordHash string, keep [32]byte) error {
	_, err := tx.exec(ctx, `UPDATE people SET password_hash = $1 WHERE id = $2`, passwordHash, person)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx,
		`DELETE FROM sessions WHERE hash <> $1 AND member IN (SELECT id FROM members WHERE person = $2)`, keep, person)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `DELETE FROM password_resets WHERE person = $1`, person)
	return err
}

// CreatePasswordReset adds a link for the person with an address, in place of
// an earlier one, or fails with fault.NotFound.
func (s *Store) CreatePasswordReset(ctx context.Context, email string, reset tenant.PasswordReset) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		var person string
		err := tx.one(ctx, "person", `SELECT id FROM people WHERE email = $1`, []any{tenant.NormalizeEmail(email)}, &person)
		if err != nil {
			return err
		}
		if err := lockPerson(ctx, tx, person); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `DELETE FROM password_resets WHERE person = $1`, person); err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`INSERT INTO password_resets (hash, person, expires_at, created_at) VALUES ($1, $2, $3, $4)`,
			reset.Hash, person, reset.ExpiresAt, reset.CreatedAt)
		return err
	})
}

// PasswordReset returns the person whom a link is for, or fault.NotFound if
// there is none or it has expired by now.
func (s *Store) PasswordReset(ctx context.Context, hash [32]byte, now time.Time) (tenant.Person, error) {
	var p tenant.Person
	err := s.one(ctx, "link",
		`SELECT `+personColumns+` FROM password_resets r JOIN people p ON p.id = r.person
		 WHERE r.hash = $1 AND r.expires_at > $2`, []any{hash, now}, scanPerson(&p)...)
	if err != nil {
		return tenant.Person{}, err
	}
	return p, nil
}

// RedeemPasswordReset uses a link up: it sets the person's password and ends
// all of the person's sessions. It fails with fault.NotFound if there is no such
// link of the person, or it has expired by now.
func (s *Store) RedeemPasswordReset(ctx context.Context, person string, hash [32]byte, now time.Time, passwordHash string) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := lockPerson(ctx, tx, person); err != nil {
			return err
		}
		there, err := tx.exec(ctx,
			`DELETE FROM password_resets WHERE hash = $1 AND person = $2 AND expires_at > $3`, hash, person, now)
		if err == nil && !there {
			err = sql.ErrNoRows
		}
		if err != nil {
			return found("link", err)
		}
		return setPassword(ctx, tx, person, passwordHash, [32]byte{})
	})
}
