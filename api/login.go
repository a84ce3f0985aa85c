package api

import (
	"context"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// LogIn signs a member in. An unknown address costs the same time as a wrong
// password and is answered alike, so that nobody learns who has an account.
func (a *API) LogIn(ctx context.Context, request spec.LogInRequestObject) (spec.LogInResponseObject, error) {
	email := tenant.NormalizeEmail(request.Body.Email)
	member, hash, err := a.deps.Store.MemberByEmail(ctx, email)
	right := false
	switch {
	case err == nil:
		right, err = auth.VerifyPassword(hash, request.Body.Password)
	case fault.CodeOf(err) == fault.NotFound:
		err = auth.VerifyNobody(request.Body.Password)
	}
	if err != nil {
		return nil, err
	}
	if !right {
		return nil, a.failedLogIn(ctx, email)
	}
	audited, entry := a.audited(ctx, "", "member.sign_in", member.ID)
	by(entry, member)
	token, expires, err := a.signIn(audited, member)
	if err != nil {
		return nil, err
	}
	return spec.LogIn200JSONResponse{Token: token, ExpiresAt: expires}, nil
}

// failedLogIn counts a failure. Only failures meet the limits: whoever guesses
// at an account cannot lock its owner out.
func (a *API) failedLogIn(ctx context.Context, email string) error {
	err := a.logIns.take("too many failed log-ins", "address "+exchangeOf(ctx).address, "account "+email)
	if err != nil {
		return err
	}
	return fault.New(fault.Unauthenticated, "the e-mail address or the password is wrong")
}

// GetMe says who the credentials belong to.
func (a *API) GetMe(ctx context.Context, _ spec.GetMeRequestObject) (spec.GetMeResponseObject, error) {
	caller := callerOf(ctx)
	me := spec.GetMe200JSONResponse{Organization: caller.Organization}
	if caller.Member != nil {
		member := memberView(*caller.Member)
		me.Member = &member
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
