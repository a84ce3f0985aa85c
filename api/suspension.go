package api

import (
	"context"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// SuspendOrganization suspends an organization and tells all nodes.
func (a *API) SuspendOrganization(
	ctx context.Context, request spec.SuspendOrganizationRequestObject,
) (spec.SuspendOrganizationResponseObject, error) {
	reason := strings.TrimSpace(request.Body.Reason)
	if reason == "" {
		return nil, fault.New(fault.Invalid, "must say why").At("/reason")
	}
	org, err := a.changeSuspension(ctx, "organization.suspend", request.Organization, func(o *tenant.Organization) {
		if o.SuspendedFor = reason; !o.Suspended() {
			o.SuspendedAt = a.timestamp()
		}
	})
	if err != nil {
		return nil, err
	}
	return spec.SuspendOrganization200JSONResponse(org), nil
}

// ResumeOrganization ends a suspension and tells all nodes.
func (a *API) ResumeOrganization(
	ctx context.Context, request spec.ResumeOrganizationRequestObject,
) (spec.ResumeOrganizationResponseObject, error) {
	org, err := a.changeSuspension(ctx, "organization.resume", request.Organization, func(o *tenant.Organization) {
		o.SuspendedAt, o.SuspendedFor = time.Time{}, ""
	})
	if err != nil {
		return nil, err
	}
	return spec.ResumeOrganization200JSONResponse(org), nil
}

func (a *API) changeSuspension(
	ctx context.Context, action, slug string, change func(*tenant.Organization),
) (spec.Organization, error) {
	ctx, entry := a.audited(ctx, "", action, slug)
	entry.Organization = slug
	_, err := a.deps.Store.UpdateOrganization(ctx, slug, anyVersion, func(o *tenant.Organization) error {
		entry.Before = jsonOf(suspensionView(*o))
		change(o)
		entry.After = jsonOf(suspensionView(*o))
		return nil
	})
	if err != nil {
		return spec.Organization{}, err
	}
	a.organizationChanged(ctx, slug)
	org, err := a.deps.Store.Holdings(ctx, slug)
	if err != nil {
		return spec.Organization{}, err
	}
	return organizationView(org), nil
}

// suspensionView is what the audit log keeps of it.
func suspensionView(o tenant.Organization) any {
	return struct {
		State  spec.OrganizationState `json:"state"`
		Reason string                 `json:"suspended_for,omitempty"`
	}{stateOf(o), o.SuspendedFor}
}
