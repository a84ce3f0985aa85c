package api

import (
	"context"
	"errors"
	"strings"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// signingKeyPrefix begins the ids of signing keys.
const signingKeyPrefix = "sk"

// ListSigningKeys answers a page of an app's signing keys.
func (a *API) ListSigningKeys(
	ctx context.Context, request spec.ListSigningKeysRequestObject,
) (spec.ListSigningKeysResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	most, after, err := paging(request.Params.Limit, request.Params.Cursor,
		func(s string) bool { return strings.HasPrefix(s, signingKeyPrefix+"_") })
	if err != nil {
		return nil, err
	}
	of := app.Entry().App
	keys, err := a.deps.Store.SigningKeys(ctx, of.Organization, of.ID, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(keys, most, signingKeyView, func(k tenant.SigningKey) string { return k.KID })
	return spec.ListSigningKeys200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateSigningKey adds a signing key to an app and tells all nodes. A secret
// that the server has made is shown.
func (a *API) CreateSigningKey(
	ctx context.Context, request spec.CreateSigningKeyRequestObject,
) (spec.CreateSigningKeyResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, body := app.Entry().App, request.Body
	key := tenant.SigningKey{
		KID: tenant.NewID(signingKeyPrefix), Organization: of.Organization, App: of.ID, CreatedAt: a.timestamp(),
	}
	set(&key.Name, body.Name)
	material := keyMaterial{alg: body.Alg, secret: body.Secret, pem: body.PublicKeyPem, jwk: body.PublicKeyJwk}
	shown, err := material.fill(&key)
	if err := errors.Join(err, checkKeyName(body.Name), a.setEnd(&key.ExpiresAt, body.ExpiresAt)); err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, of.ID, "signing_key.create", key.KID)
	entry.After = jsonOf(signingKeyView(key))
	if err := a.deps.Store.CreateSigningKey(ctx, key); err != nil {
		return nil, err
	}
	a.changed(ctx, of.Organization, of.ID)
	return spec.CreateSigningKey201JSONResponse{
		Body: createdSigningKey(key, shown), Headers: spec.CreateSigningKey201ResponseHeaders{ETag: etag(key.Version)},
	}, nil
}

// GetSigningKey answers one signing key.
func (a *API) GetSigningKey(
	ctx context.Context, request spec.GetSigningKeyRequestObject,
) (spec.GetSigningKeyResponseObject, error) {
	if err := sees(callerOf(ctx), request.App); err != nil {
		return nil, err
	}
	key, err := a.deps.Store.SigningKey(ctx, callerOf(ctx).Organization, request.App, request.Kid)
	if err != nil {
		return nil, err
	}
	return spec.GetSigningKey200JSONResponse{
		Body: signingKeyView(key), Headers: spec.GetSigningKey200ResponseHeaders{ETag: etag(key.Version)},
	}, nil
}

// UpdateSigningKey changes a signing key's name or its end and tells all nodes.
func (a *API) UpdateSigningKey(
	ctx context.Context, request spec.UpdateSigningKeyRequestObject,
) (spec.UpdateSigningKeyResponseObject, error) {
	caller, body := callerOf(ctx), request.Body
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	version, err := versionOf(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, request.App, "signing_key.update", request.Kid)
	key, err := a.deps.Store.UpdateSigningKey(ctx, caller.Organization, request.App, request.Kid, version,
		func(key *tenant.SigningKey) error {
			entry.Before = jsonOf(signingKeyView(*key))
			set(&key.Name, body.Name)
			err := errors.Join(checkKeyName(body.Name), a.setEnd(&key.ExpiresAt, body.ExpiresAt))
			entry.After = jsonOf(signingKeyView(*key))
			return err
		})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.UpdateSigningKey200JSONResponse{
		Body: signingKeyView(key), Headers: spec.UpdateSigningKey200ResponseHeaders{ETag: etag(key.Version)},
	}, nil
}

// RotateSigningKey puts a new signing key in the place of another and tells all
// nodes when the old one ends.
func (a *API) RotateSigningKey(
	ctx context.Context, request spec.RotateSigningKeyRequestObject,
) (spec.RotateSigningKeyResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	var shown string
	ctx, entry := a.audited(ctx, request.App, "signing_key.rotate", request.Kid)
	last, next, err := a.deps.Store.RotateSigningKey(ctx, caller.Organization, request.App, request.Kid,
		func(last *tenant.SigningKey) (next tenant.SigningKey, err error) {
			entry.Before = jsonOf(signingKeyView(*last))
			next, shown, err = a.nextSigningKey(last, request.Body)
			entry.After = jsonOf(signingKeyView(next))
			return next, err
		})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.RotateSigningKey201JSONResponse{
		SigningKey: createdSigningKey(next, shown), Replaced: signingKeyView(last),
	}, nil
}

// nextSigningKey makes the key that takes a key's place, and ends that after the
// overlap. It returns the secret to show, if there is one.
func (a *API) nextSigningKey(last *tenant.SigningKey, body *spec.SigningKeyRotation) (tenant.SigningKey, string, error) {
	now, overlap := a.timestamp(), tenant.DefaultOverlap
	next := tenant.SigningKey{KID: tenant.NewID(signingKeyPrefix), Name: last.Name, ExpiresAt: last.ExpiresAt, CreatedAt: now}
	set(&next.Name, body.Name)
	setSeconds(&overlap, body.OverlapSeconds)
	material := keyMaterial{secret: body.Secret, pem: body.PublicKeyPem, jwk: body.PublicKeyJwk}
	shown, err := material.follow(last, &next)
	err = errors.Join(err, checkKeyName(body.Name), a.setEnd(&next.ExpiresAt, body.ExpiresAt))
	if err == nil && next.Expired(now) {
		err = fault.New(fault.Invalid, "is required, since the signing key has expired").At("/expires_at")
	}
	if err != nil {
		return next, "", err
	}
	return next, shown, last.Replace(next.KID, now.Add(overlap))
}

// DeleteSigningKey takes a signing key away and tells all nodes.
func (a *API) DeleteSigningKey(
	ctx context.Context, request spec.DeleteSigningKeyRequestObject,
) (spec.DeleteSigningKeyResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, request.App, "signing_key.delete", request.Kid)
	err := a.deps.Store.DeleteSigningKey(ctx, caller.Organization, request.App, request.Kid, func(key *tenant.SigningKey) error {
		entry.Before = jsonOf(signingKeyView(*key))
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.DeleteSigningKey204Response{}, nil
}

// checkKeyName checks a name that was given.
func checkKeyName(name *string) error {
	if name == nil {
		return nil
	}
	return at(tenant.ValidName(*name), "/name")
}
