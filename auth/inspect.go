package auth

import (
	"context"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/fault"
)

// Inspect returns what a token of an app says, without its text, if one of the
// app's keys has signed it; it need not be valid yet. Its faults are Invalid,
// whose messages never hold the token, and Unavailable.
func (v *Devices) Inspect(ctx context.Context, org, app, token string) (Token, error) {
	if len(token) > maxToken {
		return Token{}, fault.Newf(fault.Invalid, "must have at most %d bytes", maxToken)
	}
	said := new(claims)
	var refused error
	_, err := v.reader.ParseWithClaims(token, said, func(t *jwt.Token) (any, error) {
		_, key, err := v.key(ctx, org+"/"+app, t)
		if refused = err; err != nil {
			return nil, err
		}
		return key.key, nil
	})
	if refused == nil {
		refused = explain(err)
	}
	switch {
	case fault.CodeOf(refused) == fault.Unauthenticated:
		return Token{}, fault.Wrap(fault.Invalid, "is no token of this app", refused)
	case refused != nil:
		return Token{}, refused
	case said.expires == nil:
		return Token{}, fault.New(fault.Invalid, "has no exp, so no device can use it")
	case !said.expires.Add(leeway).After(v.now()):
		return Token{}, fault.New(fault.Invalid, "has expired")
	case said.id == "":
		return Token{}, fault.New(fault.Invalid, "has no jti; revoke what its user or its device has")
	}
	return Token{ID: said.id, Expires: said.expires.Time}, nil
}
