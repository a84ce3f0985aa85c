package tenant

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

// MaxSigningKeys is how many signing keys an app may have: a few issuers, each
// in the middle of a rotation.
const MaxSigningKeys = 20

// The length of an HS256 secret in bytes: RFC 7518 §3.2 asks for as much as the
// hash has.
const (
	minSecret = 32
	maxSecret = 1024
)

// Expired says whether the key verifies nothing any more.
func (k *SigningKey) Expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// Replace notes that a rotation puts another key in this one's place, which
// goes on to verify until then.
func (k *SigningKey) Replace(by string, until time.Time) error {
	if k.ReplacedBy != "" {
		return fault.Newf(fault.Conflict, "the key was rotated already: %s has taken its place", k.ReplacedBy)
	}
	k.ReplacedBy = by
	if k.ExpiresAt.IsZero() || until.Before(k.ExpiresAt) {
		k.ExpiresAt = until
	}
	return nil
}

// CheckSecret refuses what can be no HS256 secret, and what was meant to be
// another kind of key: everybody may know a public one, and with it as a secret
// everybody could sign.
func CheckSecret(secret string) error {
	switch {
	case !utf8.ValidString(secret) || len(secret) < minSecret || len(secret) > maxSecret:
		return fault.Newf(fault.Invalid, "must have %d to %d bytes in UTF-8", minSecret, maxSecret)
	case strings.Contains(secret, "PRIVATE KEY-"):
		return isPrivate()
	case looksAsymmetric(secret):
		return fault.New(fault.Invalid, "is a public key; use public_key_pem or public_key_jwk for it")
	}
	return nil
}

func looksAsymmetric(secret string) bool {
	if strings.Contains(secret, "-----BEGIN ") {
		return true
	}
	var k map[string]json.RawMessage
	if json.Unmarshal([]byte(secret), &k) == nil && k["kty"] != nil {
		return true
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(secret), ""))
	if err != nil {
		return false
	}
	_, err = x509.ParsePKIXPublicKey(der)
	return err == nil
}
