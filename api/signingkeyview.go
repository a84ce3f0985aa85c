package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// keyMaterial is what a body says of a signing key: one of the fields, or none
// for a secret that the server makes.
type keyMaterial struct {
	alg         *spec.SigningAlg
	secret, pem *string
	jwk         *spec.PublicKeyJWK
}

// fill gives a key its algorithm and what verifies, and returns the secret to
// show if it has made one.
func (m keyMaterial) fill(key *tenant.SigningKey) (shown string, err error) {
	if err := m.atMostOne(); err != nil {
		return "", err
	}
	switch {
	case m.pem != nil:
		err = fillPublic(key, "/public_key_pem", func() (tenant.PublicKey, error) { return tenant.ParsePublicKeyPEM(*m.pem) })
	case m.jwk != nil:
		err = fillPublic(key, "/public_key_jwk", func() (tenant.PublicKey, error) {
			text, err := json.Marshal(*m.jwk)
			if err != nil {
				return tenant.PublicKey{}, err
			}
			return tenant.ParsePublicKeyJWK(text)
		})
	case m.secret != nil:
		key.Algorithm, key.Secret = tenant.HS256, *m.secret
		err = at(tenant.CheckSecret(*m.secret), "/secret")
	case m.alg != nil && *m.alg != spec.SigningAlg(tenant.HS256):
		return "", fault.Newf(fault.Invalid, "wants a public key: public_key_pem or public_key_jwk has to be there for %s", *m.alg).At("/alg")
	default:
		key.Algorithm, key.Secret = tenant.HS256, auth.NewSigningSecret()
		shown = key.Secret
	}
	if err == nil && m.alg != nil && tenant.Algorithm(*m.alg) != key.Algorithm {
		err = fault.Newf(fault.Invalid, "must be %s for this key", key.Algorithm).At("/alg")
	}
	return shown, err
}

func fillPublic(key *tenant.SigningKey, pointer string, parse func() (tenant.PublicKey, error)) error {
	public, err := parse()
	key.Algorithm, key.PublicKey = public.Algorithm, public.DER
	return at(err, pointer)
}

// follow fills the key that takes another one's place, which is of its kind: a
// secret or a public key.
func (m keyMaterial) follow(last, next *tenant.SigningKey) (shown string, err error) {
	public := m.pem != nil || m.jwk != nil
	switch {
	case last.Algorithm == tenant.HS256 && public:
		return "", fault.New(fault.Conflict, "the key is a secret: create a signing key for the public key, and let this one expire")
	case last.Algorithm != tenant.HS256 && m.secret != nil:
		return "", fault.New(fault.Conflict, "the key is a public one: create a signing key for the secret, and let this one expire")
	case last.Algorithm != tenant.HS256 && !public:
		return "", fault.New(fault.Invalid, "is required, or public_key_jwk: the new public key").At("/public_key_pem")
	}
	return m.fill(next)
}

// atMostOne points at what there is too much of.
func (m keyMaterial) atMostOne() error {
	given := 0
	var wrong error
	for _, one := range []struct {
		there   bool
		pointer string
	}{{m.secret != nil, "/secret"}, {m.pem != nil, "/public_key_pem"}, {m.jwk != nil, "/public_key_jwk"}} {
		if !one.there {
			continue
		}
		if given++; given > 1 {
			wrong = errors.Join(wrong, fault.New(fault.Invalid, "may not be there beside another key").At(one.pointer))
		}
	}
	return wrong
}

func signingKeyView(k tenant.SigningKey) spec.SigningKey {
	return spec.SigningKey{
		Kid: k.KID, Name: k.Name, Alg: spec.SigningAlg(k.Algorithm), Fingerprint: fingerprintRef(k.PublicKey),
		ExpiresAt: timeRef(k.ExpiresAt), LastUsedAt: timeRef(k.LastUsedAt), ReplacedBy: ref(k.ReplacedBy), CreatedAt: k.CreatedAt,
	}
}

func createdSigningKey(k tenant.SigningKey, secret string) spec.CreatedSigningKey {
	view := signingKeyView(k)
	return spec.CreatedSigningKey{
		Kid: view.Kid, Name: view.Name, Alg: view.Alg, Fingerprint: view.Fingerprint, ExpiresAt: view.ExpiresAt,
		CreatedAt: view.CreatedAt, Secret: ref(secret),
	}
}

// fingerprintRef is a public key's fingerprint. Secrets have none: whoever sees
// it could try out what it is of.
func fingerprintRef(der []byte) *string {
	if len(der) == 0 {
		return nil
	}
	sum := sha256.Sum256(der)
	text := hex.EncodeToString(sum[:])
	return &text
}
