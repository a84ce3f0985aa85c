package store

import (
	"context"
	"database/sql"
	"strings"

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
		person := tenant.NewID("per")
		added, err := tx.exec(ctx,
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

// organizationColumns are what scanOrganization reads, from organizations o.
const organizationColumns = `o.slug, o.shard, o.plan, o.limits, o.suspended_at, o.suspended_for, o.deleted_at,
	o.version, o.created_at`

func scanOrganization(o *tenant.Organization) []any {
	return []any{
		&o.Slug, &o.Shard, &o.Plan,
		limitsScanner{&o.Limits},
		timeScanner{&o.SuspendedAt},
		&o.SuspendedFor,
		timeScanner{&o.DeletedAt},
		&o.Version,
		timeScanner{&o.CreatedAt},
	}
}

// Organization returns one organization, or fault.NotFound.
func (s *Store) Organization(ctx context.Context, slug string) (tenant.Organization, error) {
	var org tenant.Organization
	err := s.one(ctx, "organization", `SELECT `+organizationColumns+` FROM organizations o WHERE o.slug = $1`,
		[]any{slug}, scanOrganization(&org)...)
	if err != nil {
		return tenant.Organization{}, err
	}
	return org, nil
}

// holdingsColumns are what scanHoldings reads, from organizations o.
const holdingsColumns = organizationColumns + `,
	(SELECT COUNT(*) FROM apps a WHERE a.organization = o.slug),
	(SELECT COUNT(*) FROM members m WHERE m.organization = o.slug)`

func scanHoldings(h *tenant.Holdings) []any {
	return append(scanOrganization(&h.Organization), &h.Apps, &h.Members)
}

// Holdings returns one organization with how much it has, or fault.NotFound.
func (s *Store) Holdings(ctx context.Context, slug string) (tenant.Holdings, error) {
	var h tenant.Holdings
	err := s.one(ctx, "organization", `SELECT `+holdingsColumns+` FROM organizations o WHERE o.slug = $1`,
		[]any{slug}, scanHoldings(&h)...)
	if err != nil {
		return tenant.Holdings{}, err
	}
	return h, nil
}

// Organizations returns up to limit organizations in the order of their slugs,
// beginning behind the slug after, of those whose slug has query in it.
func (s *Store) Organizations(ctx context.Context, query, after string, limit int) ([]tenant.Holdings, error) {
	found := []tenant.Holdings{}
	err := s.many(ctx,
		`SELECT `+holdingsColumns+` FROM organizations o
		 WHERE o.slug > $1 AND o.slug LIKE $2 ESCAPE '\' ORDER BY o.slug LIMIT $3`,
		[]any{after, "%" + likeLiteral(query) + "%", limit}, func(rows *sql.Rows) error {
			var h tenant.Holdings
			if err := rows.Scan(scanHoldings(&h)...); err != nil {
				return err
			}
			found = append(found, h)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// likeLiteral makes text stand for itself in a LIKE pattern.
func likeLiteral(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
