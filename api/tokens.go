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
	token, expires, err := auth.IssueToken(app, wanted, a.now())
	if err != nil {
		return nil, err
	}
	return spec.IssueToken201JSONResponse{Token: token, ExpiresAt: expires.UTC()}, nil
}
