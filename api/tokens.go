package api

import (
	"context"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
)

// defaultTokenLifetime is how long a device token lives unless asked
// otherwise: as long as a member's.
const defaultTokenLifetime = 24 * time.Hour

// IssueToken signs a device token for a backend that does not sign its own.
func (a *API) IssueToken(ctx context.Context, request spec.IssueTokenRequestObject) (spec.IssueTokenResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	body := request.Body
	wanted := auth.TokenRequest{User: body.User, Device: deref(body.Device), TTL: defaultTokenLifetime}
	if body.Tags != nil {
		wanted.Tags = *body.Tags
	}
	if body.TTLSeconds != nil {
		wanted.TTL = time.Duration(*body.TTLSeconds) * time.Second
	}
	wanted.ACL = narrowingOf(body.ACL)
	token, err := auth.IssueToken(ctx, app, wanted, a.now())
	if err != nil {
		return nil, err
	}
	return spec.IssueToken201JSONResponse{Token: token.Text, Jti: token.ID, ExpiresAt: token.Expires.UTC()}, nil
}

// narrowingOf keeps apart a list that is absent and one that is empty.
func narrowingOf(acl *spec.TokenACL) *auth.Narrowing {
	if acl == nil {
		return nil
	}
	narrowing := new(auth.Narrowing)
	set(&narrowing.Publish, acl.Publish)
	set(&narrowing.Subscribe, acl.Subscribe)
	return narrowing
}
