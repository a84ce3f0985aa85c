package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	operatorPrefix = "ffo_"

	// operatorLifetime is how long an operator's token counts: one call, and the
	// wait for its answer. Nothing ends it before that.
	operatorLifetime = time.Minute
	// operatorLeeway is how far the clocks of the operator and the server may be
	// apart.
	operatorLeeway = 30 * time.Second

	operatorNonce = 16 // bytes; they make two tokens of one instant different
	operatorSaid  = 8 + operatorNonce
)

// OperatorKey makes and checks the tokens of the operator: whoever has the
// installation's master key. It is derived from it, so that nothing has to be
// set up or kept. It is safe for concurrent use.
type OperatorKey struct {
	key []byte
}

// NewOperatorKey derives the key from the master key.
func NewOperatorKey(masterKey []byte) (*OperatorKey, error) {
	key, err := hkdf.Key(sha256.New, masterKey, nil, "fanfare operator 1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the operator's key: %w", err)
	}
	return &OperatorKey{key: key}, nil
}

// Token returns "ffo_" and, in base64url, the time in milliseconds since 1970,
// 16 random bytes and an HMAC-SHA256 of both.
func (k *OperatorKey) Token(now time.Time) string {
	said := make([]byte, operatorSaid)
	binary.BigEndian.PutUint64(said, uint64(now.UnixMilli()))
	_, _ = rand.Read(said[8:]) // never fails: the program ends instead
	return operatorPrefix + base64.RawURLEncoding.EncodeToString(k.sign(said))
}

// Check says whether a token was made with the key, of late.
func (k *OperatorKey) Check(token string, now time.Time) bool {
	text, ok := strings.CutPrefix(token, operatorPrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(operatorSaid+sha256.Size) {
		return false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || !hmac.Equal(k.sign(raw[:operatorSaid]), raw) {
		return false
	}
	age := now.Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(raw)))) //nolint:gosec // as Token wrote it
	return age >= -operatorLeeway && age <= operatorLifetime+operatorLeeway
}

// sign returns what is said and its HMAC.
func (k *OperatorKey) sign(said []byte) []byte {
	mac := hmac.New(sha256.New, k.key)
	_, _ = mac.Write(said) // a hash takes everything
	return mac.Sum(slices.Clip(said))
}
