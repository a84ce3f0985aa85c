package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// planColumns are what scanPlan reads, from plans p.
const planColumns = `p.name, p.limits, p.version, p.created_at,
	(SELECT COUNT(*) FROM organizations o WHERE o.plan = p.name)`

const planQuery = `SELECT ` + planColumns + ` FROM plans p WHERE p.name = $1`

func scanPlan(p *tenant.Plan) []any {
	return []any{&p.Name, limitsScanner{&p.Limits}, &p.Version, timeScanner{&p.CreatedAt}, &p.Organizations}
}

func marshalLimits(limits tenant.Limits) (string, error) {
	text, err := json.Marshal(limits)
	if err != nil {
		return "", fmt.Errorf("limits: %w", err)
	}
	return string(text), nil
}

// CreatePlan adds a plan. It fails with fault.Conflict at /name if there is one
// of that name.
func (s *Store) CreatePlan(ctx context.Context, plan tenant.Plan) error {
	limits, err := marshalLimits(plan.Limits)
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		added, err := tx.exec(ctx,
			`INSERT INTO plans (name, limits, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`,
			plan.Name, limits, plan.CreatedAt)
		if err == nil && !added {
			return fault.New(fault.Conflict, "there is a plan of that name").At("/name")
		}
		return err
	})
}

// Plans returns up to limit plans in the order of their names, beginning behind
// the name after.
func (s *Store) Plans(ctx context.Context, after string, limit int) ([]tenant.Plan, error) {
	plans := []tenant.Plan{}
	err := s.many(ctx, `SELECT `+planColumns+` FROM plans p WHERE p.name > $1 ORDER BY p.name LIMIT $2`,
		[]any{after, limit}, func(rows *sql.Rows) error {
			var p tenant.Plan
			if err := rows.Scan(scanPlan(&p)...); err != nil {
				return err
			}
			plans = append(plans, p)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return plans, nil
}

// Plan returns one plan, or fault.NotFound.
func (s *Store) Plan(ctx context.Context, name string) (tenant.Plan, error) {
	var p tenant.Plan
	if err := s.one(ctx, "plan", planQuery, []any{name}, scanPlan(&p)...); err != nil {
		return tenant.Plan{}, err
	}
	return p, nil
}

// UpdatePlan changes a plan's limits by the function change, as UpdateApp does
// an app.
func (s *Store) UpdatePlan(
	ctx context.Context, name string, ifVersion int64, change func(*tenant.Plan) error,
) (tenant.Plan, error) {
	var p tenant.Plan
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lockPlan(ctx, name, ifVersion, &p); err != nil {
			return err
		}
		if err := change(&p); err != nil {
			return err
		}
		limits, err := marshalLimits(p.Limits)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE plans SET limits = $1 WHERE name = $2`, limits, name); err != nil {
			return err
		}
		return tx.touchPlan(ctx, name)
	})
	if err != nil {
		return tenant.Plan{}, err
	}
	return p, nil
}

// DeletePlan takes a plan away. It fails with fault.Conflict if an organization
// has it or it is the default, and as UpdatePlan does.
func (s *Store) DeletePlan(ctx context.Context, name string, ifVersion int64) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		var p tenant.Plan
		// The row is locked first, so that nobody is given the plan meanwhile.
		if err := tx.lockPlan(ctx, name, ifVersion, &p); err != nil {
			return err
		}
		switch {
		case name == tenant.DefaultPlan:
			return fault.New(fault.Conflict, "organizations that sign up have this plan")
		case p.Organizations > 0:
			return fault.Newf(fault.Conflict, "organizations have this plan: %d", p.Organizations)
		}
		_, err := tx.exec(ctx, `DELETE FROM plans WHERE name = $1`, name)
		return err
	})
}

// lockPlan gives a plan its next version, which locks its row, and reads it.
func (t *transaction) lockPlan(ctx context.Context, name string, ifVersion int64, p *tenant.Plan) error {
	current, err := t.exec(ctx,
		`UPDATE plans SET version = version + 1
		 WHERE name = $1 AND (CAST($2 AS bigint) < 0 OR version = CAST($2 AS bigint))`, name, ifVersion)
	if err != nil {
		return err
	}
	if err := t.one(ctx, "plan", planQuery, []any{name}, scanPlan(p)...); err != nil {
		return err
	}
	if !current {
		return fault.New(fault.PreconditionFailed, "the plan has changed since it was read")
	}
	return nil
}

// touchPlan is touch for all organizations that have a plan. COALESCE gives the
// time its type, which each database has its own of.
func (t *transaction) touchPlan(ctx context.Context, name string) error {
	_, err := t.exec(ctx,
		`INSERT INTO changes (organization, subject, changed_at)
		 SELECT slug, '', COALESCE($1, created_at) FROM organizations WHERE plan = $2 ORDER BY slug`, t.now(), name)
	return err
}

// holdPlan locks the row of a plan that an organization is given, so that it is
// not deleted meanwhile. It fails with fault.Invalid at /plan if there is none.
func (t *transaction) holdPlan(ctx context.Context, before, after string) error {
	if after == before {
		return nil
	}
	there, err := t.exec(ctx, `UPDATE plans SET version = version WHERE name = $1`, after)
	if err == nil && !there {
		return fault.New(fault.Invalid, "there is no such plan").At("/plan")
	}
	return err
}
