package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// sessionColumns are what scanSession reads, from sessions s.
const sessionColumns = `s.id, s.hash, s.member, s.created_at, s.confirmed_at, s.address, s.user_agent, s.expires_at`

func scanSession(s *tenant.Session) []any {
	return []any{
		&s.ID,
		hashScanner{&s.Hash},
		&s.MemberID,
		timeScanner{&s.CreatedAt},
		timeScanner{&s.ConfirmedAt},
		&s.Address, &s.UserAgent,
		timeScanner{&s.ExpiresAt},
	}
}

// signInQuery reads sessions with whose they are; those of organizations that
// are being deleted are not there.
const signInQuery = `SELECT ` + memberColumns + `, ` + sessionColumns + `,
	       CASE WHEN o.suspended_at IS NULL THEN 0 ELSE 1 END, l.limits, o.limits
	FROM sessions s JOIN members m ON m.id = s.member JOIN people p ON p.id = m.person
	JOIN organizations o ON o.slug = m.organization AND o.deleted_at IS NULL
	LEFT JOIN plans l ON l.name = o.plan
	WHERE `

func scanSignIn(in *tenant.SignIn) []any {
	return append(append(scanMember(&in.Member), scanSession(&in.Session)...),
		boolScanner{&in.Suspended}, limitsScanner{&in.Limits}, ownLimitsScanner{&in.Limits})
}

// CreateSession adds a signed-in session and takes the member's expired ones
// away. It fails with fault.NotFound if there is no such member.
func (s *Store) CreateSession(ctx context.Context, session tenant.Session) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		return s.insertSession(ctx, tx, session)
	})
}

// SignIn is CreateSession for a person whose password was checked. It fails
// with fault.Conflict if the password does not hash to passwordHash any more.
func (s *Store) SignIn(ctx context.Context, person, passwordHash string, session tenant.Session) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := lockWithPassword(ctx, tx, person, passwordHash); err != nil {
			return err
		}
		return s.insertSession(ctx, tx, session)
	})
}

func (s *Store) insertSession(ctx context.Context, tx *transaction, session tenant.Session) error {
	_, err := tx.exec(ctx, `DELETE FROM sessions WHERE member = $1 AND expires_at <= $2`, session.MemberID, s.now())
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx,
		`INSERT INTO sessions (id, hash, member, created_at, confirmed_at, address, user_agent, expires_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		session.ID, session.Hash, session.MemberID, session.CreatedAt, session.ConfirmedAt,
		session.Address, session.UserAgent, session.ExpiresAt)
	return err
}

// Switch adds a session for another membership of the person behind the session
// from. It ends, and was confirmed, when that one does and was; it is returned
// with these times. It fails with fault.NotFound if from has ended, or the
// member is not the same person.
func (s *Store) Switch(ctx context.Context, from [32]byte, session tenant.Session) (tenant.Session, error) {
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		// The person is locked first: a change of the password ends from, or what
		// is added here as well.
		_, err := tx.exec(ctx,
			`UPDATE people SET password_hash = password_hash
			 WHERE id = (SELECT m.person FROM sessions s JOIN members m ON m.id = s.member WHERE s.hash = $1)`, from)
		if err != nil {
			return err
		}
		var in tenant.SignIn
		err = tx.one(ctx, "session", signInQuery+`s.hash = $1 AND s.expires_at > $2`,
			[]any{from, session.CreatedAt}, scanSignIn(&in)...)
		if err != nil {
			return err
		}
		var id string
		err = tx.one(ctx, "member", `SELECT id FROM members WHERE id = $1 AND person = $2`,
			[]any{session.MemberID, in.Member.Person}, &id)
		if err != nil {
			return err
		}
		session.ConfirmedAt, session.ExpiresAt = in.Session.ConfirmedAt, in.Session.ExpiresAt
		return s.insertSession(ctx, tx, session)
	})
	if err != nil {
		return tenant.Session{}, err
	}
	return session, nil
}

// SessionByHash returns the session that has the hash and whose it is, or
// fault.NotFound if there is none or it has expired by now.
func (s *Store) SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (tenant.SignIn, error) {
	var in tenant.SignIn
	err := s.one(ctx, "session", signInQuery+`s.hash = $1 AND s.expires_at > $2`, []any{hash, now}, scanSignIn(&in)...)
	if err != nil {
		return tenant.SignIn{}, err
	}
	return in, nil
}

// Sessions returns up to limit sessions of a person, in all organizations, that
// have not expired by now: in the order of their ids, beginning behind the id
// after.
func (s *Store) Sessions(ctx context.Context, person string, now time.Time, after string, limit int) ([]tenant.SignIn, error) {
	sessions := []tenant.SignIn{}
	err := s.many(ctx, signInQuery+`m.person = $1 AND s.expires_at > $2 AND s.id > $3 ORDER BY s.id LIMIT $4`,
		[]any{person, now, after, limit}, func(rows *sql.Rows) error {
			var in tenant.SignIn
			if err := rows.Scan(scanSignIn(&in)...); err != nil {
				return err
			}
			sessions = append(sessions, in)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return sessions, nil
}

// ConfirmSession keeps when the password was given in a session, or fails with
// fault.NotFound.
func (s *Store) ConfirmSession(ctx context.Context, hash [32]byte, at time.Time) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		there, err := tx.exec(ctx, `UPDATE sessions SET confirmed_at = $1 WHERE hash = $2`, at, hash)
		if err == nil && !there {
			return fault.New(fault.NotFound, "no such session")
		}
		return err
	})
}

// EndSession takes a session of a person away, or fails with fault.NotFound.
func (s *Store) EndSession(ctx context.Context, person, id string) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		return tx.remove(ctx, "session",
			`DELETE FROM sessions WHERE id = $1 AND member IN (SELECT id FROM members WHERE person = $2)`, id, person)
	})
}
