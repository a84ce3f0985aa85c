package api

import (
	"context"
	"strings"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// ListMySessions answers a page of the sessions of the person who calls.
func (a *API) ListMySessions(
	ctx context.Context, request spec.ListMySessionsRequestObject,
) (spec.ListMySessionsResponseObject, error) {
	caller := callerOf(ctx)
	most, after, err := paging(request.Params.Limit, request.Params.Cursor, isID("ses_"))
	if err != nil {
		return nil, err
	}
	sessions, err := a.deps.Store.Sessions(ctx, caller.Member.Person, a.now(), after, most+1)
	if err != nil {
		return nil, err
	}
	view := func(in tenant.SignIn) spec.MySession { return mySessionView(in, caller.Session.ID) }
	items, next := pageOf(sessions, most, view, func(in tenant.SignIn) string { return in.Session.ID })
	return spec.ListMySessions200JSONResponse{Items: items, NextCursor: next}, nil
}

// isID says whether a cursor is an id of a kind.
func isID(prefix string) func(string) bool {
	return func(s string) bool {
		digits, ok := strings.CutPrefix(s, prefix)
		return ok && len(digits) == 26
	}
}

func mySessionView(in tenant.SignIn, current string) spec.MySession {
	s := in.Session
	return spec.MySession{
		ID: s.ID, Organization: in.Member.Organization, CreatedAt: s.CreatedAt, ConfirmedAt: s.ConfirmedAt,
		Address: s.Address, UserAgent: s.UserAgent, Current: s.ID == current, ExpiresAt: s.ExpiresAt,
	}
}

// EndMySession ends one of the sessions of the person who calls.
func (a *API) EndMySession(
	ctx context.Context, request spec.EndMySessionRequestObject,
) (spec.EndMySessionResponseObject, error) {
	ctx, _ = a.audited(ctx, "", "session.end", request.Session)
	if err := a.deps.Store.EndSession(ctx, callerOf(ctx).Member.Person, request.Session); err != nil {
		return nil, err
	}
	return spec.EndMySession204Response{}, nil
}

// CreateMyOrganization creates an organization that the person who calls owns.
func (a *API) CreateMyOrganization(
	ctx context.Context, request spec.CreateMyOrganizationRequestObject,
) (spec.CreateMyOrganizationResponseObject, error) {
	if err := a.admitSignUp(ctx); err != nil {
		return nil, err
	}
	slug, caller := request.Body.Organization, callerOf(ctx)
	if err := tenant.ValidSlug(slug); err != nil {
		return nil, at(err, "/organization")
	}
	org, owner, err := a.newOwned(slug, *caller.Member)
	if err != nil {
		return nil, err
	}
	view := membershipView(owner)
	ctx, entry := a.auditedAs(ctx, owner, "organization.create", slug)
	entry.After = jsonOf(view)
	if err := a.deps.Store.AddOrganization(ctx, org, owner); err != nil {
		return nil, err
	}
	return spec.CreateMyOrganization201JSONResponse(view), nil
}

// SwitchOrganization signs the person who calls in to another of their
// organizations.
func (a *API) SwitchOrganization(
	ctx context.Context, request spec.SwitchOrganizationRequestObject,
) (spec.SwitchOrganizationResponseObject, error) {
	caller := callerOf(ctx)
	member, err := a.membership(ctx, tenant.Person{ID: caller.Member.Person}, &request.Body.Organization)
	if err != nil {
		return nil, missingOrganization(err)
	}
	token, session := a.newSession(ctx, member)
	ctx, _ = a.auditedAs(ctx, member, "session.start", session.ID)
	if session, err = a.deps.Store.Switch(ctx, caller.Session.Hash, session); err != nil {
		return nil, missingOrganization(err)
	}
	return spec.SwitchOrganization200JSONResponse{Token: token, ExpiresAt: session.ExpiresAt}, nil
}

// missingOrganization: what somebody does not belong to does not exist for them.
func missingOrganization(err error) error {
	if code := fault.CodeOf(err); code == fault.Forbidden || code == fault.NotFound {
		return fault.New(fault.NotFound, "there is no such organization among yours")
	}
	return err
}
