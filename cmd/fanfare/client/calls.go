package client

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/fanfare-mq/fanfare/api/spec"
)

// Answer is what the API said: read, and as it came.
type Answer[T any] struct {
	Value T
	Raw   json.RawMessage
}

// UnmarshalJSON keeps both forms.
func (a *Answer[T]) UnmarshalJSON(raw []byte) error {
	a.Raw = append(a.Raw[:0], raw...)
	return json.Unmarshal(raw, &a.Value)
}

// SignUp creates an organization.
func (c *Client) SignUp(ctx context.Context, in spec.SignUp) (out Answer[spec.SignedUp], err error) {
	return out, c.Post(ctx, "/v1/signup", in, &out)
}

// CreateApp creates an app of the member's organization.
func (c *Client) CreateApp(ctx context.Context, in spec.NewApp) (out Answer[spec.CreatedApp], err error) {
	return out, c.Post(ctx, "/v1/apps", in, &out)
}

// Apps returns one page of the organization's apps; an empty cursor is the
// first one's.
func (c *Client) Apps(ctx context.Context, cursor string) (out spec.AppPage, err error) {
	path := "/v1/apps"
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	return out, c.Get(ctx, path, &out)
}

// APIKeys returns one page of an app's API keys; an empty cursor is the first
// one's.
func (c *Client) APIKeys(ctx context.Context, app, cursor string) (out spec.APIKeyPage, err error) {
	path := keysPath(app)
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	return out, c.Get(ctx, path, &out)
}

// CreateAPIKey creates an API key of an app.
func (c *Client) CreateAPIKey(ctx context.Context, app string, in spec.APIKeyRequest) (out Answer[spec.CreatedAPIKey], err error) {
	return out, c.Post(ctx, keysPath(app), in, &out)
}

// RotateAPIKey puts a new API key in the place of one.
func (c *Client) RotateAPIKey(ctx context.Context, app, id string, in spec.APIKeyRotation) (out Answer[spec.RotatedAPIKey], err error) {
	return out, c.Post(ctx, keysPath(app)+"/"+url.PathEscape(id)+"/rotate", in, &out)
}

// DeleteAPIKey takes an API key away.
func (c *Client) DeleteAPIKey(ctx context.Context, app, id string) error {
	return c.Delete(ctx, keysPath(app)+"/"+url.PathEscape(id))
}

func keysPath(app string) string { return "/v1/apps/" + url.PathEscape(app) + "/api-keys" }

// SigningKeys returns one page of an app's signing keys; an empty cursor is the
// first one's.
func (c *Client) SigningKeys(ctx context.Context, app, cursor string) (out spec.SigningKeyPage, err error) {
	path := signingKeysPath(app)
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	return out, c.Get(ctx, path, &out)
}

// CreateSigningKey adds a signing key to an app.
func (c *Client) CreateSigningKey(ctx context.Context, app string, in spec.SigningKeyRequest) (out Answer[spec.CreatedSigningKey], err error) {
	return out, c.Post(ctx, signingKeysPath(app), in, &out)
}

// RotateSigningKey puts a new signing key in the place of another.
func (c *Client) RotateSigningKey(
	ctx context.Context, app, kid string, in spec.SigningKeyRotation,
) (out Answer[spec.RotatedSigningKey], err error) {
	return out, c.Post(ctx, signingKeysPath(app)+"/"+url.PathEscape(kid)+"/rotate", in, &out)
}

// DeleteSigningKey takes a signing key away.
func (c *Client) DeleteSigningKey(ctx context.Context, app, kid string) error {
	return c.Delete(ctx, signingKeysPath(app)+"/"+url.PathEscape(kid))
}

func signingKeysPath(app string) string { return "/v1/apps/" + url.PathEscape(app) + "/signing-keys" }

// IssueToken makes a device token with the app's API key.
func (c *Client) IssueToken(ctx context.Context, app string, in spec.TokenRequest) (out Answer[spec.DeviceToken], err error) {
	return out, c.Post(ctx, "/v1/apps/"+url.PathEscape(app)+"/tokens", in, &out)
}

// Push sends a notification with the app's API key.
func (c *Client) Push(ctx context.Context, app string, in spec.PushRequest) (out Answer[spec.Pushed], err error) {
	return out, c.Post(ctx, "/v1/apps/"+url.PathEscape(app)+"/push", in, &out)
}

// SetACL replaces the app's access rules.
func (c *Client) SetACL(ctx context.Context, app string, in spec.ACL) (out Answer[spec.ACL], err error) {
	return out, c.Put(ctx, "/v1/apps/"+url.PathEscape(app)+"/acl", in, &out)
}

// Optional is nil for the zero value: a field that is left out.
func Optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
