package api

import (
	"context"
	"log/slog"
	"regexp"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/tenant"
)

// planName is what openapi.yaml has plans' names be.
var planName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`)

// ListPlans answers a page of the installation's plans.
func (a *API) ListPlans(ctx context.Context, request spec.ListPlansRequestObject) (spec.ListPlansResponseObject, error) {
	most, after, err := paging(request.Params.Limit, request.Params.Cursor, planName.MatchString)
	if err != nil {
		return nil, err
	}
	plans, err := a.deps.Store.Plans(ctx, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(plans, most, planView, func(p tenant.Plan) string { return p.Name })
	return spec.ListPlans200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreatePlan adds a plan.
func (a *API) CreatePlan(ctx context.Context, request spec.CreatePlanRequestObject) (spec.CreatePlanResponseObject, error) {
	plan := tenant.Plan{Name: request.Body.Name, CreatedAt: a.timestamp()}
	if err := within("/limits", changeLimits(&plan.Limits, request.Body.Limits)); err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, "", "plan.create", plan.Name)
	entry.After = jsonOf(limitsView(plan.Limits))
	if err := a.deps.Store.CreatePlan(audited, plan); err != nil {
		return nil, err
	}
	return spec.CreatePlan201JSONResponse{
		Body: planView(plan), Headers: spec.CreatePlan201ResponseHeaders{ETag: etag(plan.Version)},
	}, nil
}

// GetPlan answers one plan.
func (a *API) GetPlan(ctx context.Context, request spec.GetPlanRequestObject) (spec.GetPlanResponseObject, error) {
	plan, err := a.deps.Store.Plan(ctx, request.Plan)
	if err != nil {
		return nil, err
	}
	return spec.GetPlan200JSONResponse{
		Body: planView(plan), Headers: spec.GetPlan200ResponseHeaders{ETag: etag(plan.Version)},
	}, nil
}

// UpdatePlan changes a plan's limits and tells all nodes.
func (a *API) UpdatePlan(ctx context.Context, request spec.UpdatePlanRequestObject) (spec.UpdatePlanResponseObject, error) {
	version, err := versionOf(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, "", "plan.update", request.Plan)
	plan, err := a.deps.Store.UpdatePlan(audited, request.Plan, version, func(p *tenant.Plan) error {
		entry.Before = jsonOf(limitsView(p.Limits))
		err := within("/limits", changeLimits(&p.Limits, request.Body.Limits))
		entry.After = jsonOf(limitsView(p.Limits))
		return err
	})
	if err != nil {
		return nil, err
	}
	a.planChanged(ctx, plan.Name)
	return spec.UpdatePlan200JSONResponse{
		Body: planView(plan), Headers: spec.UpdatePlan200ResponseHeaders{ETag: etag(plan.Version)},
	}, nil
}

// DeletePlan takes a plan away that no organization has.
func (a *API) DeletePlan(ctx context.Context, request spec.DeletePlanRequestObject) (spec.DeletePlanResponseObject, error) {
	version, err := versionOf(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	audited, _ := a.audited(ctx, "", "plan.delete", request.Plan)
	if err := a.deps.Store.DeletePlan(audited, request.Plan, version); err != nil {
		return nil, err
	}
	return spec.DeletePlan204Response{}, nil
}

// UpdateOrganization gives an organization a plan and limits of its own, and
// tells all nodes.
func (a *API) UpdateOrganization(
	ctx context.Context, request spec.UpdateOrganizationRequestObject,
) (spec.UpdateOrganizationResponseObject, error) {
	version, err := versionOf(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	slug, body := request.Organization, request.Body
	audited, entry := a.audited(ctx, "", "organization.update", slug)
	entry.Organization = slug
	_, err = a.deps.Store.UpdateOrganization(audited, slug, version, func(o *tenant.Organization) error {
		entry.Before = jsonOf(allowanceView(*o))
		set(&o.Plan, body.Plan)
		err := within("/limits", changeLimits(&o.Limits, body.Limits))
		entry.After = jsonOf(allowanceView(*o))
		return err
	})
	if err != nil {
		return nil, err
	}
	a.organizationChanged(ctx, slug)
	org, err := a.deps.Store.Holdings(ctx, slug)
	if err != nil {
		return nil, err
	}
	return spec.UpdateOrganization200JSONResponse{
		Body: organizationView(org), Headers: spec.UpdateOrganization200ResponseHeaders{ETag: etag(org.Version)},
	}, nil
}

// planChanged makes this node forget what it knows of the organizations that
// have a plan, and tells the others to.
func (a *API) planChanged(ctx context.Context, plan string) {
	a.deps.Apps.InvalidatePlan(plan)
	if err := a.deps.Announcer.Announce(PlanChanged, []byte(plan)); err != nil {
		a.log.WarnContext(ctx, "a change could not be announced", slog.String("plan", plan), slog.Any("error", err))
	}
}

func planView(p tenant.Plan) spec.Plan {
	return spec.Plan{Name: p.Name, Limits: limitsView(p.Limits), Organizations: p.Organizations, CreatedAt: p.CreatedAt}
}

// allowanceView is what the audit log keeps of what an organization is given.
func allowanceView(o tenant.Organization) any {
	return struct {
		Plan   string      `json:"plan"`
		Limits spec.Limits `json:"limits"`
	}{o.Plan, limitsView(o.Limits)}
}
