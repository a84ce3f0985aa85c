package api

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// keySetPrefix begins the ids of key sets.
const keySetPrefix = "ks"

// ListKeySets answers a page of an app's key sets.
func (a *API) ListKeySets(ctx context.Context, request spec.ListKeySetsRequestObject) (spec.ListKeySetsResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	most, after, err := paging(request.Params.Limit, request.Params.Cursor,
		func(s string) bool { return strings.HasPrefix(s, keySetPrefix+"_") })
	if err != nil {
		return nil, err
	}
	of := app.Entry().App
	sets, err := a.deps.Store.KeySets(ctx, of.Organization, of.ID, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(sets, most, keySetView, func(k tenant.KeySet) string { return k.ID })
	return spec.ListKeySets200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateKeySet adds a key set to an app, tells all nodes and asks its address.
func (a *API) CreateKeySet(ctx context.Context, request spec.CreateKeySetRequestObject) (spec.CreateKeySetResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, body, now := app.Entry().App, request.Body, a.timestamp()
	k := tenant.KeySet{
		ID: tenant.NewID(keySetPrefix), Organization: of.Organization, App: of.ID, URL: body.URL, DueAt: now, CreatedAt: now,
	}
	set(&k.Name, body.Name)
	if err := errors.Join(checkKeyName(body.Name), at(a.deps.KeySets.Check(k.URL), "/url")); err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, of.ID, "key_set.create", k.ID)
	entry.After = jsonOf(keySetView(k))
	if err := a.deps.Store.CreateKeySet(audited, k); err != nil {
		return nil, err
	}
	a.changed(ctx, of.Organization, of.ID)
	if k, err = a.refreshed(ctx, k); err != nil {
		return nil, err
	}
	return spec.CreateKeySet201JSONResponse(keySetView(k)), nil
}

// GetKeySet answers one key set.
func (a *API) GetKeySet(ctx context.Context, request spec.GetKeySetRequestObject) (spec.GetKeySetResponseObject, error) {
	k, err := a.keySet(ctx, request.App, request.KeySet)
	if err != nil {
		return nil, err
	}
	return spec.GetKeySet200JSONResponse(keySetView(k)), nil
}

// keySet returns a key set that the caller may see.
func (a *API) keySet(ctx context.Context, app, id string) (tenant.KeySet, error) {
	if err := sees(callerOf(ctx), app); err != nil {
		return tenant.KeySet{}, err
	}
	return a.deps.Store.KeySet(ctx, callerOf(ctx).Organization, app, id)
}

// DeleteKeySet takes a key set away and tells all nodes.
func (a *API) DeleteKeySet(ctx context.Context, request spec.DeleteKeySetRequestObject) (spec.DeleteKeySetResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	ctx, entry := a.audited(ctx, request.App, "key_set.delete", request.KeySet)
	err := a.deps.Store.DeleteKeySet(ctx, caller.Organization, request.App, request.KeySet, func(k *tenant.KeySet) error {
		entry.Before = jsonOf(keySetView(*k))
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.DeleteKeySet204Response{}, nil
}

// RefreshKeySet asks a key set's address now, and answers what came of it.
func (a *API) RefreshKeySet(ctx context.Context, request spec.RefreshKeySetRequestObject) (spec.RefreshKeySetResponseObject, error) {
	k, err := a.keySet(ctx, request.App, request.KeySet)
	if err != nil {
		return nil, err
	}
	if k, err = a.refreshed(ctx, k); err != nil {
		return nil, err
	}
	return spec.RefreshKeySet200JSONResponse(keySetView(k)), nil
}

// refreshed has a key set asked and returns what is kept of it then. That its
// address fails is part of that; that nobody could ask it is not.
func (a *API) refreshed(ctx context.Context, k tenant.KeySet) (tenant.KeySet, error) {
	if err := a.deps.KeySets.Refresh(ctx, []tenant.KeySet{k}); fault.CodeOf(err) == fault.Overloaded {
		return tenant.KeySet{}, err
	}
	return a.deps.Store.KeySet(ctx, k.Organization, k.App, k.ID)
}

func keySetView(k tenant.KeySet) spec.KeySet {
	view := spec.KeySet{
		ID: k.ID, Name: k.Name, URL: k.URL, Keys: []spec.PublishedKey{}, FetchedAt: timeRef(k.FetchedAt),
		FailedAt: timeRef(k.FailedAt), Failure: ref(k.Failure), LastUsedAt: timeRef(k.LastUsedAt), CreatedAt: k.CreatedAt,
	}
	keys, err := tenant.ParseKeySet([]byte(k.Document))
	if err != nil {
		return view // nothing was fetched yet
	}
	for _, key := range keys {
		sum := key.Fingerprint()
		view.Keys = append(view.Keys, spec.PublishedKey{
			Kid: key.KID, Alg: spec.SigningAlg(key.Algorithm), Fingerprint: hex.EncodeToString(sum[:]),
		})
	}
	return view
}
