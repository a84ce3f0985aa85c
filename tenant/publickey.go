package tenant

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/fanfare-mq/fanfare/fault"
)

// maxRSABits is the largest RSA key: verifying with it takes under a
// millisecond of a core, with larger ones a token would be an attack.
const maxRSABits = 8192

// PublicKey verifies tokens of the one algorithm that it is for.
type PublicKey struct {
	Algorithm Algorithm
	// Key is an *rsa.PublicKey, an *ecdsa.PublicKey on P-256, or an
	// ed25519.PublicKey.
	Key crypto.PublicKey
	DER []byte // SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)
}

// Fingerprint is the SHA-256 of the key's SubjectPublicKeyInfo.
func (k PublicKey) Fingerprint() [32]byte { return sha256.Sum256(k.DER) }

// ParsePublicKeyPEM reads a public key from PEM: exactly one block, of a public
// key or of a certificate, of which only the key counts. A private key is
// refused in words that do not repeat it.
func ParsePublicKeyPEM(text string) (PublicKey, error) {
	if strings.Contains(text, "PRIVATE KEY") {
		return PublicKey{}, isPrivate()
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return PublicKey{}, fault.New(fault.Invalid, "must be a public key or a certificate in PEM")
	}
	if strings.TrimSpace(string(rest)) != "" {
		return PublicKey{}, fault.New(fault.Invalid, "must be one public key or certificate; register each on its own")
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = cert.PublicKey
		}
	default:
		return PublicKey{}, fault.New(fault.Invalid, "must be a public key or a certificate in PEM")
	}
	if err != nil {
		return PublicKey{}, fault.Wrap(fault.Invalid, "is no public key that can be read", err)
	}
	return newPublicKey(key)
}

// ParsePublicKeyDER reads a SubjectPublicKeyInfo.
func ParsePublicKeyDER(der []byte) (PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, fault.Wrap(fault.Invalid, "is no public key that can be read", err)
	}
	return newPublicKey(key)
}

// newPublicKey pins a key to its algorithm, if there is one for it here and the
// key is strong enough.
func newPublicKey(key crypto.PublicKey) (PublicKey, error) {
	alg, err := algorithmOf(key)
	if err != nil {
		return PublicKey{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return PublicKey{}, fault.Wrap(fault.Invalid, "is no public key that can be read", err)
	}
	return PublicKey{Algorithm: alg, Key: key, DER: der}, nil
}

func algorithmOf(key crypto.PublicKey) (Algorithm, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return RS256, checkRSA(key)
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", fault.New(fault.Invalid, "is an EC key on another curve than P-256, which ES256 wants")
		}
		return ES256, nil
	case ed25519.PublicKey:
		return EdDSA, nil
	}
	return "", fault.New(fault.Invalid, "must be an RSA key, an EC key on P-256 or an Ed25519 key")
}

func checkRSA(key *rsa.PublicKey) error {
	bits := key.N.BitLen()
	switch {
	case bits < minRSABits || bits > maxRSABits:
		return fault.Newf(fault.Invalid, "is an RSA key of %d bits; it must have %d to %d", bits, minRSABits, maxRSABits)
	case key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 || key.E > 1<<31-1:
		return fault.New(fault.Invalid, "is no RSA key: its modulus and its exponent have to be odd")
	}
	return nil
}

func isPrivate() error {
	return fault.New(fault.Invalid,
		"is a private key, which must never leave the issuer: nothing was kept, but consider it known and make a new one; send its public key")
}
