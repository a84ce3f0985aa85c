package auth

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// TokenRequest says for whom a token is to be.
type TokenRequest struct {
	User   string
	Device string // empty: any client id
	Tags   []string
	ACL    *Narrowing    // nil: it narrows nothing
	TTL    time.Duration // a second to MaxTokenLifetime
}

// Token is a token that was issued.
type Token struct {
	Text    string
	ID      string // its jti, "tok_" and a ULID, by which it can be revoked
	Expires time.Time
}

// IssueToken makes a token for a device, signed with the app's newest HS256 key, for
// backends that do not sign tokens themselves. Its faults point into the
// request body: "/user", "/device", "/tags/2", "/acl/publish/0", "/ttl_seconds".
func IssueToken(ctx context.Context, app *App, req TokenRequest, now time.Time) (Token, error) {
	if err := req.check(app); err != nil {
		return Token{}, err
	}
	key := newestKey(app.Entry().SigningKeys, now)
	if key == nil {
		return Token{}, fault.New(fault.NotFound, "the app has no signing key for HS256")
	}
	token := Token{ID: tenant.NewID("tok"), Expires: now.Add(req.TTL).Truncate(time.Second)}
	claims := jwt.MapClaims{
		"sub": req.User, "iat": app.issueAt(ctx, &req, now).Unix(), "exp": token.Expires.Unix(), "jti": token.ID,
	}
	if req.Device != "" {
		claims["device"] = req.Device
	}
	if len(req.Tags) > 0 {
		claims["tags"] = req.Tags
	}
	if req.ACL != nil {
		claims["acl"] = req.ACL.claim()
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	t.Header["kid"] = key.KID
	var err error
	if token.Text, err = t.SignedString([]byte(key.Secret)); err != nil {
		return Token{}, fmt.Errorf("sign a token with %s: %w", key.KID, err)
	}
	return token, nil
}

// issueAt is what a token for somebody is to say about when it was issued: now,
// or if all that was issued until now is revoked, which is a matter of whole
// seconds, the next second. If that is not known the token may be worth nothing,
// which is soon found out.
func (a *App) issueAt(ctx context.Context, req *TokenRequest, now time.Time) time.Time {
	revoked := a.record.current().revoked
	if revoked.ready(ctx) != nil {
		return now
	}
	id := Identity{User: req.User, ClientID: req.Device}
	g := id.granted("", now)
	if next := time.UnixMicro(revoked.last(&g)).Truncate(time.Second).Add(time.Second); next.After(now) {
		return next
	}
	return now
}

// check refuses what the server would refuse when the device connects.
func (r *TokenRequest) check(app *App) error {
	if err := ValidUser(r.User); err != nil {
		return invalid(err, "/user")
	}
	if r.Device != "" {
		if err := ValidDevice(r.Device); err != nil {
			return invalid(err, "/device")
		}
	}
	if len(r.Tags) > maxTags {
		return fault.Newf(fault.Invalid, "must have at most %d tags", maxTags).At("/tags")
	}
	for i, tag := range r.Tags {
		if err := ValidTag(tag); err != nil {
			return invalid(err, "/tags/"+strconv.Itoa(i))
		}
	}
	of := &app.Entry().App
	if _, err := r.ACL.compile(of.Organization, of.Mount()); err != nil {
		return err.At("/acl" + err.Field)
	}
	if r.TTL < time.Second || r.TTL > MaxTokenLifetime {
		return fault.Newf(fault.Invalid, "must be 1 to %d seconds", MaxTokenLifetime/time.Second).At("/ttl_seconds")
	}
	return nil
}

// newestKey returns the key to sign with: the newest that has not expired and
// that no rotation has replaced.
func newestKey(keys []tenant.SigningKey, now time.Time) *tenant.SigningKey {
	var newest *tenant.SigningKey
	for i := range keys {
		key := &keys[i]
		if key.Algorithm != tenant.HS256 || key.Secret == "" || key.ReplacedBy != "" || key.Expired(now) {
			continue
		}
		if newest == nil || key.CreatedAt.After(newest.CreatedAt) ||
			key.CreatedAt.Equal(newest.CreatedAt) && key.KID > newest.KID {
			newest = key
		}
	}
	return newest
}

// invalid points a rule's error at a field.
func invalid(err error, pointer string) *fault.Error {
	return fault.New(fault.Invalid, err.Error()).At(pointer)
}
