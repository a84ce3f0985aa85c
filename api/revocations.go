package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// clockSlack is how far a device's clock, and that of another server, may be
	// off: a revocation outlives its tokens by it.
	clockSlack = time.Minute
	// maxAhead is how far ahead issued_before may lie.
	maxAhead = time.Minute
)

// ListRevocations answers a page of what of an app's credentials is revoked.
func (a *API) ListRevocations(
	ctx context.Context, request spec.ListRevocationsRequestObject,
) (spec.ListRevocationsResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	most, cursor, err := paging(request.Params.Limit, request.Params.Cursor, func(s string) bool {
		kind, subject, ok := strings.Cut(s, "/")
		return ok && spec.RevocationKind(kind).Valid() && tenant.ValidRevoked(subject) == nil
	})
	if err != nil {
		return nil, err
	}
	of := app.Entry().App
	kind, subject, _ := strings.Cut(cursor, "/")
	after := tenant.RevocationID{Kind: tenant.RevocationKind(kind), Subject: subject}
	revocations, err := a.deps.Store.Revocations(ctx, of.Organization, of.ID, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(revocations, most, revocationView, func(r tenant.Revocation) string { return string(r.Kind) + "/" + r.Subject })
	return spec.ListRevocations200JSONResponse{Items: items, NextCursor: next}, nil
}

// Revoke revokes a token, or what a device or a user has, and tells all nodes.
func (a *API) Revoke(ctx context.Context, request spec.RevokeRequestObject) (spec.RevokeResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of := app.Entry().App
	r := tenant.Revocation{Organization: of.Organization, App: of.ID, CreatedAt: a.timestamp()}
	if err := a.readRevocation(ctx, request.Body, &r); err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, of.ID, "revocation.create", string(r.Kind)+"/"+r.Subject)
	entry.After = jsonOf(revocationView(r))
	kept, err := a.deps.Store.Revoke(ctx, r)
	if err != nil {
		return nil, err
	}
	a.changed(ctx, of.Organization, r.Change(of.ID))
	if err := a.outwait(ctx, r.IssuedBefore); err != nil {
		return nil, err
	}
	return spec.Revoke201JSONResponse(revocationView(kept)), nil
}

// GetRevocation answers one revocation.
func (a *API) GetRevocation(ctx context.Context, request spec.GetRevocationRequestObject) (spec.GetRevocationResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	id := tenant.RevocationID{Kind: tenant.RevocationKind(request.Kind), Subject: request.Subject}
	r, err := a.deps.Store.Revocation(ctx, caller.Organization, request.App, id)
	if err != nil {
		return nil, err
	}
	return spec.GetRevocation200JSONResponse(revocationView(r)), nil
}

// Unrevoke lifts a revocation and tells all nodes.
func (a *API) Unrevoke(ctx context.Context, request spec.UnrevokeRequestObject) (spec.UnrevokeResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	id := tenant.RevocationID{Kind: tenant.RevocationKind(request.Kind), Subject: request.Subject}
	before, err := a.deps.Store.Revocation(ctx, caller.Organization, request.App, id)
	if err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, request.App, "revocation.delete", string(id.Kind)+"/"+id.Subject)
	entry.Before = jsonOf(revocationView(before))
	if err := a.deps.Store.Unrevoke(ctx, caller.Organization, request.App, id); err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, id.Change(request.App))
	return spec.Unrevoke204Response{}, nil
}

// readRevocation completes a revocation with what the body says.
func (a *API) readRevocation(ctx context.Context, body *spec.NewRevocation, r *tenant.Revocation) error {
	token, device, user := body.Token != nil, body.Device != nil, body.User != nil
	switch {
	case token && !device && !user:
		if body.IssuedBefore != nil {
			return fault.New(fault.Invalid, "is for a device or a user; a token is revoked whenever it was issued").At("/issued_before")
		}
		return a.readRevokedToken(ctx, body.Token, r)
	case device && !token && !user:
		r.Kind, r.Subject = tenant.RevokedDevice, *body.Device
		return errors.Join(at(tenant.ValidRevoked(r.Subject), "/device"), readIssuedBefore(body.IssuedBefore, r))
	case user && !token && !device:
		r.Kind, r.Subject = tenant.RevokedUser, *body.User
		return errors.Join(at(auth.ValidUser(r.Subject), "/user"), readIssuedBefore(body.IssuedBefore, r))
	}
	return fault.New(fault.Invalid, "must have exactly one of token, device and user")
}

// readIssuedBefore completes the revocation of a device or a user with its
// time, which is now unless it is said.
func readIssuedBefore(said *time.Time, r *tenant.Revocation) error {
	r.IssuedBefore = r.CreatedAt
	if said != nil {
		r.IssuedBefore = said.UTC().Truncate(time.Microsecond)
	}
	if r.IssuedBefore.Sub(r.CreatedAt) > maxAhead {
		return fault.Newf(fault.Invalid, "must not lie more than %d seconds ahead", maxAhead/time.Second).At("/issued_before")
	}
	r.ExpiresAt = r.IssuedBefore.Add(auth.MaxTokenLifetime + clockSlack)
	if !r.ExpiresAt.After(r.CreatedAt) {
		return fault.New(fault.Invalid, "lies so far back that no token can be left of it").At("/issued_before")
	}
	return nil
}

// readRevokedToken completes the revocation of a token, named or shown. The
// token itself goes nowhere.
func (a *API) readRevokedToken(ctx context.Context, token *spec.RevokedToken, r *tenant.Revocation) error {
	r.Kind, r.ExpiresAt = tenant.RevokedToken, r.CreatedAt.Add(auth.MaxTokenLifetime)
	switch {
	case (token.Jti == nil) == (token.Jwt == nil):
		return fault.New(fault.Invalid, "must have exactly one of jti and jwt").At("/token")
	case token.Jwt != nil && token.ExpiresAt != nil:
		return fault.New(fault.Invalid, "is for a jti; a jwt says itself when it expires").At("/token/expires_at")
	case token.Jwt != nil:
		said, err := a.deps.Tokens.Inspect(ctx, r.Organization, r.App, *token.Jwt)
		if err == nil && tenant.ValidRevoked(said.ID) != nil {
			err = fault.New(fault.Invalid, "has a jti that is too long, or is no plain text")
		}
		if err != nil {
			return at(err, "/token/jwt")
		}
		r.Subject, r.ExpiresAt = said.ID, said.Expires
	default:
		r.Subject = *token.Jti
		if err := tenant.ValidRevoked(r.Subject); err != nil {
			return at(err, "/token/jti")
		}
		set(&r.ExpiresAt, token.ExpiresAt)
		if !r.ExpiresAt.After(r.CreatedAt) {
			return fault.New(fault.Invalid, "must lie ahead: a token that has expired is worth nothing").At("/token/expires_at")
		}
	}
	r.ExpiresAt = r.ExpiresAt.UTC().Truncate(time.Microsecond).Add(clockSlack)
	return nil
}

// outwait waits until the second of a time is over, if it is the present one:
// tokens say in whole seconds when they were issued, and what is issued after
// the answer has to be good.
func (a *API) outwait(ctx context.Context, t time.Time) error {
	left := t.Truncate(time.Second).Add(time.Second).Sub(a.now())
	if t.IsZero() || left <= 0 || left > time.Second {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func revocationView(r tenant.Revocation) spec.Revocation {
	view := spec.Revocation{
		Kind: spec.RevocationKind(r.Kind), Subject: r.Subject, ExpiresAt: r.ExpiresAt, CreatedAt: r.CreatedAt,
	}
	if !r.IssuedBefore.IsZero() {
		view.IssuedBefore = &r.IssuedBefore
	}
	return view
}
