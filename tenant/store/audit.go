package store

import (
	"context"

	"github.com/fanfare-mq/fanfare/tenant"
)

// insertAudit keeps an entry of the audit log.
func insertAudit(ctx context.Context, tx *transaction, e *tenant.AuditEntry) error {
	e.ID = tenant.NewID("aud")
	_, err := tx.exec(ctx,
		`INSERT INTO audit (id, organization, app, actor_kind, actor, actor_name, address, request_id,
			action, target, before, after, created_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		e.ID, e.Organization, e.App, string(e.ActorKind), e.Actor, e.ActorName, e.Address, e.RequestID,
		e.Action, e.Target, string(e.Before), string(e.After), e.CreatedAt)
	return err
}
