package store

import (
	"context"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// memberColumns are what scanMember reads, from members m and people p.
const memberColumns = `m.id, m.organization, p.email, m.role, m.created_at`

func scanMember(m *tenant.Member) []any {
	return []any{&m.ID, &m.Organization, &m.Email, &m.Role, timeScanner{&m.CreatedAt}}
}

// MemberByEmail returns the member with an address and the person's password
// hash, or fault.NotFound. No other operation returns a password hash. A person
// of several organizations is the member of the one joined first.
func (s *Store) MemberByEmail(ctx context.Context, email string) (m tenant.Member, passwordHash string, err error) {
	err = s.one(ctx, "member",
		`SELECT `+memberColumns+`, p.password_hash
		 FROM people p JOIN members m ON m.person = p.id
		 JOIN organizations o ON o.slug = m.organization AND o.deleted_at IS NULL
		 WHERE p.email = $1 ORDER BY m.created_at, m.id LIMIT 1`,
		[]any{tenant.NormalizeEmail(email)}, append(scanMember(&m), &passwordHash)...)
	if err != nil {
		return tenant.Member{}, "", err
	}
	return m, passwordHash, nil
}

// CreateSession adds a signed-in session and takes the member's expired ones
// away. It fails with fault.NotFound if there is no such member.
func (s *Store) CreateSession(ctx context.Context, session tenant.Session) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		_, err := tx.exec(ctx, `DELETE FROM sessions WHERE member = $1 AND expires_at <= $2`,
			session.MemberID, s.now())
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`INSERT INTO sessions (id, hash, member, created_at, confirmed_at, address, user_agent, expires_at)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			session.ID, session.Hash, session.MemberID, session.CreatedAt, session.ConfirmedAt,
			session.Address, session.UserAgent, session.ExpiresAt)
		return err
	})
}

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

// SessionByHash returns the session that has the hash and whose it is, or
// fault.NotFound if there is none or it has expired by now.
func (s *Store) SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (tenant.SignIn, error) {
	var in tenant.SignIn
	dst := append(scanMember(&in.Member), scanSession(&in.Session)...)
	err := s.one(ctx, "session",
		`SELECT `+memberColumns+`, `+sessionColumns+`, CASE WHEN o.suspended_at IS NULL THEN 0 ELSE 1 END
		 FROM sessions s JOIN members m ON m.id = s.member JOIN people p ON p.id = m.person
		 JOIN organizations o ON o.slug = m.organization
		 WHERE s.hash = $1 AND s.expires_at > $2 AND o.deleted_at IS NULL`,
		[]any{hash, now}, append(dst, boolScanner{&in.Suspended})...)
	if err != nil {
		return tenant.SignIn{}, err
	}
	return in, nil
}
