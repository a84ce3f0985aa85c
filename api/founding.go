package api

import (
	"context"
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
)

// foundingLifetime is how long the owner of a new organization has to come in.
const foundingLifetime = 7 * 24 * time.Hour

// CreateOrganization creates an organization for somebody else, and invites its
// owner.
func (a *API) CreateOrganization(
	ctx context.Context, request spec.CreateOrganizationRequestObject,
) (spec.CreateOrganizationResponseObject, error) {
	slug, email := request.Body.Organization, tenant.NormalizeEmail(request.Body.Email)
	err := errors.Join(at(tenant.ValidSlug(slug), "/organization"), at(tenant.ValidEmail(email), "/email"))
	if err != nil {
		return nil, err
	}
	org, err := a.newOrganization(slug)
	if err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, "", "organization.create", slug)
	entry.Organization = slug
	token := auth.NewInvitationToken()
	owner := tenant.Invitation{
		ID: tenant.NewID("inv"), Organization: slug, Email: email, Role: tenant.Owner, Hash: auth.HashSecret(token),
		InvitedBy: entry.ActorName, CreatedAt: org.CreatedAt, ExpiresAt: org.CreatedAt.Add(foundingLifetime),
	}
	entry.After = jsonOf(struct {
		Owner string `json:"owner"`
	}{email})
	if err := a.deps.Store.FoundOrganization(audited, org, owner); err != nil {
		return nil, err
	}
	return spec.CreateOrganization201JSONResponse{
		Organization: organizationView(tenant.Holdings{Organization: withPlan(org)}),
		Owner: spec.OwnerInvitation{
			ID: owner.ID, Email: email, ExpiresAt: owner.ExpiresAt, Token: token,
			Link: a.cfg.PublicAdmin + "/invitations#" + token,
		},
	}, nil
}

// withPlan is a new organization as the store has it.
func withPlan(org tenant.Organization) tenant.Organization {
	org.Plan = tenant.DefaultPlan
	return org
}
