package store

import (
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
		added, err := tx.exec(ctx,
			`INSERT INTO organizations (slug, shard, created_at) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING`,
			org.Slug, int64(org.Shard), org.CreatedAt)
		if err != nil {
			return err
		}
		if !added {
			return fault.New(fault.Conflict, "the organization's name is taken").At("/organization")
		}
		person := tenant.NewID("per")
		added, err = tx.exec(ctx,
			`INSERT INTO people (id, email, password_hash, created_at) VALUES ($1, $2, $3, $4)
			 ON CONFLICT (email) DO NOTHING`,
			person, tenant.NormalizeEmail(owner.Email), passwordHash, owner.CreatedAt)
		if err != nil {
			return err
		}
		if !added {
			return fault.New(fault.Conflict, "the e-mail address is registered already").At("/email")
		}
		_, err = tx.exec(ctx,
			`INSERT INTO members (id, organization, person, role, created_at) VALUES ($1, $2, $3, $4, $5)`,
			owner.ID, org.Slug, person, string(owner.Role), owner.CreatedAt)
		return err
	})
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
