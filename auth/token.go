package auth

import (
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
	TTL    time.Duration // a second to MaxTokenLifetime
}

// IssueToken makes a token for a device, signed with the app's newest HS256 key, for
// backends that do not sign tokens themselves. Its faults point into the
// request body: "/user", "/device", "/tags/2", "/ttl_seconds".
func IssueToken(app *App, req TokenRequest, now time.Time) (token string, expires time.Time, err error) {
	if err := req.check(); err != nil {
		return "", time.Time{}, err
	}
	key := newestKey(app.Entry().SigningKeys, now)
	if key == nil {
		return "", time.Time{}, fault.New(fault.NotFound, "the app has no signing key for HS256")
	}
	expires = now.Add(req.TTL).Truncate(time.Second)
	claims := jwt.MapClaims{"sub": req.User, "iat": now.Unix(), "exp": expires.Unix()}
	if req.Device != "" {
		claims["device"] = req.Device
	}
	if len(req.Tags) > 0 {
		claims["tags"] = req.Tags
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	t.Header["kid"] = key.KID
	token, err = t.SignedString([]byte(key.Secret))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a token with %s: %w", key.KID, err)
	}
	return token, expires, nil
}

// check refuses what the server would refuse when the device connects.
func (r *TokenRequest) check() error {
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
