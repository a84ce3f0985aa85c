package api

import (
	"context"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
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

// GetMyOrganization answers the member's organization.
func (a *API) GetMyOrganization(
	ctx context.Context, _ spec.GetMyOrganizationRequestObject,
) (spec.GetMyOrganizationResponseObject, error) {
	org, err := a.deps.Store.Holdings(ctx, callerOf(ctx).Organization)
	if err != nil {
		return nil, err
	}
	return spec.GetMyOrganization200JSONResponse{
		Body: organizationView(org), Headers: spec.GetMyOrganization200ResponseHeaders{ETag: etag(org.Version)},
	}, nil
}

// DeleteOrganization deletes an organization and tells all nodes.
func (a *API) DeleteOrganization(
	ctx context.Context, request spec.DeleteOrganizationRequestObject,
) (spec.DeleteOrganizationResponseObject, error) {
	if err := a.deleteOrganization(ctx, request.Organization); err != nil {
		return nil, err
	}
	return spec.DeleteOrganization204Response{}, nil
}

// DeleteMyOrganization deletes the member's organization and tells all nodes.
func (a *API) DeleteMyOrganization(
	ctx context.Context, request spec.DeleteMyOrganizationRequestObject,
) (spec.DeleteMyOrganizationResponseObject, error) {
	org := callerOf(ctx).Organization
	if request.Body.Confirm != org {
		return nil, fault.New(fault.Invalid, "must be the organization's slug").At("/confirm")
	}
	if err := a.deleteOrganization(ctx, org); err != nil {
		return nil, err
	}
	return spec.DeleteMyOrganization204Response{}, nil
}

// deleteOrganization leaves its entry in the installation's audit log: the
// organization's own goes with it.
func (a *API) deleteOrganization(ctx context.Context, slug string) error {
	ctx, entry := a.audited(ctx, "", "organization.delete", slug)
	entry.Organization = ""
	if err := a.deps.Store.DeleteOrganization(ctx, slug, a.timestamp()); err != nil {
		return err
	}
	a.organizationChanged(ctx, slug)
	return nil
}

func organizationView(h tenant.Holdings) spec.Organization {
	view := spec.Organization{
		ID: h.Slug, State: stateOf(h.Organization), Plan: h.Plan, Limits: limitsView(h.Limits), Apps: h.Apps, Members: h.Members, CreatedAt: h.CreatedAt,
	}
	if h.Suspended() {
		view.SuspendedAt, view.SuspendedFor = &h.SuspendedAt, ref(h.SuspendedFor)
	}
	return view
}

func stateOf(o tenant.Organization) spec.OrganizationState {
	switch {
	case !o.DeletedAt.IsZero():
		return spec.Deleting
	case o.Suspended():
		return spec.Suspended
	}
	return spec.Active
}
