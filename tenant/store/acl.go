package store

import (
	"context"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// AnyVersion makes a change whatever the version of what it changes is.
const AnyVersion int64 = -1

// ACL returns an app's access rules, or fault.NotFound if there is no such
// app. A new app has no rules, at version 0.
func (s *Store) ACL(ctx context.Context, org, app string) (tenant.ACL, error) {
	var acl tenant.ACL
	err := s.one(ctx, "app", `SELECT acl_rules, acl_version FROM apps WHERE organization = $1 AND id = $2`,
		[]any{org, app}, rulesScanner{&acl.Rules}, &acl.Version)
	if err != nil {
		return tenant.ACL{}, err
	}
	return acl, nil
}

// SetACL replaces an app's access rules if they have the version ifVersion, or
// in any case with AnyVersion, and returns them with their new version. It
// fails with fault.PreconditionFailed if the rules have changed since, and
// with fault.NotFound if there is no such app.
func (s *Store) SetACL(
	ctx context.Context, org, app string, rules []tenant.Rule, ifVersion int64,
) (tenant.ACL, error) {
	text, err := marshalRules(rules)
	if err != nil {
		return tenant.ACL{}, err
	}
	var acl tenant.ACL
	err = s.change(ctx, func(ctx context.Context, tx *transaction) error {
		set, err := tx.exec(ctx,
			`UPDATE apps SET acl_rules = $1, acl_version = acl_version + 1
			 WHERE organization = $2 AND id = $3
			   AND (CAST($4 AS bigint) < 0 OR acl_version = CAST($4 AS bigint))`,
			text, org, app, ifVersion)
		if err != nil {
			return err
		}
		err = tx.one(ctx, "app", `SELECT acl_rules, acl_version FROM apps WHERE organization = $1 AND id = $2`,
			[]any{org, app}, rulesScanner{&acl.Rules}, &acl.Version)
		if err != nil {
			return err
		}
		if !set {
			return fault.New(fault.PreconditionFailed, "the rules have changed since they were read")
		}
		return tx.touch(ctx, org, app)
	})
	if err != nil {
		return tenant.ACL{}, err
	}
	return acl, nil
}
