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

// apiKeyPrefix begins the ids of API keys.
const apiKeyPrefix = "key"

// ListAPIKeys answers a page of an app's API keys.
func (a *API) ListAPIKeys(ctx context.Context, request spec.ListAPIKeysRequestObject) (spec.ListAPIKeysResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	most, after, err := paging(request.Params.Limit, request.Params.Cursor,
		func(s string) bool { return strings.HasPrefix(s, apiKeyPrefix+"_") })
	if err != nil {
		return nil, err
	}
	of := app.Entry().App
	keys, err := a.deps.Store.APIKeys(ctx, of.Organization, of.ID, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(keys, most, apiKeyView, func(k tenant.APIKey) string { return k.ID })
	return spec.ListAPIKeys200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateAPIKey adds an API key to an app and shows its secret.
func (a *API) CreateAPIKey(ctx context.Context, request spec.CreateAPIKeyRequestObject) (spec.CreateAPIKeyResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, body, secret := app.Entry().App, request.Body, auth.NewAPIKeySecret()
	key := tenant.APIKey{
		ID: tenant.NewID(apiKeyPrefix), Organization: of.Organization, App: of.ID, Hash: auth.HashSecret(secret),
		Across: body.Across != nil && *body.Across, CreatedAt: a.timestamp(),
	}
	change := spec.APIKeyChange{Name: body.Name, Scopes: &body.Scopes, Addresses: body.Addresses, ExpiresAt: body.ExpiresAt}
	if err := a.changeAPIKey(&key, &change); err != nil {
		return nil, err
	}
	if key.Across {
		if err := a.mayRaise(callerOf(ctx), "/across"); err != nil {
			return nil, err
		}
	}
	if err := grants(callerOf(ctx), &key); err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, of.ID, "api_key.create", key.ID)
	entry.After = jsonOf(apiKeyView(key))
	if err := a.deps.Store.CreateAPIKey(ctx, key); err != nil {
		return nil, err
	}
	a.changed(ctx, of.Organization, of.ID)
	return spec.CreateAPIKey201JSONResponse{
		Body: createdAPIKey(key, secret), Headers: spec.CreateAPIKey201ResponseHeaders{ETag: etag(key.Version)},
	}, nil
}

// GetAPIKey answers one API key.
func (a *API) GetAPIKey(ctx context.Context, request spec.GetAPIKeyRequestObject) (spec.GetAPIKeyResponseObject, error) {
	if err := sees(callerOf(ctx), request.App); err != nil {
		return nil, err
	}
	key, err := a.deps.Store.APIKey(ctx, callerOf(ctx).Organization, request.App, request.Key)
	if err != nil {
		return nil, err
	}
	return spec.GetAPIKey200JSONResponse{
		Body: apiKeyView(key), Headers: spec.GetAPIKey200ResponseHeaders{ETag: etag(key.Version)},
	}, nil
}

// UpdateAPIKey changes an API key and tells all nodes.
func (a *API) UpdateAPIKey(ctx context.Context, request spec.UpdateAPIKeyRequestObject) (spec.UpdateAPIKeyResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	version, err := versionOf(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, request.App, "api_key.update", request.Key)
	key, err := a.deps.Store.UpdateAPIKey(ctx, caller.Organization, request.App, request.Key, version,
		func(key *tenant.APIKey) error {
			last := *key
			entry.Before = jsonOf(apiKeyView(last))
			if err := masters(caller, &last); err != nil {
				return err
			}
			if err := a.changeAPIKey(key, request.Body); err != nil {
				return err
			}
			entry.After = jsonOf(apiKeyView(*key))
			return a.mayWiden(caller, &last, key)
		})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.UpdateAPIKey200JSONResponse{
		Body: apiKeyView(key), Headers: spec.UpdateAPIKey200ResponseHeaders{ETag: etag(key.Version)},
	}, nil
}

// RotateAPIKey puts a new API key in the place of another, shows its secret,
// and tells all nodes when the old one ends.
func (a *API) RotateAPIKey(ctx context.Context, request spec.RotateAPIKeyRequestObject) (spec.RotateAPIKeyResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	secret := auth.NewAPIKeySecret()
	ctx, entry := a.audited(ctx, request.App, "api_key.rotate", request.Key)
	last, next, err := a.deps.Store.RotateAPIKey(ctx, caller.Organization, request.App, request.Key,
		func(last *tenant.APIKey) (tenant.APIKey, error) {
			entry.Before = jsonOf(apiKeyView(*last))
			if err := masters(caller, last); err != nil {
				return tenant.APIKey{}, err
			}
			if last.Across {
				if err := a.commands(caller); err != nil {
					return tenant.APIKey{}, err
				}
			}
			next, err := a.successor(last, request.Body)
			if err == nil {
				err = grants(caller, &next)
			}
			next.Hash = auth.HashSecret(secret)
			entry.After = jsonOf(apiKeyView(next))
			return next, err
		})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.RotateAPIKey201JSONResponse{APIKey: createdAPIKey(next, secret), Replaced: apiKeyView(last)}, nil
}

// successor makes the key that takes a key's place, and ends that after the
// overlap.
func (a *API) successor(last *tenant.APIKey, body *spec.APIKeyRotation) (tenant.APIKey, error) {
	if last.ReplacedBy != "" {
		return tenant.APIKey{}, fault.Newf(fault.Conflict, "the API key was rotated before; rotate %s, which has replaced it", last.ReplacedBy)
	}
	now, overlap := a.timestamp(), tenant.DefaultOverlap
	next := tenant.APIKey{
		ID: tenant.NewID(apiKeyPrefix), Organization: last.Organization, App: last.App, Name: last.Name,
		Scopes: last.Scopes, Addresses: last.Addresses, Across: last.Across, ExpiresAt: last.ExpiresAt, CreatedAt: now,
	}
	if err := a.setEnd(&next.ExpiresAt, body.ExpiresAt); err != nil {
		return tenant.APIKey{}, err
	}
	if next.Expired(a.now()) {
		return tenant.APIKey{}, fault.New(fault.Invalid, "is required, since the API key has expired").At("/expires_at")
	}
	setSeconds(&overlap, body.OverlapSeconds)
	if end := now.Add(overlap); last.ExpiresAt.IsZero() || end.Before(last.ExpiresAt) {
		last.ExpiresAt = end
	}
	return next, nil
}

// DeleteAPIKey takes an API key away and tells all nodes.
func (a *API) DeleteAPIKey(ctx context.Context, request spec.DeleteAPIKeyRequestObject) (spec.DeleteAPIKeyResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, request.App, "api_key.delete", request.Key)
	err := a.deps.Store.DeleteAPIKey(ctx, caller.Organization, request.App, request.Key, func(key *tenant.APIKey) error {
		entry.Before = jsonOf(apiKeyView(*key))
		return masters(caller, key)
	})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.DeleteAPIKey204Response{}, nil
}

// mayWiden refuses a change by which a key can do more, if it goes beyond the
// caller's own or the caller has not given their password of late.
func (a *API) mayWiden(caller *auth.Caller, last, next *tenant.APIKey) error {
	if len(next.Beyond(last)) == 0 {
		return nil
	}
	if err := grants(caller, next); err != nil {
		return err
	}
	if next.Across {
		return a.commands(caller)
	}
	return a.confirmed(caller)
}

// grants refuses a key that can do more than the one that makes it.
func grants(caller *auth.Caller, key *tenant.APIKey) error {
	if caller.Key == nil {
		return nil
	}
	var wrong error
	for _, field := range key.Beyond(caller.Key) {
		wrong = errors.Join(wrong, fault.New(fault.Forbidden, "goes beyond the API key that you use").At("/"+field))
	}
	return wrong
}

// masters refuses changes of a key that can do more than the one that makes
// them.
func masters(caller *auth.Caller, key *tenant.APIKey) error {
	if caller.Key == nil {
		return nil
	}
	if beyond := key.Beyond(caller.Key); len(beyond) > 0 {
		return fault.Newf(fault.Forbidden, "the API key goes beyond the one that you use: %s", strings.Join(beyond, ", "))
	}
	return nil
}

// changeAPIKey makes the changes that a body asks for.
func (a *API) changeAPIKey(key *tenant.APIKey, body *spec.APIKeyChange) error {
	var wrong error
	if body.Name != nil {
		key.Name = *body.Name
		wrong = at(tenant.ValidName(key.Name), "/name")
	}
	if body.Scopes != nil {
		key.Scopes = nil
		for _, scope := range *body.Scopes {
			key.Scopes = append(key.Scopes, tenant.Scope(scope))
		}
	}
	if body.Addresses != nil {
		var err error
		key.Addresses, err = networksOf(*body.Addresses)
		wrong = errors.Join(wrong, err)
	}
	return errors.Join(wrong, a.setEnd(&key.ExpiresAt, body.ExpiresAt))
}

// setEnd reads when credentials end: null for never, absent to leave it.
func (a *API) setEnd(end *time.Time, text []byte) error {
	given, when, err := optionalTime(text)
	switch {
	case err != nil:
		return at(err, "/expires_at")
	case !given:
		return nil
	case !when.IsZero() && !when.After(a.now()):
		return fault.New(fault.Invalid, "must be in the future").At("/expires_at")
	}
	*end = when
	return nil
}
