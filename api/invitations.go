package api

import (
	"context"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// invitationLifetime is how long an invitation can be accepted: a week's
// holiday long.
const invitationLifetime = 7 * 24 * time.Hour

// link is what a person opens who was given a secret. It stands in the fragment,
// which browsers keep from servers, so that no log has it.
func (a *API) link(page, secret string) string {
	return strings.TrimSuffix(a.cfg.PublicAdmin, "/") + "/" + page + "#" + secret
}

// ListInvitations answers a page of the organization's open invitations.
func (a *API) ListInvitations(
	ctx context.Context, request spec.ListInvitationsRequestObject,
) (spec.ListInvitationsResponseObject, error) {
	most, after, err := paging(request.Params.Limit, request.Params.Cursor, isID("inv_"))
	if err != nil {
		return nil, err
	}
	invitations, err := a.deps.Store.Invitations(ctx, callerOf(ctx).Organization, a.now(), after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(invitations, most, invitationView, func(i tenant.Invitation) string { return i.ID })
	return spec.ListInvitations200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateInvitation makes a link with which somebody becomes a member.
func (a *API) CreateInvitation(
	ctx context.Context, request spec.CreateInvitationRequestObject,
) (spec.CreateInvitationResponseObject, error) {
	caller, body, now := callerOf(ctx), request.Body, a.timestamp()
	email, token := tenant.NormalizeEmail(body.Email), auth.NewInvitationToken()
	if err := tenant.ValidEmail(email); err != nil {
		return nil, at(err, "/email")
	}
	invitation := tenant.Invitation{
		ID: tenant.NewID("inv"), Organization: caller.Organization, Email: email, Role: tenant.Role(body.Role),
		Hash: auth.HashSecret(token), InvitedBy: caller.Member.Email, CreatedAt: now, ExpiresAt: now.Add(invitationLifetime),
	}
	view := invitationView(invitation)
	ctx, entry := a.audited(ctx, "", "member.invite", invitation.ID)
	entry.After = jsonOf(view)
	if err := a.deps.Store.CreateInvitation(ctx, caller.Member.ID, invitation, managesInvited); err != nil {
		return nil, err
	}
	return spec.CreateInvitation201JSONResponse{
		ID: view.ID, Email: view.Email, Role: view.Role, InvitedBy: view.InvitedBy, CreatedAt: view.CreatedAt,
		ExpiresAt: view.ExpiresAt, Token: token, Link: a.link("invitations", token),
	}, nil
}

func managesInvited(by tenant.Role, i tenant.Invitation) error { return manages(by, i.Role) }

// DeleteInvitation makes an invitation's link worth nothing.
func (a *API) DeleteInvitation(
	ctx context.Context, request spec.DeleteInvitationRequestObject,
) (spec.DeleteInvitationResponseObject, error) {
	caller := callerOf(ctx)
	ctx, entry := a.audited(ctx, "", "member.uninvite", request.Invitation)
	err := a.deps.Store.DeleteInvitation(ctx, caller.Organization, caller.Member.ID, request.Invitation,
		func(by tenant.Role, i tenant.Invitation) error {
			entry.Before = jsonOf(invitationView(i))
			return managesInvited(by, i)
		})
	if err != nil {
		return nil, err
	}
	return spec.DeleteInvitation204Response{}, nil
}

// InspectInvitation tells the holder of a link what it offers.
func (a *API) InspectInvitation(
	ctx context.Context, request spec.InspectInvitationRequestObject,
) (spec.InspectInvitationResponseObject, error) {
	if err := a.takeLink(ctx); err != nil {
		return nil, err
	}
	i, err := a.deps.Store.InvitationByHash(ctx, auth.HashSecret(request.Body.Token), a.now())
	if err != nil {
		return nil, linkFault(err)
	}
	_, _, err = a.deps.Store.PersonByEmail(ctx, i.Email)
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return nil, err
	}
	return spec.InspectInvitation200JSONResponse{
		Organization: i.Organization, Email: i.Email, Role: spec.Role(i.Role), InvitedBy: i.InvitedBy,
		Registered: err == nil, ExpiresAt: i.ExpiresAt,
	}, nil
}

// AcceptInvitation makes the holder of a link a member and signs them in.
func (a *API) AcceptInvitation(
	ctx context.Context, request spec.AcceptInvitationRequestObject,
) (spec.AcceptInvitationResponseObject, error) {
	if err := a.takeLink(ctx); err != nil {
		return nil, err
	}
	link := auth.HashSecret(request.Body.Token)
	i, err := a.deps.Store.InvitationByHash(ctx, link, a.now())
	if err != nil {
		return nil, linkFault(err)
	}
	person, hash, err := a.invited(ctx, i, request.Body.Password)
	if err != nil {
		return nil, err
	}
	member := tenant.Member{
		ID: tenant.NewID("mem"), Organization: i.Organization, Person: person.ID, Email: i.Email, Role: i.Role,
		CreatedAt: a.timestamp(),
	}
	token, session := a.newSession(ctx, member)
	ctx, entry := a.auditedAs(ctx, member, "member.join", member.ID)
	entry.After = jsonOf(memberView(member))
	if err := a.deps.Store.AcceptInvitation(ctx, link, member, hash, session); err != nil {
		return nil, linkFault(err)
	}
	return spec.AcceptInvitation201JSONResponse{
		Organization: member.Organization, Member: memberView(member), Token: token, ExpiresAt: session.ExpiresAt,
	}, nil
}

// invited returns who accepts an invitation: a person whose password it is, or
// nobody yet, with the hash of the password that they choose.
func (a *API) invited(ctx context.Context, i tenant.Invitation, password string) (tenant.Person, string, error) {
	_, _, err := a.deps.Store.PersonByEmail(ctx, i.Email)
	switch {
	case err == nil:
		return a.prove(ctx, i.Email, password, wrongLogIn())
	case fault.CodeOf(err) == fault.NotFound:
		hash, err := newPassword(password, i.Email, i.Organization, "/password")
		return tenant.Person{}, hash, err
	default:
		return tenant.Person{}, "", err
	}
}

func invitationView(i tenant.Invitation) spec.Invitation {
	return spec.Invitation{
		ID: i.ID, Email: i.Email, Role: spec.Role(i.Role), InvitedBy: i.InvitedBy, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt,
	}
}
