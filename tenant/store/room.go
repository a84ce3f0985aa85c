package store

import (
	"context"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// roomForApp refuses one more app when the organization has as many as it may
// have, with fault.QuotaExceeded.
func (t *transaction) roomForApp(ctx context.Context, org string) error {
	h, err := t.lockHoldings(ctx, org)
	if most := h.Allowed().Apps; err == nil && most > 0 && h.Apps >= most {
		return fault.Newf(fault.QuotaExceeded, "the organization may have %d apps, and has %d", most, h.Apps)
	}
	return err
}

// lockHoldings reads what an organization has and may have, and lets no other
// transaction do so before the end of this one: two of them would both find
// room for the last app.
func (t *transaction) lockHoldings(ctx context.Context, org string) (h tenant.Holdings, err error) {
	if _, err := t.exec(ctx, `UPDATE organizations SET version = version WHERE slug = $1`, org); err != nil {
		return h, err
	}
	err = t.one(ctx, "organization", `SELECT `+holdingsColumns+` FROM organizations o WHERE o.slug = $1 AND o.deleted_at IS NULL`,
		[]any{org}, scanHoldings(&h)...)
	return h, err
}
