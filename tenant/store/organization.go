package store

import (
	"cmp"
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
