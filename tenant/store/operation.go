package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// insertOrganization fails with fault.Conflict at /organization if the slug is
// taken, also by one that is being deleted.
func insertOrganization(ctx context.Context, tx *transaction, org tenant.Organization) error {
	added, err := tx.exec(ctx,
		`INSERT INTO organizations (slug, shard, created_at) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING`,
		org.Slug, int64(org.Shard), org.CreatedAt)
	if err == nil && !added {
		return fault.New(fault.Conflict, "the organization's name is taken").At("/organization")
	}
	return err
}

// FoundOrganization adds an organization without members and an invitation for
// its owner. It fails with fault.Conflict at /organization if the slug is taken.
func (s *Store) FoundOrganization(ctx context.Context, org tenant.Organization, owner tenant.Invitation) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := insertOrganization(ctx, tx, org); err != nil {
			return err
		}
		_, err := tx.exec(ctx,
			`INSERT INTO invitations (id, organization, email, role, hash, invited_by, expires_at, created_at)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			owner.ID, org.Slug, tenant.NormalizeEmail(owner.Email), string(owner.Role), owner.Hash, owner.InvitedBy,
			owner.ExpiresAt, owner.CreatedAt)
		return err
	})
}

// UpdateOrganization changes an organization's plan, limits and suspension by
// the function change if it has the version ifVersion, or in any case with
// AnyVersion, and returns it with its new version. It fails with what change
// fails with, with fault.PreconditionFailed if the organization has changed
// since, with fault.Conflict if it is being deleted, and with fault.NotFound.
func (s *Store) UpdateOrganization(
	ctx context.Context, slug string, ifVersion int64, change func(*tenant.Organization) error,
) (tenant.Organization, error) {
	var org tenant.Organization
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		// The new version comes first: it locks the row for what is read then.
		current, err := tx.exec(ctx,
			`UPDATE organizations SET version = version + 1
			 WHERE slug = $1 AND (CAST($2 AS bigint) < 0 OR version = CAST($2 AS bigint))`,
			slug, ifVersion)
		if err != nil {
			return err
		}
		err = tx.one(ctx, "organization", `SELECT `+organizationColumns+` FROM organizations o WHERE o.slug = $1`,
			[]any{slug}, scanOrganization(&org)...)
		switch {
		case err != nil:
			return err
		case !org.DeletedAt.IsZero():
			return errDeleting
		case !current:
			return fault.New(fault.PreconditionFailed, "the organization has changed since it was read")
		}
		if err := change(&org); err != nil {
			return err
		}
		limits, err := json.Marshal(org.Limits)
		if err != nil {
			return fmt.Errorf("limits: %w", err)
		}
		_, err = tx.exec(ctx,
			`UPDATE organizations SET plan = $1, limits = $2, suspended_at = $3, suspended_for = $4 WHERE slug = $5`,
			org.Plan, string(limits), org.SuspendedAt, org.SuspendedFor, slug)
		if err != nil {
			return err
		}
		return tx.touch(ctx, slug, "")
	})
	if err != nil {
		return tenant.Organization{}, err
	}
	return org, nil
}

var errDeleting = fault.New(fault.Conflict, "the organization is being deleted")

// DeleteOrganization makes an organization as good as gone: nothing of it is
// found any more, and what it had waits to be erased. Its slug stays taken until
// then. It fails with fault.NotFound, and with fault.Conflict if it is being
// deleted already.
func (s *Store) DeleteOrganization(ctx context.Context, slug string, at time.Time) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		marked, err := tx.exec(ctx,
			`UPDATE organizations SET version = version + 1, deleted_at = $1 WHERE slug = $2 AND deleted_at IS NULL`,
			at, slug)
		if err != nil {
			return err
		}
		if !marked {
			var there int
			err := tx.one(ctx, "organization", `SELECT 1 FROM organizations WHERE slug = $1`, []any{slug}, &there)
			if err == nil {
				err = errDeleting
			}
			return err
		}
		if err := insertErasure(ctx, tx, tenant.Erasure{Organization: slug, DeletedAt: at}); err != nil {
			return err
		}
		return tx.touch(ctx, slug, "")
	})
}

// DeleteApp takes an app away with its keys, logins and rules, at once. What is
// kept of it elsewhere waits to be erased, and its id stays taken until then. It
// fails with fault.NotFound.
func (s *Store) DeleteApp(ctx context.Context, org, app string, at time.Time) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		removed, err := tx.exec(ctx, `DELETE FROM apps WHERE organization = $1 AND id = $2`, org, app)
		if err == nil && !removed {
			err = fault.New(fault.NotFound, "there is no such app")
		}
		if err != nil {
			return err
		}
		if err := insertErasure(ctx, tx, tenant.Erasure{Organization: org, App: app, DeletedAt: at}); err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
}
