package api

import (
	"context"
	"errors"
	"strconv"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
)

// ListLogins answers a page of an app's logins.
func (a *API) ListLogins(ctx context.Context, request spec.ListLoginsRequestObject) (spec.ListLoginsResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	most, after, err := paging(request.Params.Limit, request.Params.Cursor, func(s string) bool { return tenant.ValidUsername(s) == nil })
	if err != nil {
		return nil, err
	}
	of := app.Entry().App
	logins, err := a.deps.Store.Logins(ctx, of.Organization, of.ID, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(logins, most, loginView, func(l tenant.Login) string { return l.Username })
	return spec.ListLogins200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateLogin adds a login to an app.
func (a *API) CreateLogin(ctx context.Context, request spec.CreateLoginRequestObject) (spec.CreateLoginResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, body := app.Entry().App, request.Body
	login := tenant.Login{
		Organization: of.Organization, App: of.ID, Username: body.Username, User: body.User, Device: deref(body.Device),
		Role: deref(body.Role), Enabled: true, CreatedAt: a.timestamp(),
	}
	set(&login.Tags, body.Tags)
	set(&login.Enabled, body.Enabled)
	set(&login.Super, body.Super)
	err = errors.Join(
		at(tenant.ValidUsername(login.Username), "/username"),
		at(tenant.CheckLoginPassword(body.Password), "/password"),
		checkLogin(&login),
	)
	if err != nil {
		return nil, err
	}
	if login.Super {
		if err := a.mayRaise(callerOf(ctx), "/super"); err != nil {
			return nil, err
		}
	}
	if login.PasswordHash, err = auth.HashPassword(body.Password); err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, of.ID, "login.create", login.Username)
	entry.After = jsonOf(loginView(login))
	if err := a.deps.Store.CreateLogin(audited, login); err != nil {
		return nil, err
	}
	a.loginChanged(ctx, &login) // somebody may have tried it before it was there
	return spec.CreateLogin201JSONResponse{
		Body: loginView(login), Headers: spec.CreateLogin201ResponseHeaders{ETag: etag(login.Version)},
	}, nil
}

// GetLogin answers one login.
func (a *API) GetLogin(ctx context.Context, request spec.GetLoginRequestObject) (spec.GetLoginResponseObject, error) {
	if err := sees(callerOf(ctx), request.App); err != nil {
		return nil, err
	}
	login, err := a.deps.Store.Login(ctx, callerOf(ctx).Organization, request.App, request.Login)
	if err != nil {
		return nil, err
	}
	return spec.GetLogin200JSONResponse{
		Body: loginView(login), Headers: spec.GetLogin200ResponseHeaders{ETag: etag(login.Version)},
	}, nil
}

// UpdateLogin changes a login and tells all nodes.
func (a *API) UpdateLogin(ctx context.Context, request spec.UpdateLoginRequestObject) (spec.UpdateLoginResponseObject, error) {
	caller, body := callerOf(ctx), request.Body
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	version, err := versionOf(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	hash, err := newHash(body.Password)
	if err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, request.App, "login.update", request.Login)
	login, err := a.deps.Store.UpdateLogin(audited, caller.Organization, request.App, request.Login, version,
		func(login *tenant.Login) error {
			last := *login
			entry.Before = jsonOf(loginView(last))
			set(&login.PasswordHash, hash)
			set(&login.User, body.User)
			set(&login.Device, body.Device)
			set(&login.Tags, body.Tags)
			set(&login.Role, body.Role)
			set(&login.Enabled, body.Enabled)
			set(&login.Super, body.Super)
			entry.After = jsonOf(changedLogin{loginView(*login), hash != nil})
			if err := a.mayChangeLogin(caller, &last, login); err != nil {
				return err
			}
			return checkLogin(login)
		})
	if err != nil {
		return nil, err
	}
	a.loginChanged(ctx, &login)
	return spec.UpdateLogin200JSONResponse{
		Body: loginView(login), Headers: spec.UpdateLogin200ResponseHeaders{ETag: etag(login.Version)},
	}, nil
}

// mayChangeLogin keeps super-clients in the hands of owners. Anybody who may
// change logins may end one: take the mark away, or delete it.
func (a *API) mayChangeLogin(caller *auth.Caller, last, next *tenant.Login) error {
	switch {
	case !next.Super:
		return nil
	case !last.Super:
		return a.mayRaise(caller, "/super")
	default:
		return a.commands(caller)
	}
}

// changedLogin is a login as the audit log keeps it, which does not know the
// password.
type changedLogin struct {
	spec.Login
	PasswordChanged bool `json:"password_changed,omitempty"`
}

// newHash hashes a password if there is one. It is done before the login is
// locked for its change.
func newHash(password *string) (*string, error) {
	if password == nil {
		return nil, nil //nolint:nilnil // the password stays, and nothing is wrong with it
	}
	if err := tenant.CheckLoginPassword(*password); err != nil {
		return nil, at(err, "/password")
	}
	hash, err := auth.HashPassword(*password)
	return &hash, err
}

// DeleteLogin takes a login away and tells all nodes.
func (a *API) DeleteLogin(ctx context.Context, request spec.DeleteLoginRequestObject) (spec.DeleteLoginResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	login, err := a.deps.Store.Login(ctx, caller.Organization, request.App, request.Login)
	if err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, login.App, "login.delete", login.Username)
	entry.Before = jsonOf(loginView(login))
	if err := a.deps.Store.DeleteLogin(audited, login.Organization, login.App, login.Username); err != nil {
		return nil, err
	}
	a.loginChanged(ctx, &login)
	return spec.DeleteLogin204Response{}, nil
}

// loginChanged is changed for one login: an app may have very many, which are
// not all to be read again.
func (a *API) loginChanged(ctx context.Context, login *tenant.Login) {
	a.changed(ctx, login.Organization, login.App+"/"+login.Username)
}

// checkLogin refuses a login whose device would be refused.
func checkLogin(login *tenant.Login) error {
	wrong := at(auth.ValidUser(login.User), "/user")
	if login.Device != "" {
		wrong = errors.Join(wrong, at(auth.ValidDevice(login.Device), "/device"))
	}
	return errors.Join(wrong, checkUserTraits(login.Tags, login.Role))
}

// checkUserTraits checks what a user gets from their credentials.
func checkUserTraits(tags []string, role string) error {
	var wrong error
	for i, tag := range tags {
		wrong = errors.Join(wrong, at(auth.ValidTag(tag), "/tags/"+strconv.Itoa(i)))
	}
	if role != "" {
		wrong = errors.Join(wrong, at(auth.ValidRole(role), "/role"))
	}
	return wrong
}

func loginView(l tenant.Login) spec.Login {
	return spec.Login{
		Username: l.Username, User: l.User, Device: ref(l.Device), Tags: tagsView(l.Tags), Role: ref(l.Role),
		Enabled: l.Enabled, Super: onlyTrue(l.Super), CreatedAt: l.CreatedAt,
	}
}

// tagsView shows no tags as an empty list.
func tagsView(tags []string) []string { return append([]string{}, tags...) }
