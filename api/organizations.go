package api

import (
	"context"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/tenant"
)

// ListOrganizations answers a page of the installation's organizations.
func (a *API) ListOrganizations(
	ctx context.Context, request spec.ListOrganizationsRequestObject,
) (spec.ListOrganizationsResponseObject, error) {
	most, after, err := paging(request.Params.Limit, request.Params.Cursor, func(s string) bool { return tenant.ValidSlug(s) == nil })
	if err != nil {
		return nil, err
	}
	found, err := a.deps.Store.Organizations(ctx, deref(request.Params.Query), after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(found, most, organizationView, func(h tenant.Holdings) string { return h.Slug })
	return spec.ListOrganizations200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetOrganization answers one organization.
func (a *API) GetOrganization(
	ctx context.Context, request spec.GetOrganizationRequestObject,
) (spec.GetOrganizationResponseObject, error) {
	org, err := a.deps.Store.Holdings(ctx, request.Organization)
	if err != nil {
		return nil, err
	}
	return spec.GetOrganization200JSONResponse{
		Body: organizationView(org), Headers: spec.GetOrganization200ResponseHeaders{ETag: etag(org.Version)},
	}, nil
}

func organizationView(h tenant.Holdings) spec.Organization {
	view := spec.Organization{
		ID: h.Slug, State: spec.Active, Plan: h.Plan, Apps: h.Apps, Members: h.Members, CreatedAt: h.CreatedAt,
	}
	switch {
	case !h.DeletedAt.IsZero():
		view.State = spec.Deleting
	case h.Suspended():
		view.State = spec.Suspended
	}
	if h.Suspended() {
		view.SuspendedAt, view.SuspendedFor = &h.SuspendedAt, ref(h.SuspendedFor)
	}
	return view
}
