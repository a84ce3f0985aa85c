package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The most that a stored hash may ask for.
const (
	maxHashMemory = 256 << 10 // KiB
	maxHashPasses = 16
)

// errHash does not show the hash.
var errHash = errors.New("the stored password hash is malformed")

// phc is a password hash and all that is needed to compute it again. As text
// it is a PHC string: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.
type phc struct {
	memory, passes uint32
	threads        uint8
	salt, hash     []byte
}

func (h *phc) compute(pw string, n int) []byte {
	return argon2.IDKey([]byte(pw), h.salt, h.passes, h.memory, h.threads, uint32(n)) //nolint:gosec // n is a small length
}

// String returns the PHC string.
func (h *phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.memory, h.passes, h.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.hash))
}

func parsePHC(s string) (*phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errHash
	}
	h := new(phc)
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil || n != 3 {
		return nil, errHash
	}
	var err error
	b64 := base64.RawStdEncoding.Strict()
	if h.salt, err = b64.DecodeString(parts[4]); err != nil {
		return nil, errHash
	}
	if h.hash, err = b64.DecodeString(parts[5]); err != nil {
		return nil, errHash
	}
	switch {
	case h.memory == 0 || h.memory > maxHashMemory, h.passes == 0 || h.passes > maxHashPasses, h.threads == 0,
		len(h.salt) < 8, len(h.hash) < 16, len(h.hash) > 64, h.String() != s: // one spelling only
		return nil, errHash
	}
	return h, nil
}
