package api

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/tenant"
)

// ListAudit answers a page of the organization's audit log.
func (a *API) ListAudit(ctx context.Context, request spec.ListAuditRequestObject) (spec.ListAuditResponseObject, error) {
	p := request.Params
	page, err := a.auditPage(ctx, p.Limit, p.Cursor, tenant.AuditQuery{
		Organization: callerOf(ctx).Organization, App: deref(p.App), Actor: deref(p.Actor), Action: deref(p.Action),
		Since: orZero(p.Since), Until: orZero(p.Until),
	})
	if err != nil {
		return nil, err
	}
	return spec.ListAudit200JSONResponse(page), nil
}

// ListOperatorAudit answers a page of the installation's audit log.
func (a *API) ListOperatorAudit(
	ctx context.Context, request spec.ListOperatorAuditRequestObject,
) (spec.ListOperatorAuditResponseObject, error) {
	p := request.Params
	page, err := a.auditPage(ctx, p.Limit, p.Cursor, tenant.AuditQuery{
		Organization: deref(p.Organization), App: deref(p.App), Actor: deref(p.Actor), Action: deref(p.Action),
		Since: orZero(p.Since), Until: orZero(p.Until),
	})
	if err != nil {
		return nil, err
	}
	return spec.ListOperatorAudit200JSONResponse(page), nil
}

func (a *API) auditPage(ctx context.Context, limit *int32, cursor *string, q tenant.AuditQuery) (spec.AuditPage, error) {
	most, before, err := paging(limit, cursor, func(s string) bool { return strings.HasPrefix(s, "aud_") })
	if err != nil {
		return spec.AuditPage{}, err
	}
	q.Before, q.Limit = before, most+1
	entries, err := a.deps.Store.Audit(ctx, q)
	if err != nil {
		return spec.AuditPage{}, err
	}
	items, next := pageOf(entries, most, auditView, func(e tenant.AuditEntry) string { return e.ID })
	return spec.AuditPage{Items: items, NextCursor: next}, nil
}

func auditView(e tenant.AuditEntry) spec.AuditEntry {
	return spec.AuditEntry{
		ID: e.ID, CreatedAt: e.CreatedAt, Organization: ref(e.Organization), App: ref(e.App),
		Actor:   spec.Actor{Kind: spec.ActorKind(e.ActorKind), ID: ref(e.Actor), Name: ref(e.ActorName)},
		Address: e.Address, RequestID: e.RequestID, Action: e.Action, Target: e.Target,
		Before: objectOf(e.Before), After: objectOf(e.After),
	}
}

// objectOf is what jsonOf has written, as an answer shows it.
func objectOf(text json.RawMessage) *map[string]any {
	var object map[string]any
	if json.Unmarshal(text, &object) != nil || object == nil {
		return nil
	}
	return &object
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
