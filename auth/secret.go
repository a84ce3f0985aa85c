package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strings"
)

const (
	apiKeyPrefix  = "ffk_"
	sessionPrefix = "ffs_"
	invitePrefix  = "ffi_"
	resetPrefix   = "ffr_"

	// secretBytes is the entropy of every secret: 256 bits are out of reach
	// of guessing, so a fast hash is enough to keep them.
	secretBytes = 32
	// secretDigits is what they take in base 62.
	secretDigits = 43
	secretLength = len(apiKeyPrefix) + secretDigits
)

// NewAPIKeySecret returns a new API key: "ffk_" and 43 letters and digits.
func NewAPIKeySecret() string { return apiKeyPrefix + randomDigits() }

// NewSessionToken returns a new token of a member's session: "ffs_" and 43
// letters and digits.
func NewSessionToken() string { return sessionPrefix + randomDigits() }

// NewInvitationToken returns the secret of a new invitation's link: "ffi_" and
// 43 letters and digits.
func NewInvitationToken() string { return invitePrefix + randomDigits() }

// NewResetToken returns the secret of a new link that sets a password: "ffr_"
// and 43 letters and digits.
func NewResetToken() string { return resetPrefix + randomDigits() }

// NewSigningSecret returns a new HS256 secret of 43 letters and digits: its
// bytes are the key, with the 256 bits that RFC 7518 §3.2 asks for.
func NewSigningSecret() string { return randomDigits() }

// HashSecret is how API keys, session tokens and the secrets of links are kept
// and looked up.
func HashSecret(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// randomDigits returns 32 random bytes as letters and digits, which survive
// shells, URLs and a double click.
func randomDigits() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends instead
	digits := new(big.Int).SetBytes(b[:]).Text(62)
	return strings.Repeat("0", secretDigits-len(digits)) + digits
}
