package auth

import (
	"crypto/sha256"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// verifier is a key that tokens are verified with: one of an app's signing keys
// or one out of its key sets. The key decides about the algorithm.
type verifier struct {
	kid       string
	algorithm tenant.Algorithm
	key       any       // []byte for HS256, else a public key as crypto has it
	expires   time.Time // zero: never
	set       string    // the id of the key set it is from; empty: a signing key
	// material is the SHA-256 of what the key is, to tell a kid's old key from
	// its new one.
	material [sha256.Size]byte
}

// expired says whether the key verifies nothing any more.
func (v *verifier) expired(now time.Time) bool { return !v.expires.IsZero() && !now.Before(v.expires) }

// verifiers are the keys of an app, parsed once for each of its states. They
// are not changed after that.
type verifiers struct {
	own       map[string]*verifier
	published map[publishedKey]*verifier
}

// publishedKey names a key out of a key set: a kid may stand for one of each
// algorithm.
type publishedKey struct {
	kid       string
	algorithm tenant.Algorithm
}

// verifiersOf returns the keys of an app. What cannot be read, and was checked
// when it came, verifies nothing.
func verifiersOf(entry *tenant.Entry) verifiers {
	v := verifiers{
		own:       make(map[string]*verifier, len(entry.SigningKeys)),
		published: make(map[publishedKey]*verifier),
	}
	for i := range entry.SigningKeys {
		key := &entry.SigningKeys[i]
		v.own[key.KID] = signingVerifier(key)
	}
	for i := range entry.KeySets {
		keys, err := tenant.ParseKeySet([]byte(entry.KeySets[i].Document))
		if err != nil {
			continue // nothing was fetched yet
		}
		for _, key := range keys {
			name := publishedKey{key.KID, key.Algorithm}
			if _, ok := v.published[name]; ok {
				continue // an older set has it
			}
			v.published[name] = &verifier{
				kid: key.KID, algorithm: key.Algorithm, key: key.Key, material: key.Fingerprint(), set: entry.KeySets[i].ID,
			}
		}
	}
	return v
}

// signingVerifier returns the verifier of a signing key; one without a key if
// it is not of its algorithm.
func signingVerifier(key *tenant.SigningKey) *verifier {
	v := &verifier{kid: key.KID, algorithm: key.Algorithm, expires: key.ExpiresAt}
	if key.Algorithm == tenant.HS256 {
		if key.Secret != "" {
			v.key, v.material = []byte(key.Secret), sha256.Sum256([]byte(key.Secret))
		}
		return v
	}
	public, err := tenant.ParsePublicKeyDER(key.PublicKey)
	if err == nil && public.Algorithm == key.Algorithm {
		v.key, v.material = public.Key, public.Fingerprint()
	}
	return v
}

// find returns the key that a token names, if its algorithm is the key's, or
// nil. A kid of ours is looked up before those that others have chosen.
func (v *verifiers) find(kid string, alg tenant.Algorithm) *verifier {
	if own, ok := v.own[kid]; ok {
		return own
	}
	return v.published[publishedKey{kid, alg}]
}

// current returns what a key that has verified something is now, which may expire
// at another time, or nil if it would not verify that any more.
func (v *verifiers) current(used *verifier, now time.Time) *verifier {
	key := v.find(used.kid, used.algorithm)
	if key == nil || key.algorithm != used.algorithm || key.material != used.material || key.expired(now) {
		return nil
	}
	return key
}

// nextExpiry returns when the next of the signing keys expires; zero: none will.
func nextExpiry(keys []tenant.SigningKey, now time.Time) (next time.Time) {
	for i := range keys {
		if at := keys[i].ExpiresAt; at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}
