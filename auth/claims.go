package auth

import (
	"encoding/json"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/fault"
)

// claims is what is read of a device's token. The names are matched exactly;
// iss, aud and claims of the issuer's own are not looked at.
type claims struct {
	user      string
	device    *string // nil: any client id
	tags      []string
	role      string
	expires   *instant
	notBefore *instant
	issuedAt  *instant
	id        string     // jti, which it can be revoked by
	acl       *Narrowing // nil: it narrows nothing
}

// UnmarshalJSON reads the claims one by one, so that a fault can name the one
// that is wrong.
func (c *claims) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return unauthenticated("the token's claims are not a JSON object")
	}
	for _, claim := range []struct {
		name, kind string
		into       any
	}{
		{"sub", "a string", &c.user},
		{"device", "a string", &c.device},
		{"tags", "an array of strings", &c.tags},
		{"role", "a string", &c.role},
		{"exp", "a time in Unix seconds", &c.expires},
		{"nbf", "a time in Unix seconds", &c.notBefore},
		{"iat", "a time in Unix seconds", &c.issuedAt},
		{"jti", "a string", &c.id},
		{"acl", "an object with publish and subscribe, arrays of topic filters", &c.acl},
	} {
		raw, ok := all[claim.name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, claim.into); err != nil {
			return unauthenticated("the token's %s is not %s", claim.name, claim.kind)
		}
	}
	if _, ok := all["acl"]; ok && c.acl == nil {
		return unauthenticated("the token's acl is null, which could mean nothing or everything")
	}
	return nil
}

// check holds what was signed against the rules.
func (c *claims) check(clientID string, now time.Time) error {
	if c.expires.After(now.Add(MaxTokenLifetime + leeway)) {
		return unauthenticated("the token expires more than %d days ahead", int(MaxTokenLifetime/(24*time.Hour)))
	}
	// Revocations are forgotten once no token can be left that they are about.
	if c.issuedAt != nil && c.expires.Sub(c.issuedAt.Time) > MaxTokenLifetime+leeway {
		return unauthenticated("the token lives longer than %d days from its iat", int(MaxTokenLifetime/(24*time.Hour)))
	}
	if err := ValidUser(c.user); err != nil {
		return unauthenticated("the token's sub %v", err)
	}
	if len(c.tags) > maxTags {
		return unauthenticated("the token has more than %d tags", maxTags)
	}
	for _, tag := range c.tags {
		if err := ValidTag(tag); err != nil {
			return unauthenticated("a tag of the token %v", err)
		}
	}
	if c.role != "" {
		if err := validID(c.role); err != nil {
			return unauthenticated("the token's role %v", err)
		}
	}
	return c.checkDevice(clientID)
}

func (c *claims) checkDevice(clientID string) error {
	if c.device == nil {
		return nil
	}
	if err := ValidDevice(*c.device); err != nil {
		return unauthenticated("the token's device %v", err)
	}
	if *c.device != clientID {
		return unauthenticated("the token is for another device than the client id names")
	}
	return nil
}

// issued is when the token was issued, or the zero time if it does not say.
func (c *claims) issued() time.Time {
	if c.issuedAt == nil {
		return time.Time{}
	}
	return c.issuedAt.Time
}

// ends is when a connection made with the token has to end: at its exp. A
// device whose clock let it connect a little later gets the leeway.
func (c *claims) ends(now time.Time) time.Time {
	if c.expires.After(now) {
		return c.expires.Time
	}
	return c.expires.Add(leeway)
}

// instant is a NumericDate (RFC 7519 §2): seconds since 1970, up to the year
// 9999. Fractions are cut off.
type instant struct{ time.Time }

// UnmarshalJSON reads the number of seconds.
func (i *instant) UnmarshalJSON(data []byte) error {
	const year9999 = 253402300799
	var seconds float64
	if err := json.Unmarshal(data, &seconds); err != nil {
		return err
	}
	if seconds < 0 || seconds > year9999 {
		return fault.New(fault.Invalid, "out of range")
	}
	i.Time = time.Unix(int64(seconds), 0)
	return nil
}

func (i *instant) numericDate() *jwt.NumericDate {
	if i == nil {
		return nil
	}
	return &jwt.NumericDate{Time: i.Time}
}

// The methods that jwt.Claims asks for.

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.expires.numericDate(), nil }

func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return c.notBefore.numericDate(), nil }

func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return c.issuedAt.numericDate(), nil }
func (c *claims) GetIssuer() (string, error)             { return "", nil }
func (c *claims) GetSubject() (string, error)            { return c.user, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error) { return nil, nil }

// unauthenticated is a fault for the log: a device is only told "no".
func unauthenticated(format string, args ...any) error {
	return fault.Newf(fault.Unauthenticated, format, args...)
}

// ignoreNotFound lets only other errors through.
func ignoreNotFound(err error) error {
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	return err
}
