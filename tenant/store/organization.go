package store

import (
	"cmp"
	"context"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// CreateOrganization adds an organization and its first member, a new person.
// It fails with fault.Conflict at /organization if the slug is taken, at
// /email if the address is.
func (s *Store) CreateOrganization(
	ctx context.Context, org tenant.Organization, owner tenant.Member, passwordHash string,
) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := insertOrganization(ctx, tx, org); err != nil {
			return err
		}
		owner.Person = cmp.Or(owner.Person, tenant.NewID("per"))
		added, err := insertPerson(ctx, tx, owner, passwordHash)
		if err != nil {
			return err
		}
		if !added {
			return fault.New(fault.Conflict, "the e-mail address is registered already").At("/email")
		}
		owner.Organization = org.Slug
		_, err = insertMember(ctx, tx, owner)
		return err
	})
}

// AddOrganization is CreateOrganization by a person who is there. It fails with
// fault.QuotaExceeded if the person belongs to tenant.MaxMemberships already.
func (s *Store) AddOrganization(ctx context.Context, org tenant.Organization, owner tenant.Member) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := insertOrganization(ctx, tx, org); err != nil {
			return err
		}
		if err := lockPerson(ctx, tx, owner.Person); err != nil {
			return err
		}
		owner.Organization = org.Slug
		return join(ctx, tx, owner)
	})
}

func insertOrganization(ctx context.Context, tx *transaction, org tenant.Organization) error {
	added, err := tx.exec(ctx,
		`INSERT INTO organizations (slug, shard, created_at) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING`,
		org.Slug, int64(org.Shard), org.CreatedAt)
	if err == nil && !added {
		return fault.New(fault.Conflict, "the organization's name is taken").At("/organization")
	}
	return err
}

// Organization returns one organization, or fault.NotFound.
func (s *Store) Organization(ctx context.Context, slug string) (tenant.Organization, error) {
	var org tenant.Organization
	err := s.one(ctx, "organization", `SELECT slug, shard, created_at FROM organizations WHERE slug = $1`,
		[]any{slug}, &org.Slug, &org.Shard, timeScanner{&org.CreatedAt})
	if err != nil {
		return tenant.Organization{}, err
	}
	return org, nil
}

// lockOrganization keeps all others who change the organization's people
// waiting until the transaction ends, and returns its limits. It comes before
// lockPerson, and both before a member or a session is touched, or two
// transactions could wait for each other. It fails with fault.NotFound.
func lockOrganization(ctx context.Context, tx *transaction, slug string) (tenant.Limits, error) {
	if _, err := tx.exec(ctx, `UPDATE organizations SET plan = plan WHERE slug = $1`, slug); err != nil {
		return tenant.Limits{}, err
	}
	var own, plan tenant.Limits
	err := tx.one(ctx, "organization",
		`SELECT o.limits, p.limits FROM organizations o LEFT JOIN plans p ON p.name = o.plan
		 WHERE o.slug = $1 AND o.deleted_at IS NULL`,
		[]any{slug}, limitsScanner{&own}, limitsScanner{&plan})
	return own.Over(plan), err
}
