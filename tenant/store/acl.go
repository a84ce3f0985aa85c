package store

import (
	"context"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// AnyVersion makes a change whatever the version of what it changes is.
const AnyVersion int64 = -1

// aclQuery reads an app's access rules.
const aclQuery = `SELECT acl_rules, acl_version FROM apps WHERE organization = $1 AND id = $2`

func scanACL(acl *tenant.ACL) []any { return []any{rulesScanner{&acl.Rules}, &acl.Version} }

// ACL returns an app's access rules, or fault.NotFound if there is no such
// app. A new app has no rules, at version 0.
func (s *Store) ACL(ctx context.Context, org, app string) (tenant.ACL, error) {
	var acl tenant.ACL
	err := s.one(ctx, "app", aclQuery, []any{org, app}, scanACL(&acl)...)
	if err != nil {
		return tenant.ACL{}, err
	}
	return acl, nil
}

// UpdateACL changes an app's access rules by the function change if they have
// the version ifVersion, or in any case with AnyVersion, and returns them with
// their new version; rules without an id get one. It fails with what change
// fails with, with fault.PreconditionFailed if the rules have changed since, and
// with fault.NotFound if there is no such app.
func (s *Store) UpdateACL(
	ctx context.Context, org, app string, ifVersion int64, change func([]tenant.Rule) ([]tenant.Rule, error),
) (tenant.ACL, error) {
	var acl tenant.ACL
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		// The new version comes first: it locks the row for what is read then.
		current, err := tx.exec(ctx,
			`UPDATE apps SET acl_version = acl_version + 1
			 WHERE organization = $1 AND id = $2
			   AND (CAST($3 AS bigint) < 0 OR acl_version = CAST($3 AS bigint))`,
			org, app, ifVersion)
		if err != nil {
			return err
		}
		if err := tx.one(ctx, "app", aclQuery, []any{org, app}, scanACL(&acl)...); err != nil {
			return err
		}
		if !current {
			return fault.New(fault.PreconditionFailed, "the rules have changed since they were read")
		}
		if acl.Rules, err = change(acl.Rules); err != nil {
			return err
		}
		nameRules(acl.Rules)
		text, err := marshalRules(acl.Rules)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE apps SET acl_rules = $1 WHERE organization = $2 AND id = $3`, text, org, app)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
	if err != nil {
		return tenant.ACL{}, err
	}
	return acl, nil
}

// nameRules gives an id to the rules that have none.
func nameRules(rules []tenant.Rule) {
	for i := range rules {
		if rules[i].ID == "" {
			rules[i].ID = tenant.NewID("rule")
		}
	}
}
