package tenant

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// MasterKeyBytes is the length of the master key.
const MasterKeyBytes = 32

// sealVersion is the first byte of everything sealed, so that another cipher
// can come later beside this one.
const sealVersion = 1

// ErrSealed means that something sealed cannot be opened: it was sealed under
// another master key or for another place, or it was changed.
var ErrSealed = errors.New("sealed under another master key, for another place, or damaged")

// Sealer encrypts the secrets that must be read back, such as HS256 keys, with
// AES-256-GCM under a key derived from the master key. It is safe for
// concurrent use.
type Sealer struct {
	aead cipher.AEAD
}

// NewSealer returns a sealer for a master key of MasterKeyBytes random bytes.
func NewSealer(masterKey []byte) (*Sealer, error) {
	if len(masterKey) != MasterKeyBytes {
		return nil, fmt.Errorf("the master key has %d bytes instead of %d", len(masterKey), MasterKeyBytes)
	}
	// A derived key leaves the master key free for other purposes later.
	key, err := hkdf.Key(sha256.New, masterKey, nil, "fanfare sealer 1", MasterKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	// Random 96-bit nonces are safe for 2^32 seals under one key.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("sealing cipher: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts plain and binds it to context, the identity of the place where
// it is kept: moved to another place, it does not open.
func (s *Sealer) Seal(plain []byte, context string) []byte {
	sealed := s.aead.Seal(nil, nil, plain, []byte(context)) //nolint:gosec // the cipher makes its nonce itself
	return append([]byte{sealVersion}, sealed...)
}

// Open decrypts what Seal returned for the same context, or returns ErrSealed.
func (s *Sealer) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], []byte(context))
	if err != nil {
		return nil, ErrSealed // the cause says no more, by design of the cipher
	}
	return plain, nil
}
