package client

import (
	"context"
	"net/url"

	"github.com/fanfare-mq/fanfare/api/spec"
)

// LogIn signs somebody in.
func (c *Client) LogIn(ctx context.Context, in spec.LogIn) (out Answer[spec.MemberToken], err error) {
	return out, c.Post(ctx, "/v1/login", in, &out)
}

// LogOut ends the session of the client's token.
func (c *Client) LogOut(ctx context.Context) error {
	return c.do(ctx, "POST", "/v1/logout", nil, nil)
}

// Confirm gives the password again, for what wants it.
func (c *Client) Confirm(ctx context.Context, password string) error {
	return c.Post(ctx, "/v1/me/confirm", spec.PasswordConfirmation{Password: password}, nil)
}

// ChangePassword changes the person's password.
func (c *Client) ChangePassword(ctx context.Context, in spec.PasswordChange) error {
	return c.Post(ctx, "/v1/me/password", in, nil)
}

// RedeemPasswordReset sets a password with the secret of a link.
func (c *Client) RedeemPasswordReset(ctx context.Context, in spec.PasswordRedemption) error {
	return c.Post(ctx, "/v1/password-resets/redeem", in, nil)
}

// CreatePasswordReset makes such a link, as the operator.
func (c *Client) CreatePasswordReset(ctx context.Context, email string) (out Answer[spec.CreatedPasswordReset], err error) {
	return out, c.Post(ctx, "/v1/operator/people/password-reset", spec.NewPasswordReset{Email: email}, &out)
}

// Members returns one page of the organization's members; an empty cursor is
// the first one's.
func (c *Client) Members(ctx context.Context, cursor string) (out spec.MemberPage, err error) {
	path := "/v1/members?limit=100"
	if cursor != "" {
		path += "&cursor=" + url.QueryEscape(cursor)
	}
	return out, c.Get(ctx, path, &out)
}

// SetRole gives a member another role.
func (c *Client) SetRole(ctx context.Context, id string, role spec.Role) (out Answer[spec.Member], err error) {
	return out, c.Patch(ctx, "/v1/members/"+url.PathEscape(id), spec.MemberChange{Role: role}, &out)
}

// RemoveMember takes a member out of the organization.
func (c *Client) RemoveMember(ctx context.Context, id string) error {
	return c.Delete(ctx, "/v1/members/"+url.PathEscape(id))
}

// Invite makes a link with which somebody becomes a member.
func (c *Client) Invite(ctx context.Context, in spec.NewInvitation) (out Answer[spec.CreatedInvitation], err error) {
	return out, c.Post(ctx, "/v1/invitations", in, &out)
}

// Invitation returns what such a link offers.
func (c *Client) Invitation(ctx context.Context, token string) (out spec.InvitationOffer, err error) {
	return out, c.Post(ctx, "/v1/invitations/inspect", spec.InvitationToken{Token: token}, &out)
}

// Join accepts an invitation.
func (c *Client) Join(ctx context.Context, in spec.InvitationAcceptance) (out Answer[spec.SignedUp], err error) {
	return out, c.Post(ctx, "/v1/invitations/accept", in, &out)
}
