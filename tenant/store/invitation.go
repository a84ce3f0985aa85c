package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// invitationColumns are what scanInvitation reads, from invitations i.
const invitationColumns = `i.id, i.organization, i.email, i.role, i.hash, i.invited_by, i.expires_at, i.created_at`

func scanInvitation(i *tenant.Invitation) []any {
	return []any{
		&i.ID, &i.Organization, &i.Email, &i.Role,
		hashScanner{&i.Hash},
		&i.InvitedBy,
		timeScanner{&i.ExpiresAt},
		timeScanner{&i.CreatedAt},
	}
}

// CreateInvitation adds an invitation in place of an earlier one for the same
// address, unless the function check fails, which gets the role of the member
// by, who acts, with each of the two. It fails with fault.Conflict at /email if
// there is such a member, and with fault.QuotaExceeded if the organization has
// as many members, or open invitations, as it may have.
func (s *Store) CreateInvitation(
	ctx context.Context, by string, i tenant.Invitation, check func(by tenant.Role, i tenant.Invitation) error,
) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		role, limits, err := actor(ctx, tx, i.Organization, by)
		if err != nil {
			return err
		}
		if err := check(role, i); err != nil {
			return err
		}
		err = replaceInvitation(ctx, tx, i, func(earlier tenant.Invitation) error { return check(role, earlier) })
		if err != nil {
			return err
		}
		if err := mayInvite(ctx, tx, i); err != nil {
			return err
		}
		if err := admits(ctx, tx, i.Organization, limits); err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`INSERT INTO invitations (id, organization, email, role, hash, invited_by, expires_at, created_at)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			i.ID, i.Organization, i.Email, string(i.Role), i.Hash, i.InvitedBy, i.ExpiresAt, i.CreatedAt)
		return err
	})
}

// replaceInvitation takes away an earlier invitation for the same address, and
// those that have expired.
func replaceInvitation(
	ctx context.Context, tx *transaction, i tenant.Invitation, check func(earlier tenant.Invitation) error,
) error {
	var earlier tenant.Invitation
	err := tx.one(ctx, "invitation",
		`SELECT `+invitationColumns+` FROM invitations i
		 WHERE i.organization = $1 AND i.email = $2 AND i.expires_at > $3`,
		[]any{i.Organization, i.Email, i.CreatedAt}, scanInvitation(&earlier)...)
	if err == nil {
		err = check(earlier)
	}
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return err
	}
	_, err = tx.exec(ctx, `DELETE FROM invitations WHERE organization = $1 AND (email = $2 OR expires_at <= $3)`,
		i.Organization, i.Email, i.CreatedAt)
	return err
}

// mayInvite fails if an invitation leads nowhere. The organization is locked.
func mayInvite(ctx context.Context, tx *transaction, i tenant.Invitation) error {
	var same, open int64
	err := tx.one(ctx, "organization",
		`SELECT (SELECT count(*) FROM members m JOIN people p ON p.id = m.person WHERE m.organization = $1 AND p.email = $2),
		        (SELECT count(*) FROM invitations WHERE organization = $1)`,
		[]any{i.Organization, i.Email}, &same, &open)
	switch {
	case err != nil:
		return err
	case same > 0:
		return fault.New(fault.Conflict, "the person is a member already").At("/email")
	case open >= tenant.MaxInvitations:
		return fault.Newf(fault.QuotaExceeded, "the organization may have %d open invitations", tenant.MaxInvitations)
	}
	return nil
}

// withdraw takes the invitations away that a member has made and could not make
// with another role, or with none: they would lead back to what was taken.
func withdraw(ctx context.Context, tx *transaction, m tenant.Member, role tenant.Role) error {
	for _, invited := range []tenant.Role{tenant.Owner, tenant.Admin, tenant.Viewer} {
		if role.Manages(invited) {
			continue
		}
		_, err := tx.exec(ctx, `DELETE FROM invitations WHERE organization = $1 AND invited_by = $2 AND role = $3`,
			m.Organization, m.Email, string(invited))
		if err != nil {
			return err
		}
	}
	return nil
}

// Invitations returns up to limit invitations of an organization that have not
// expired by now, in the order of their ids, beginning behind the id after.
func (s *Store) Invitations(ctx context.Context, org string, now time.Time, after string, limit int) ([]tenant.Invitation, error) {
	invitations := []tenant.Invitation{}
	err := s.many(ctx,
		`SELECT `+invitationColumns+` FROM invitations i
		 WHERE i.organization = $1 AND i.expires_at > $2 AND i.id > $3 ORDER BY i.id LIMIT $4`,
		[]any{org, now, after, limit}, func(rows *sql.Rows) error {
			var i tenant.Invitation
			if err := rows.Scan(scanInvitation(&i)...); err != nil {
				return err
			}
			invitations = append(invitations, i)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return invitations, nil
}

// InvitationByHash returns the invitation whose secret has the hash, or
// fault.NotFound if there is none or it has expired by now.
func (s *Store) InvitationByHash(ctx context.Context, hash [32]byte, now time.Time) (tenant.Invitation, error) {
	var i tenant.Invitation
	err := s.one(ctx, "invitation",
		`SELECT `+invitationColumns+` FROM invitations i
		 JOIN organizations o ON o.slug = i.organization AND o.deleted_at IS NULL
		 WHERE i.hash = $1 AND i.expires_at > $2`, []any{hash, now}, scanInvitation(&i)...)
	if err != nil {
		return tenant.Invitation{}, err
	}
	return i, nil
}

// DeleteInvitation takes an invitation away unless the function check fails,
// which gets the role of the member by, who acts. It fails with fault.NotFound
// if there is no such invitation.
func (s *Store) DeleteInvitation(
	ctx context.Context, org, by, id string, check func(by tenant.Role, i tenant.Invitation) error,
) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		role, _, err := actor(ctx, tx, org, by)
		if err != nil {
			return err
		}
		var i tenant.Invitation
		err = tx.one(ctx, "invitation",
			`SELECT `+invitationColumns+` FROM invitations i WHERE i.organization = $1 AND i.id = $2`,
			[]any{org, id}, scanInvitation(&i)...)
		if err != nil {
			return err
		}
		if err := check(role, i); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `DELETE FROM invitations WHERE organization = $1 AND id = $2`, org, id)
		return err
	})
}

// AcceptInvitation uses an invitation up and makes whom it is for a member m, as
// it says, with a session. A member whose Person is empty is a new person with
// the password hash; any other is that person, if the hash is still the one of
// their password. It fails with fault.NotFound if there is no such invitation
// any more, with fault.QuotaExceeded if the organization or the person has no
// room, and with fault.Conflict if the person has come to be, has another
// password by now, or is a member already.
func (s *Store) AcceptInvitation(
	ctx context.Context, hash [32]byte, m tenant.Member, passwordHash string, session tenant.Session,
) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		limits, err := lockOrganization(ctx, tx, m.Organization)
		if err != nil {
			return err
		}
		there, err := tx.exec(ctx,
			`DELETE FROM invitations WHERE hash = $1 AND organization = $2 AND email = $3 AND role = $4 AND expires_at > $5`,
			hash, m.Organization, m.Email, string(m.Role), m.CreatedAt)
		if err == nil && !there {
			err = sql.ErrNoRows
		}
		if err != nil {
			return found("invitation", err)
		}
		if err := admits(ctx, tx, m.Organization, limits); err != nil {
			return err
		}
		if m, err = enter(ctx, tx, m, passwordHash); err != nil {
			return err
		}
		if err := join(ctx, tx, m); err != nil {
			return err
		}
		return s.insertSession(ctx, tx, session)
	})
}

// enter locks the person who accepts an invitation, or adds them.
func enter(ctx context.Context, tx *transaction, m tenant.Member, passwordHash string) (tenant.Member, error) {
	if m.Person != "" {
		return m, lockWithPassword(ctx, tx, m.Person, passwordHash)
	}
	m.Person = tenant.NewID("per")
	added, err := insertPerson(ctx, tx, m, passwordHash)
	if err == nil && !added {
		err = fault.New(fault.Conflict, "the e-mail address was registered in the meantime; accept with its password")
	}
	return m, err
}
