package api

import (
	"context"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// shardFor returns the stream of the log for a topic that the caller may publish
// to: one of the organization's own, which is in own, or of any organization if
// the caller's API key is above the wall.
func (a *API) shardFor(ctx context.Context, name string, own uint16) (uint16, error) {
	caller := callerOf(ctx)
	if topic.InsideWall(caller.Organization, name) {
		return own, nil
	}
	if !a.isAbove(caller) {
		return 0, fault.Newf(fault.OutsideWall, "must start with %q", caller.Organization+"/").At("/topic")
	}
	org := topic.Organization(name)
	if !topic.InsideWall(org, name) {
		return 0, fault.New(fault.OutsideWall, "must start with an organization's name and a slash").At("/topic")
	}
	shard, err := a.deps.Above.Shard(ctx, org)
	if fault.CodeOf(err) == fault.NotFound {
		return 0, fault.New(fault.NotFound, "there is no such organization").At("/topic")
	}
	if err != nil {
		return 0, err
	}
	x := exchangeOf(ctx)
	a.deps.Above.Note(tenant.AuditEntry{
		Organization: org, ActorKind: tenant.ActorKey, Actor: caller.Key.ID, ActorName: caller.Key.Name,
		Address: x.client.name, RequestID: x.id, Action: "across.publish", Target: cut(name, 500), CreatedAt: a.timestamp(),
	})
	return shard, nil
}

// isAbove says whether the caller is above the wall.
func (a *API) isAbove(caller *auth.Caller) bool {
	return a.deps.Above != nil && caller.Key != nil && caller.Key.Across && caller.Organization == a.cfg.OperatorOrganization
}

// mayRaise refuses to put credentials above the wall, but for an owner of the
// operator's organization who has given the password of late, where it is
// allowed at all. field is the pointer of what asks for it.
func (a *API) mayRaise(caller *auth.Caller, field string) error {
	switch {
	case a.cfg.OperatorOrganization == "" || caller.Organization != a.cfg.OperatorOrganization:
		return fault.New(fault.Invalid, "is for the operator's organization alone").At(field)
	case a.deps.Above == nil:
		return fault.New(fault.Invalid, "is not allowed on this server; its operator can set FANFARE_OPERATOR_ACROSS").At(field)
	case caller.Member == nil || caller.Member.Role != tenant.Owner:
		return fault.New(fault.Invalid, "can be given by an owner of the organization alone").At(field)
	}
	return a.confirmed(caller)
}

// commands refuses changes of credentials that are above the wall by anybody but
// an owner who has given the password of late: who can change them can use them.
func (a *API) commands(caller *auth.Caller) error {
	if caller.Member == nil || caller.Member.Role != tenant.Owner {
		return fault.New(fault.Forbidden, "only an owner of the organization can do this to credentials above the wall")
	}
	return a.confirmed(caller)
}
