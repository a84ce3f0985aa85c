package api

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// CreateApp creates an app with its first API key and signing key.
func (a *API) CreateApp(ctx context.Context, request spec.CreateAppRequestObject) (spec.CreateAppResponseObject, error) {
	body := request.Body
	if err := errors.Join(at(tenant.ValidSlug(body.ID), "/id"), at(tenant.ValidName(body.Name), "/name")); err != nil {
		return nil, err
	}
	org, now := callerOf(ctx).Organization, a.timestamp()
	app := tenant.App{
		Organization: org, ID: body.ID, Name: body.Name, Retention: a.cfg.Retention,
		Settings: tenant.DefaultSettings(), CreatedAt: now,
	}
	secret := auth.NewAPIKeySecret()
	key := tenant.APIKey{
		ID: tenant.NewID("key"), Organization: org, App: app.ID, Hash: auth.HashSecret(secret), CreatedAt: now,
		Scopes: []tenant.Scope{tenant.ScopePush, tenant.ScopeRead, tenant.ScopeManage},
	}
	signing := tenant.SigningKey{
		KID: tenant.NewID("sk"), Organization: org, App: app.ID, Algorithm: tenant.HS256,
		Secret: auth.NewSigningSecret(), CreatedAt: now,
	}
	view := a.appView(app)
	audited, entry := a.audited(ctx, app.ID, "app.create", app.ID)
	entry.After = jsonOf(view)
	if err := a.deps.Store.CreateApp(audited, app, key, signing); err != nil {
		return nil, err
	}
	a.changed(ctx, org, app.ID) // somebody may have asked for it before it was there
	return spec.CreateApp201JSONResponse{
		ID: view.ID, Name: view.Name, Organization: view.Organization, TopicPrefix: view.TopicPrefix,
		RetentionSeconds: view.RetentionSeconds, Settings: view.Settings, CreatedAt: view.CreatedAt, Endpoints: view.Endpoints,
		APIKey:     spec.NewAPIKey{ID: key.ID, Secret: secret, Scopes: scopesView(key.Scopes)},
		SigningKey: spec.NewSigningKey{Kid: signing.KID, Alg: spec.NewSigningKeyAlg(signing.Algorithm), Secret: signing.Secret},
	}, nil
}

// ListApps answers a page of the organization's apps. An API key sees its own.
func (a *API) ListApps(ctx context.Context, request spec.ListAppsRequestObject) (spec.ListAppsResponseObject, error) {
	caller := callerOf(ctx)
	if caller.App != "" {
		app, err := a.deps.Store.App(ctx, caller.Organization, caller.App)
		if err != nil {
			return nil, err
		}
		return spec.ListApps200JSONResponse{Items: []spec.App{a.appView(app)}}, nil
	}
	most, after, err := paging(request.Params.Limit, request.Params.Cursor, func(s string) bool { return tenant.ValidSlug(s) == nil })
	if err != nil {
		return nil, err
	}
	apps, err := a.deps.Store.Apps(ctx, caller.Organization, after, most+1) // one more tells whether there are more
	if err != nil {
		return nil, err
	}
	items, next := pageOf(apps, most, a.appView, func(app tenant.App) string { return app.ID })
	return spec.ListApps200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetApp answers one app.
func (a *API) GetApp(ctx context.Context, request spec.GetAppRequestObject) (spec.GetAppResponseObject, error) {
	if err := sees(callerOf(ctx), request.App); err != nil {
		return nil, err
	}
	app, err := a.deps.Store.App(ctx, callerOf(ctx).Organization, request.App)
	if err != nil {
		return nil, err
	}
	return spec.GetApp200JSONResponse{
		Body: a.appView(app), Headers: spec.GetApp200ResponseHeaders{ETag: etag(app.Version)},
	}, nil
}

// sees hides the organization's other apps from an API key.
func sees(caller *auth.Caller, app string) error {
	if caller.App != "" && caller.App != app {
		return fault.New(fault.NotFound, "there is no such app")
	}
	return nil
}

// app returns an app that the caller may use, from the directory.
func (a *API) app(ctx context.Context, id string) (*auth.App, error) {
	caller := callerOf(ctx)
	if err := sees(caller, id); err != nil {
		return nil, err
	}
	app, err := a.deps.Apps.App(ctx, caller.Organization, id)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "there is no such app")
	}
	return app, err
}

// DeleteApp deletes an app and tells all nodes.
func (a *API) DeleteApp(ctx context.Context, request spec.DeleteAppRequestObject) (spec.DeleteAppResponseObject, error) {
	org := callerOf(ctx).Organization
	app, err := a.deps.Store.App(ctx, org, request.App)
	if err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, app.ID, "app.delete", app.ID)
	entry.Before = jsonOf(a.appView(app))
	if err := a.deps.Store.DeleteApp(audited, org, app.ID, a.timestamp()); err != nil {
		return nil, err
	}
	a.changed(ctx, org, app.ID)
	return spec.DeleteApp204Response{}, nil
}

// changed makes this node forget what it knows of an app, or with
// "{app}/{login}" of one of its logins, and tells the others to. A lost announcement costs time, not truth: every node reads an app again
// after a while.
func (a *API) changed(ctx context.Context, org, app string) { a.announce(ctx, org, app, org+"/"+app) }

// organizationChanged is changed for an organization, with all its apps and
// keys.
func (a *API) organizationChanged(ctx context.Context, org string) { a.announce(ctx, org, "", org) }

func (a *API) announce(ctx context.Context, org, app, subject string) {
	a.deps.Apps.Invalidate(org, app)
	if err := a.deps.Announcer.Announce(AppChanged, []byte(subject)); err != nil {
		a.log.WarnContext(ctx, "a change could not be announced",
			slog.String("organization", org), slog.String("app", app), slog.Any("error", err))
	}
}

func (a *API) appView(app tenant.App) spec.App {
	return spec.App{
		ID: app.ID, Name: app.Name, Organization: app.Organization, TopicPrefix: app.TopicPrefix(),
		RetentionSeconds: int64(app.Retention / time.Second), Settings: settingsView(app), CreatedAt: app.CreatedAt,
		Endpoints: spec.Endpoints{
			API: a.cfg.PublicHTTP, MQTT: ref(a.cfg.PublicMQTT), MQTTS: ref(a.cfg.PublicMQTTS),
			WS: ref(a.cfg.PublicWS), WSS: ref(a.cfg.PublicWSS),
		},
	}
}
