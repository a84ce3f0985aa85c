package tenant

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/fanfare-mq/fanfare/fault"
)

// jwk is a JSON Web Key (RFC 7517 §4) by the exact names of its members.
type jwk map[string]json.RawMessage

// secretMembers are what only private and symmetric keys have (RFC 7518 §6).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth"}

// ParsePublicKeyJWK reads a public key from a JSON Web Key. What the key says
// of itself is respected: its use, its operations and its algorithm.
func ParsePublicKeyJWK(data []byte) (PublicKey, error) {
	var k jwk
	if err := json.Unmarshal(data, &k); err != nil || k == nil {
		return PublicKey{}, fault.New(fault.Invalid, "must be a JSON Web Key")
	}
	return k.publicKey()
}

func (k jwk) publicKey() (PublicKey, error) {
	for _, member := range secretMembers {
		if _, ok := k[member]; ok {
			return PublicKey{}, isPrivate()
		}
	}
	key, err := k.key()
	if err != nil {
		return PublicKey{}, err
	}
	public, err := newPublicKey(key)
	if err != nil {
		return PublicKey{}, err
	}
	return public, k.verifies(public.Algorithm)
}

// key reads the key's numbers.
func (k jwk) key() (crypto.PublicKey, error) {
	kty, crv := k.text("kty"), k.text("crv")
	switch {
	case kty == "RSA":
		return k.rsa()
	case kty == "EC" && crv == "P-256":
		x, y := k.bytes("x"), k.bytes("y")
		if len(x) != 32 || len(y) != 32 { // RFC 7518 §6.2.1.2: the full size, zeros included
			return nil, fault.New(fault.Invalid, "has no x and y of 32 bytes each in base64url")
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "is no point of P-256", err)
		}
		return key, nil
	case kty == "OKP" && crv == "Ed25519":
		x := k.bytes("x")
		if len(x) != ed25519.PublicKeySize {
			return nil, fault.New(fault.Invalid, "has no x of 32 bytes in base64url")
		}
		return ed25519.PublicKey(x), nil
	case kty == "oct":
		return nil, fault.New(fault.Invalid, "is a symmetric key; use secret for one")
	}
	return nil, fault.New(fault.Invalid, "must be an RSA key, an EC key on P-256 or an Ed25519 key")
}

func (k jwk) rsa() (crypto.PublicKey, error) {
	n, e := new(big.Int).SetBytes(k.bytes("n")), new(big.Int).SetBytes(k.bytes("e"))
	if n.Sign() == 0 || !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, fault.New(fault.Invalid, "has no n and e in base64url, or an e of more than 31 bits")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// verifies refuses a key that says it is for something else.
func (k jwk) verifies(with Algorithm) error {
	alg := k.text("alg")
	if alg == "Ed25519" { // RFC 9864 §2.2: EdDSA with this one curve
		alg = string(EdDSA)
	}
	var operations []string
	raw, limited := k["key_ops"]
	if limited && json.Unmarshal(raw, &operations) != nil {
		operations = nil
	}
	switch {
	case k.has("alg") && alg != string(with):
		return fault.Newf(fault.Invalid, "has another alg than %s, the one for its type", with)
	case k.has("use") && k.text("use") != "sig":
		return fault.New(fault.Invalid, "has another use than sig")
	case limited && !slices.Contains(operations, "verify"):
		return fault.New(fault.Invalid, "has key_ops without verify")
	}
	return nil
}

func (k jwk) has(name string) bool {
	_, ok := k[name]
	return ok
}

// text is a member that is a string, or "".
func (k jwk) text(name string) (s string) {
	if json.Unmarshal(k[name], &s) != nil {
		return ""
	}
	return s
}

// bytes is a member in base64url, or nil.
func (k jwk) bytes(name string) []byte {
	b, err := base64.RawURLEncoding.Strict().DecodeString(k.text(name))
	if err != nil {
		return nil
	}
	return b
}
