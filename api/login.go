package api

import (
	"context"
	"slices"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// wrongLogIn does not tell which of the two is wrong, so that nobody learns who
// has an account.
func wrongLogIn() *fault.Error {
	return fault.New(fault.Unauthenticated, "the e-mail address or the password is wrong")
}

// LogIn signs a member in.
func (a *API) LogIn(ctx context.Context, request spec.LogInRequestObject) (spec.LogInResponseObject, error) {
	body := request.Body
	person, hash, err := a.prove(ctx, tenant.NormalizeEmail(body.Email), body.Password, wrongLogIn())
	if err != nil {
		return nil, err
	}
	member, err := a.membership(ctx, person, body.Organization)
	if err != nil {
		return nil, err
	}
	token, session := a.newSession(ctx, member)
	ctx, _ = a.auditedAs(ctx, member, "session.start", session.ID)
	err = a.deps.Store.SignIn(ctx, person.ID, hash, session)
	if fault.CodeOf(err) == fault.Conflict { // the password was right a moment ago
		err = wrongLogIn()
	}
	if err != nil {
		return nil, err
	}
	return spec.LogIn200JSONResponse{Token: token, ExpiresAt: session.ExpiresAt}, nil
}

// membership returns what a person is in one of their organizations, or in the
// first.
func (a *API) membership(ctx context.Context, person tenant.Person, org *string) (tenant.Member, error) {
	members, err := a.deps.Store.Memberships(ctx, person.ID)
	if err != nil {
		return tenant.Member{}, err
	}
	i := slices.IndexFunc(members, func(m tenant.Member) bool { return org == nil || m.Organization == *org })
	if i < 0 {
		return tenant.Member{}, fault.New(fault.Forbidden, "you belong to no such organization")
	}
	return members[i], nil
}

// LogOut ends the session of the request.
func (a *API) LogOut(ctx context.Context, _ spec.LogOutRequestObject) (spec.LogOutResponseObject, error) {
	caller := callerOf(ctx)
	ctx, _ = a.audited(ctx, "", "session.end", caller.Session.ID)
	err := a.deps.Store.EndSession(ctx, caller.Member.Person, caller.Session.ID)
	if err != nil && fault.CodeOf(err) != fault.NotFound { // it may have ended a moment ago
		return nil, err
	}
	return spec.LogOut204Response{}, nil
}

// GetMe says who the credentials belong to.
func (a *API) GetMe(ctx context.Context, _ spec.GetMeRequestObject) (spec.GetMeResponseObject, error) {
	caller := callerOf(ctx)
	me := spec.GetMe200JSONResponse{Organization: caller.Organization}
	if caller.Member != nil {
		member := memberView(*caller.Member)
		me.Member = &member
		members, err := a.deps.Store.Memberships(ctx, caller.Member.Person)
		if err != nil {
			return nil, err
		}
		organizations := make([]spec.Membership, len(members))
		for i, m := range members {
			organizations[i] = membershipView(m)
		}
		me.Organizations = &organizations
	}
	if caller.Key != nil {
		me.App = &caller.App
		key := apiKeyView(*caller.Key)
		key.LastUsedAt, key.LastUsedFrom = nil, nil // of when the key was read; the last use is this one
		me.APIKey = &key
	}
	return me, nil
}

func scopesView(scopes []tenant.Scope) []spec.Scope {
	view := make([]spec.Scope, len(scopes))
	for i, scope := range scopes {
		view[i] = spec.Scope(scope)
	}
	return view
}
