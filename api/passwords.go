package api

import (
	"context"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// prove returns the person with an e-mail address whose password it is, and its
// hash, or fails as wrong says. An unknown address costs the same time as a wrong
// password.
func (a *API) prove(
	ctx context.Context, email, password string, wrong *fault.Error,
) (person tenant.Person, hash string, err error) {
	person, hash, err = a.deps.Store.PersonByEmail(ctx, email)
	right := false
	switch {
	case err == nil:
		right, err = auth.VerifyPassword(hash, password)
	case fault.CodeOf(err) == fault.NotFound:
		err = auth.VerifyNobody(password)
	}
	if err == nil && !right {
		err = a.failedPassword(ctx, email, wrong)
	}
	return person, hash, err
}

// failedPassword counts a failure. Only failures meet the limits: whoever
// guesses at an account cannot lock its owner out.
func (a *API) failedPassword(ctx context.Context, email string, wrong *fault.Error) error {
	err := a.logIns.take("too many failed log-ins", "address "+exchangeOf(ctx).address, "account "+email)
	if err != nil {
		return err
	}
	return wrong
}

// ConfirmMyPassword lets the session do for a while what shows or ends
// credentials.
func (a *API) ConfirmMyPassword(
	ctx context.Context, request spec.ConfirmMyPasswordRequestObject,
) (spec.ConfirmMyPasswordResponseObject, error) {
	caller := callerOf(ctx)
	wrong := fault.New(fault.Invalid, "is wrong").At("/password")
	if _, _, err := a.prove(ctx, caller.Member.Email, request.Body.Password, wrong); err != nil {
		return nil, err
	}
	now := a.timestamp()
	err := a.deps.Store.ConfirmSession(ctx, caller.Session.Hash, now)
	if fault.CodeOf(err) == fault.NotFound { // it has ended a moment ago
		err = fault.New(fault.Unauthenticated, "the session has ended; sign in again")
	}
	if err != nil {
		return nil, err
	}
	return spec.ConfirmMyPassword200JSONResponse{ConfirmedAt: now, ConfirmedUntil: now.Add(stepUpWindow)}, nil
}

// ChangeMyPassword replaces the caller's password and ends their other sessions.
func (a *API) ChangeMyPassword(
	ctx context.Context, request spec.ChangeMyPasswordRequestObject,
) (spec.ChangeMyPasswordResponseObject, error) {
	caller, body := callerOf(ctx), request.Body
	wrong := fault.New(fault.Invalid, "is wrong").At("/current_password")
	person, hash, err := a.prove(ctx, caller.Member.Email, body.CurrentPassword, wrong)
	if err != nil {
		return nil, err
	}
	if body.NewPassword == body.CurrentPassword {
		return nil, fault.New(fault.Invalid, "must be another one than before").At("/new_password")
	}
	fresh, err := newPassword(body.NewPassword, person.Email, caller.Organization, "/new_password")
	if err != nil {
		return nil, err
	}
	ctx, _ = a.audited(ctx, "", "person.password", person.ID)
	if err := a.deps.Store.ChangePassword(ctx, person.ID, hash, fresh, caller.Session.Hash); err != nil {
		return nil, err
	}
	return spec.ChangeMyPassword204Response{}, nil
}

// newPassword hashes a password that a person may choose.
func newPassword(password, email, org, pointer string) (hash string, err error) {
	if err := tenant.CheckPassword(password, email, org); err != nil {
		return "", at(err, pointer)
	}
	return auth.HashPassword(password)
}

// resetLifetime is how long a link that sets a password works: it opens an
// account alone.
const resetLifetime = time.Hour

// CreatePasswordReset makes a link with which a person sets a new password.
func (a *API) CreatePasswordReset(
	ctx context.Context, request spec.CreatePasswordResetRequestObject,
) (spec.CreatePasswordResetResponseObject, error) {
	person, _, err := a.deps.Store.PersonByEmail(ctx, request.Body.Email)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "nobody has this e-mail address")
	}
	if err != nil {
		return nil, err
	}
	token, now := auth.NewResetToken(), a.timestamp()
	reset := tenant.PasswordReset{Hash: auth.HashSecret(token), CreatedAt: now, ExpiresAt: now.Add(resetLifetime)}
	ctx, _ = a.audited(ctx, "", "person.password_reset", person.ID)
	if err := a.deps.Store.CreatePasswordReset(ctx, person.Email, reset); err != nil {
		return nil, err
	}
	return spec.CreatePasswordReset201JSONResponse{
		Email: person.Email, ExpiresAt: reset.ExpiresAt, Token: token, Link: a.link("password-resets", token),
	}, nil
}

// RedeemPasswordReset sets the password of the person whom the link is for.
func (a *API) RedeemPasswordReset(
	ctx context.Context, request spec.RedeemPasswordResetRequestObject,
) (spec.RedeemPasswordResetResponseObject, error) {
	if err := a.takeLink(ctx); err != nil {
		return nil, err
	}
	body := request.Body
	link := auth.HashSecret(body.Token)
	person, err := a.deps.Store.PasswordReset(ctx, link, a.timestamp())
	if err != nil {
		return nil, linkFault(err)
	}
	hash, err := newPassword(body.NewPassword, person.Email, "", "/new_password")
	if err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, "", "person.password", person.ID)
	entry.ActorName = person.Email
	if err := a.deps.Store.RedeemPasswordReset(ctx, person.ID, link, a.timestamp(), hash); err != nil {
		return nil, linkFault(err)
	}
	return spec.RedeemPasswordReset204Response{}, nil
}

// takeLink counts the use of a link. Its secret cannot be guessed: the limit is
// for what a use costs.
func (a *API) takeLink(ctx context.Context) error {
	return a.links.take("too many links from your address", exchangeOf(ctx).address)
}

// linkFault answers alike whatever is the matter with a link.
func linkFault(err error) error {
	if fault.CodeOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "the link is wrong, was used or is too old")
	}
	return err
}
