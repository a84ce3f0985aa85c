package store

import (
	"context"
	"database/sql"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// memberColumns are what scanMember reads, from members m and people p.
const memberColumns = `m.id, m.organization, m.person, p.email, m.role, m.created_at`

func scanMember(m *tenant.Member) []any {
	return []any{&m.ID, &m.Organization, &m.Person, &m.Email, &m.Role, timeScanner{&m.CreatedAt}}
}

// memberQuery reads one member.
const memberQuery = `SELECT ` + memberColumns + ` FROM members m JOIN people p ON p.id = m.person
	WHERE m.organization = $1 AND m.id = $2`

func insertMember(ctx context.Context, tx *transaction, m tenant.Member) (added bool, err error) {
	return tx.exec(ctx,
		`INSERT INTO members (id, organization, person, role, created_at) VALUES ($1, $2, $3, $4, $5)
		 ON CONFLICT (organization, person) DO NOTHING`,
		m.ID, m.Organization, m.Person, string(m.Role), m.CreatedAt)
}

// Members returns up to limit members of an organization in the order of their
// ids, hence of their joining, beginning behind the id after.
func (s *Store) Members(ctx context.Context, org, after string, limit int) ([]tenant.Member, error) {
	return s.members(ctx,
		`WHERE m.organization = $1 AND m.id > $2 ORDER BY m.id LIMIT $3`, org, after, limit)
}

// Memberships returns all that a person is a member of, at most
// tenant.MaxMemberships: who joined first stands first, but what is suspended
// stands last.
func (s *Store) Memberships(ctx context.Context, person string) ([]tenant.Member, error) {
	return s.members(ctx,
		`JOIN organizations o ON o.slug = m.organization WHERE m.person = $1 AND o.deleted_at IS NULL
		 ORDER BY CASE WHEN o.suspended_at IS NULL THEN 0 ELSE 1 END, m.created_at, m.id`, person)
}

func (s *Store) members(ctx context.Context, where string, args ...any) ([]tenant.Member, error) {
	members := []tenant.Member{}
	err := s.many(ctx, `SELECT `+memberColumns+` FROM members m JOIN people p ON p.id = m.person `+where, args,
		func(rows *sql.Rows) error {
			var m tenant.Member
			if err := rows.Scan(scanMember(&m)...); err != nil {
				return err
			}
			members = append(members, m)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return members, nil
}

// Member returns one member of an organization, or fault.NotFound.
func (s *Store) Member(ctx context.Context, org, id string) (tenant.Member, error) {
	var m tenant.Member
	err := s.one(ctx, "member", memberQuery, []any{org, id}, scanMember(&m)...)
	if err != nil {
		return tenant.Member{}, err
	}
	return m, nil
}

// UpdateMember changes a member's role by the function change, which also gets
// the role of the member by, who acts, as it is at that moment. Invitations that
// the member has made and could not make any more are gone. It fails with
// what change fails with, with fault.Conflict if no owner would be left, and
// with fault.NotFound if there is no such member.
func (s *Store) UpdateMember(
	ctx context.Context, org, by, id string, change func(by tenant.Role, m *tenant.Member) error,
) (tenant.Member, error) {
	var m tenant.Member
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		role, _, err := actor(ctx, tx, org, by)
		if err != nil {
			return err
		}
		if err := tx.one(ctx, "member", memberQuery, []any{org, id}, scanMember(&m)...); err != nil {
			return err
		}
		before := m
		if err := change(role, &m); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE members SET role = $1 WHERE organization = $2 AND id = $3`, string(m.Role), org, id)
		if err != nil {
			return err
		}
		if err := withdraw(ctx, tx, m, m.Role); err != nil {
			return err
		}
		return keepsOwner(ctx, tx, before)
	})
	if err != nil {
		return tenant.Member{}, err
	}
	return m, nil
}

// RemoveMember takes a member out of an organization with the sessions in it and
// the invitations by the member, and the person with the last membership, unless the function check fails,
// which gets what the function of UpdateMember does. It fails with
// fault.Conflict if no owner would be left, and with fault.NotFound if there is
// no such member.
func (s *Store) RemoveMember(
	ctx context.Context, org, by, id string, check func(by tenant.Role, m tenant.Member) error,
) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		role, _, err := actor(ctx, tx, org, by)
		if err != nil {
			return err
		}
		var m tenant.Member
		if err := tx.one(ctx, "member", memberQuery, []any{org, id}, scanMember(&m)...); err != nil {
			return err
		}
		if err := check(role, m); err != nil {
			return err
		}
		if err := lockPerson(ctx, tx, m.Person); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `DELETE FROM members WHERE organization = $1 AND id = $2`, org, id); err != nil {
			return err
		}
		if err := withdraw(ctx, tx, m, ""); err != nil {
			return err
		}
		if err := keepsOwner(ctx, tx, m); err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`DELETE FROM people WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM members WHERE person = $1)`, m.Person)
		return err
	})
}

// actor locks the organization's people and returns the role of the one who
// acts, and the organization's limits.
func actor(ctx context.Context, tx *transaction, org, id string) (role tenant.Role, limits tenant.Limits, err error) {
	if limits, err = lockOrganization(ctx, tx, org); err != nil {
		return "", limits, err
	}
	err = tx.one(ctx, "member", `SELECT role FROM members WHERE organization = $1 AND id = $2`, []any{org, id}, &role)
	if fault.CodeOf(err) == fault.NotFound {
		err = fault.New(fault.Forbidden, "you are no member of the organization any more")
	}
	return role, limits, err
}

// keepsOwner fails if the organization has lost its last owner with what was
// done to a member. The organization is locked.
func keepsOwner(ctx context.Context, tx *transaction, before tenant.Member) error {
	if before.Role != tenant.Owner {
		return nil
	}
	var owners int64
	err := tx.one(ctx, "organization",
		`SELECT count(*) FROM members WHERE organization = $1 AND role = $2`,
		[]any{before.Organization, string(tenant.Owner)}, &owners)
	if err == nil && owners == 0 {
		return fault.New(fault.Conflict, "an organization keeps an owner; make somebody else one first")
	}
	return err
}

// admits fails with fault.QuotaExceeded if one member more is too many for the
// organization, which is locked.
func admits(ctx context.Context, tx *transaction, org string, limits tenant.Limits) error {
	if limits.Members == 0 {
		return nil
	}
	var members int64
	err := tx.one(ctx, "organization", `SELECT count(*) FROM members WHERE organization = $1`, []any{org}, &members)
	if err == nil && members >= limits.Members {
		return fault.Newf(fault.QuotaExceeded, "the organization may have %d members", limits.Members)
	}
	return err
}
