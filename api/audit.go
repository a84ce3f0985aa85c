package api

import (
	"context"
	"encoding/json"

	"github.com/fanfare-mq/fanfare/tenant"
)

// audited returns a context whose next change of the store leaves an entry in
// the audit log, in the same transaction. The entry may be completed until then:
// see before and after. It is of the caller's organization; an operation of the
// operator's says in entry.Organization which one it is about, or none for the
// installation itself.
func (a *API) audited(ctx context.Context, app, action, target string) (context.Context, *tenant.AuditEntry) {
	x := exchangeOf(ctx)
	e := &tenant.AuditEntry{
		App: app, Address: x.client.name, RequestID: x.id, Action: action, Target: target,
		ActorKind: tenant.ActorNobody, CreatedAt: a.timestamp(),
	}
	if caller := x.caller; caller != nil {
		if !x.operation {
			e.Organization = caller.Organization
		}
		switch {
		case caller.Member != nil:
			e.ActorKind, e.Actor, e.ActorName = tenant.ActorMember, caller.Member.ID, caller.Member.Email
		case caller.Key != nil:
			e.ActorKind, e.Actor, e.ActorName = tenant.ActorKey, caller.Key.ID, caller.Key.Name
		case caller.Operator:
			e.ActorKind, e.ActorName = tenant.ActorOperator, "operator"
		}
	}
	return tenant.WithAudit(ctx, e), e
}

// auditedAs is audited for what somebody does who is a member with it, or comes
// to be one.
func (a *API) auditedAs(ctx context.Context, m tenant.Member, action, target string) (context.Context, *tenant.AuditEntry) {
	ctx, e := a.audited(ctx, "", action, target)
	e.Organization, e.ActorKind, e.Actor, e.ActorName = m.Organization, tenant.ActorMember, m.ID, m.Email
	return ctx, e
}

// jsonOf is a view as the audit log keeps it. Views are made for answers, so
// they can be written; those with secrets are not to be given here.
func jsonOf(view any) json.RawMessage {
	text, err := json.Marshal(view)
	if err != nil {
		return nil
	}
	return text
}
