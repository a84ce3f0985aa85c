package api

import (
	"context"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// ListMembers answers a page of the organization's members.
func (a *API) ListMembers(ctx context.Context, request spec.ListMembersRequestObject) (spec.ListMembersResponseObject, error) {
	most, after, err := paging(request.Params.Limit, request.Params.Cursor, isID("mem_"))
	if err != nil {
		return nil, err
	}
	members, err := a.deps.Store.Members(ctx, callerOf(ctx).Organization, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(members, most, memberView, func(m tenant.Member) string { return m.ID })
	return spec.ListMembers200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetMember answers one member.
func (a *API) GetMember(ctx context.Context, request spec.GetMemberRequestObject) (spec.GetMemberResponseObject, error) {
	member, err := a.deps.Store.Member(ctx, callerOf(ctx).Organization, request.Member)
	if err != nil {
		return nil, err
	}
	return spec.GetMember200JSONResponse(memberView(member)), nil
}

// UpdateMember gives a member another role.
func (a *API) UpdateMember(ctx context.Context, request spec.UpdateMemberRequestObject) (spec.UpdateMemberResponseObject, error) {
	caller, role := callerOf(ctx), tenant.Role(request.Body.Role)
	ctx, entry := a.audited(ctx, "", "member.role", request.Member)
	member, err := a.deps.Store.UpdateMember(ctx, caller.Organization, caller.Member.ID, request.Member,
		func(by tenant.Role, m *tenant.Member) error {
			if err := manages(by, m.Role, role); err != nil {
				return err
			}
			entry.Before = jsonOf(memberView(*m))
			m.Role = role
			entry.After = jsonOf(memberView(*m))
			return nil
		})
	if err != nil {
		return nil, err
	}
	return spec.UpdateMember200JSONResponse(memberView(member)), nil
}

// RemoveMember takes a member out of the organization; it may be the caller.
func (a *API) RemoveMember(ctx context.Context, request spec.RemoveMemberRequestObject) (spec.RemoveMemberResponseObject, error) {
	caller := callerOf(ctx)
	ctx, entry := a.audited(ctx, "", "member.remove", request.Member)
	err := a.deps.Store.RemoveMember(ctx, caller.Organization, caller.Member.ID, request.Member,
		func(by tenant.Role, m tenant.Member) error {
			entry.Before = jsonOf(memberView(m))
			if m.ID == caller.Member.ID {
				return nil // everybody may leave
			}
			return manages(by, m.Role)
		})
	if err != nil {
		return nil, err
	}
	return spec.RemoveMember204Response{}, nil
}

// manages refuses what somebody may not do to those who have, or get, a role.
func manages(by tenant.Role, roles ...tenant.Role) error {
	for _, role := range roles {
		if by.Manages(role) {
			continue
		}
		if by == tenant.Admin {
			return fault.New(fault.Forbidden, "only an owner of the organization can do this to owners, or make them")
		}
		return fault.New(fault.Forbidden, "only an owner or an admin of the organization can do this")
	}
	return nil
}

func memberView(m tenant.Member) spec.Member {
	return spec.Member{ID: m.ID, Email: m.Email, Role: spec.Role(m.Role), CreatedAt: m.CreatedAt}
}

// membershipView is memberView as the member sees it.
func membershipView(m tenant.Member) spec.Membership {
	return spec.Membership{Organization: m.Organization, Role: spec.Role(m.Role), MemberID: m.ID}
}
