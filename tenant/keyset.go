package tenant

import (
	"encoding/json"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// MaxKeySets is how many key sets an app may have: an unknown kid asks all
	// of them.
	MaxKeySets = 5
	// MaxSetKeys is how many keys a document may have, usable or not.
	MaxSetKeys = 100
	// MaxDocument is the longest document in bytes.
	MaxDocument = 256 << 10
	// MaxKID is the longest kid in bytes; thumbprints as URIs (RFC 9278) have 90.
	MaxKID = 256
	// maxURL is the longest address in bytes.
	maxURL = 2048
)

// SetKey is one key of a key set. A kid may stand for several keys of different
// algorithms (RFC 7517 §4.5).
type SetKey struct {
	KID string
	PublicKey
}

// ParseKeySet reads the usable keys of a JWK Set (RFC 7517 §5): those with a
// kid that can verify tokens. Others are skipped, as §5 has it. A document
// without any is no good one: issuers whose keys are gone for a moment are more
// frequent than those that mean it.
func ParseKeySet(document []byte) ([]SetKey, error) {
	keys, _, err := readKeySet(document)
	return keys, err
}

// CanonicalKeySet returns a document with the usable keys alone, ordered by
// their kids, and of each what it takes to verify: two documents of the same
// meaning become equal.
func CanonicalKeySet(document []byte) (string, error) {
	_, usable, err := readKeySet(document)
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(usable, func(a, b jwk) int { return strings.Compare(a.text("kid"), b.text("kid")) })
	kept := []string{"kid", "kty", "crv", "x", "y", "n", "e"}
	for _, k := range usable {
		maps.DeleteFunc(k, func(name string, _ json.RawMessage) bool { return !slices.Contains(kept, name) })
	}
	text, err := json.Marshal(map[string][]jwk{"keys": usable})
	if err != nil || len(text) > MaxDocument { // which is escaped otherwise, and so may be longer
		return "", fault.Wrap(fault.Invalid, "is no JWK Set", err)
	}
	return string(text), nil
}

func readKeySet(document []byte) (keys []SetKey, usable []jwk, err error) {
	var set map[string]json.RawMessage
	var all []json.RawMessage
	if json.Unmarshal(document, &set) != nil || json.Unmarshal(set["keys"], &all) != nil {
		return nil, nil, fault.New(fault.Invalid, "is no JWK Set: a JSON object with keys")
	}
	if len(document) > MaxDocument || len(all) > MaxSetKeys {
		return nil, nil, fault.Newf(fault.Invalid, "has more than %d keys or %d bytes", MaxSetKeys, MaxDocument)
	}
	type name struct {
		kid string
		alg Algorithm
	}
	seen := make(map[name]bool, len(all))
	for _, raw := range all {
		var k jwk
		if json.Unmarshal(raw, &k) != nil {
			continue
		}
		kid := k.text("kid")
		key, err := k.publicKey()
		// Of two keys that a token cannot tell apart the first one counts.
		if err != nil || !validKID(kid) || seen[name{kid, key.Algorithm}] {
			continue
		}
		seen[name{kid, key.Algorithm}] = true
		keys, usable = append(keys, SetKey{KID: kid, PublicKey: key}), append(usable, k)
	}
	if len(keys) == 0 {
		return nil, nil, fault.New(fault.Invalid, "has no key with a kid that could verify a token")
	}
	return keys, usable, nil
}

// validKID keeps away what a JSON decoder may have made of something else.
func validKID(kid string) bool {
	return kid != "" && len(kid) <= MaxKID && !strings.ContainsRune(kid, utf8.RuneError) && !strings.ContainsRune(kid, 0)
}

// CheckKeySetURL refuses an address that no key set may be fetched from: it has
// to be https, or, where the operator allows it, http to this machine. Whether
// the address leads inside is seen when it is fetched.
func CheckKeySetURL(text string, loopback bool) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL || err != nil || u.Opaque != "" || u.Hostname() == "" || strings.ContainsFunc(text, isSpaceOrControl):
		return fault.New(fault.Invalid, "must be a URL such as https://issuer.example.com/.well-known/jwks.json")
	case u.User != nil || u.Fragment != "":
		return fault.New(fault.Invalid, "must have no credentials and no fragment")
	case u.Scheme == "https", u.Scheme == "http" && loopback && isLoopback(u.Hostname()):
		return nil
	}
	return fault.New(fault.Invalid, "must begin with https://")
}

func isSpaceOrControl(r rune) bool { return r <= ' ' || r == 0x7f }

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
