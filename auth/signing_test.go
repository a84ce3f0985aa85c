package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// The issuers' keys of these tests.
var issuers = sync.OnceValue(func() (keys struct {
	rs, rs2 *rsa.PrivateKey
	es, es2 *ecdsa.PrivateKey
	ed, ed2 ed25519.PrivateKey
},
) {
	var errs [6]error
	keys.rs, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	keys.rs2, errs[1] = rsa.GenerateKey(rand.Reader, 2048)
	keys.es, errs[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	keys.es2, errs[3] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, keys.ed, errs[4] = ed25519.GenerateKey(rand.Reader)
	_, keys.ed2, errs[5] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return keys
})

// signedBy signs a token for ana that names a kid.
func signedBy(t testing.TB, method jwt.SigningMethod, kid string, key any) string {
	t.Helper()
	k := jwt.NewWithClaims(method, jwt.MapClaims{"sub": "ana", "exp": noon.Add(24 * time.Hour).Unix()})
	k.Header["kid"] = kid
	text, err := k.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func spki(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func publicKey(t testing.TB, kid string, alg tenant.Algorithm, key crypto.Signer) tenant.SigningKey {
	t.Helper()
	return tenant.SigningKey{KID: kid, Organization: "acme", App: "chat", Algorithm: alg, PublicKey: spki(t, key)}
}

// jwk is a public key out of a key set.
func jwk(kid string, key crypto.Signer) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := key.Public().(type) {
	case *rsa.PublicKey:
		return map[string]any{"kid": kid, "kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			panic(err)
		}
		return map[string]any{"kid": kid, "kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	case ed25519.PublicKey:
		return map[string]any{"kid": kid, "kty": "OKP", "crv": "Ed25519", "x": b64(key)}
	}
	panic("unknown key")
}

// keySetOf is a key set that has these keys.
func keySetOf(id string, keys ...map[string]any) tenant.KeySet {
	document, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return tenant.KeySet{ID: id, Organization: "acme", App: "chat", URL: "https://issuer.example.com/jwks", Document: string(document)}
}

// signingEntry is acme/chat with a key of each kind and a key set with one of
// each.
func signingEntry(t testing.TB) tenant.Entry {
	t.Helper()
	keys := issuers()
	e := entry("acme", "chat")
	e.SigningKeys = append(e.SigningKeys,
		publicKey(t, "sk_rs", tenant.RS256, keys.rs), publicKey(t, "sk_es", tenant.ES256, keys.es), publicKey(t, "sk_ed", tenant.EdDSA, keys.ed))
	e.KeySets = []tenant.KeySet{keySetOf("ks_1", jwk("rs", keys.rs), jwk("es", keys.es), jwk("ed", keys.ed))}
	return e
}

func TestPublicKeys(t *testing.T) {
	keys := issuers()
	src := newSource(signingEntry(t))
	v := auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon)
	for _, test := range []struct {
		method jwt.SigningMethod
		kid    string
		key    any
	}{
		{jwt.SigningMethodRS256, "sk_rs", keys.rs},
		{jwt.SigningMethodES256, "sk_es", keys.es},
		{jwt.SigningMethodEdDSA, "sk_ed", keys.ed},
		{jwt.SigningMethodRS256, "rs", keys.rs},
		{jwt.SigningMethodES256, "es", keys.es},
		{jwt.SigningMethodEdDSA, "ed", keys.ed},
	} {
		text := signedBy(t, test.method, test.kid, test.key)
		for range 2 { // the second one was seen before
			d, err := connect(t, v, "acme/chat", text)
			if err != nil || d.User != "ana" || d.Revoked() || !d.Expires.Equal(noon.Add(24*time.Hour)) {
				t.Fatalf("%s: %+v, %v", test.kid, d, err)
			}
		}
		// Without a user name a kid has to be one of ours.
		_, err := connect(t, v, "", text)
		if ours := strings.HasPrefix(test.kid, "sk_"); (err == nil) != ours {
			t.Errorf("%s without a user name: %v", test.kid, err)
		}
	}
}

// TestAlgorithmConfusion: the key decides about the algorithm, whatever a token
// says. The classic attack signs with HMAC under a public key, which everybody
// knows.
func TestAlgorithmConfusion(t *testing.T) {
	keys := issuers()
	src := newSource(signingEntry(t))
	v := auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon)
	for kid, key := range map[string]crypto.Signer{
		"sk_rs": keys.rs, "sk_es": keys.es, "sk_ed": keys.ed, "rs": keys.rs, "es": keys.es, "ed": keys.ed,
	} {
		der := spki(t, key)
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		document, err := json.Marshal(jwk(kid, key))
		if err != nil {
			t.Fatal(err)
		}
		secrets := map[string][]byte{
			"DER": der, "PEM": text, "PEM without its last line": text[:len(text)-1], "JWK": document, "nothing": {},
			"base64": []byte(base64.StdEncoding.EncodeToString(der)), "zeros": make([]byte, 32),
		}
		if public, ok := key.Public().(ed25519.PublicKey); ok {
			secrets["raw"] = public
		}
		if public, ok := key.Public().(*rsa.PublicKey); ok {
			secrets["modulus"], secrets["PKCS #1"] = public.N.Bytes(), x509.MarshalPKCS1PublicKey(public)
		}
		for name, secret := range secrets {
			for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
				d, err := connect(t, v, "acme/chat", signedBy(t, method, kid, secret))
				if d != nil || fault.CodeOf(err) != fault.Unauthenticated {
					t.Errorf("%s, %s with its %s: %+v, %v", kid, method.Alg(), name, d, err)
				}
			}
		}
		d, err := connect(t, v, "acme/chat", signedBy(t, jwt.SigningMethodNone, kid, jwt.UnsafeAllowNoneSignatureType))
		if d != nil || fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s, none: %+v, %v", kid, d, err)
		}
	}
}

func TestWrongSignatures(t *testing.T) {
	keys := issuers()
	e := signingEntry(t)
	e.KeySets = append(e.KeySets,
		keySetOf("ks_2", jwk("rs", keys.rs2), jwk("both", keys.es), jwk("both", keys.ed), jwk(testKID("acme", "chat"), keys.es), jwk("sk_es", keys.es2)))
	src := newSource(e, entry("globex", "chat"))
	v := auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon)
	sign := func(method jwt.SigningMethod, kid string, key any) string { return signedBy(t, method, kid, key) }
	good := sign(jwt.SigningMethodES256, "sk_es", keys.es)
	for name, test := range map[string]struct{ username, token, says string }{
		"another RSA key":                        {"acme/chat", sign(jwt.SigningMethodRS256, "sk_rs", keys.rs2), "signature is wrong"},
		"another EC key":                         {"acme/chat", sign(jwt.SigningMethodES256, "sk_es", keys.es2), "signature is wrong"},
		"another Ed25519 key":                    {"acme/chat", sign(jwt.SigningMethodEdDSA, "sk_ed", keys.ed2), "signature is wrong"},
		"another hash":                           {"acme/chat", sign(jwt.SigningMethodRS512, "sk_rs", keys.rs), "signed with RS512"},
		"another padding":                        {"acme/chat", sign(jwt.SigningMethodPS256, "sk_rs", keys.rs), "signed with PS256"},
		"RSA by the EC key's kid":                {"acme/chat", sign(jwt.SigningMethodRS256, "sk_es", keys.rs), "signed with RS256"},
		"EC by the RSA key's kid":                {"acme/chat", sign(jwt.SigningMethodES256, "sk_rs", keys.es), "signed with ES256"},
		"EC by the secret's kid":                 {"acme/chat", sign(jwt.SigningMethodES256, testKID("acme", "chat"), keys.es), "signed with ES256"},
		"EC by the kid of the set's RSA key":     {"acme/chat", sign(jwt.SigningMethodES256, "rs", keys.es), "none of its key sets has it for ES256"},
		"a set's second key of a kid":            {"acme/chat", sign(jwt.SigningMethodRS256, "rs", keys.rs2), "signature is wrong"},
		"a set's key under the kid of ours":      {"acme/chat", sign(jwt.SigningMethodES256, "sk_es", keys.es2), "signature is wrong"},
		"RS256 by a kid of two other algorithms": {"acme/chat", sign(jwt.SigningMethodRS256, "both", keys.rs), "none of its key sets"},
		"another organization's":                 {"globex/chat", good, "globex/chat has no signing key"},
		"another organization's set":             {"globex/chat", sign(jwt.SigningMethodES256, "es", keys.es), "globex/chat has no signing key"},
		"an empty signature":                     {"acme/chat", good[:strings.LastIndexByte(good, '.')+1], "signature is wrong"},
		"a signature of zeros":                   {"acme/chat", good[:strings.LastIndexByte(good, '.')+1] + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), "signature is wrong"},
		"a long kid, without a user name":        {"", sign(jwt.SigningMethodES256, strings.Repeat("k", 65), keys.es), "no signing key"},
	} {
		d, err := connect(t, v, test.username, test.token)
		if d != nil || fault.CodeOf(err) != fault.Unauthenticated || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %+v, %v; want %q", name, d, err, test.says)
		}
	}
	for _, key := range []struct {
		method jwt.SigningMethod
		key    any
	}{{jwt.SigningMethodES256, keys.es}, {jwt.SigningMethodEdDSA, keys.ed}} {
		if _, err := connect(t, v, "acme/chat", sign(key.method, "both", key.key)); err != nil {
			t.Errorf("one kid, two algorithms: %v", err)
		}
	}
}

// A key whose kind is not what it says, or that nobody can read, is nobody's.
func TestBrokenKeysVerifyNothing(t *testing.T) {
	keys := issuers()
	e := entry("acme", "chat")
	mislabelled := publicKey(t, "sk_1", tenant.RS256, keys.es)
	secret := publicKey(t, "sk_2", tenant.HS256, keys.rs) // HS256 with a public key and no secret
	garbage := tenant.SigningKey{KID: "sk_3", Algorithm: tenant.ES256, PublicKey: []byte("garbage")}
	unknown := publicKey(t, "sk_4", "none", keys.es)
	e.SigningKeys = []tenant.SigningKey{mislabelled, secret, garbage, unknown}
	e.KeySets = []tenant.KeySet{{ID: "ks_1"}, {ID: "ks_2", Document: "garbage"}, keySetOf("ks_3", map[string]any{"kty": "oct", "kid": "k", "k": "AQ"})}
	v := auth.NewDevices(auth.NewDirectory(newSource(e), atNoon), atNoon)
	for name, text := range map[string]string{
		"ES256 at RS256":  signedBy(t, jwt.SigningMethodES256, "sk_1", keys.es),
		"RS256":           signedBy(t, jwt.SigningMethodRS256, "sk_1", keys.rs),
		"HS256":           signedBy(t, jwt.SigningMethodHS256, "sk_2", spki(t, keys.rs)),
		"HS256, empty":    signedBy(t, jwt.SigningMethodHS256, "sk_2", []byte{}),
		"garbage":         signedBy(t, jwt.SigningMethodES256, "sk_3", keys.es),
		"none":            signedBy(t, jwt.SigningMethodNone, "sk_4", jwt.UnsafeAllowNoneSignatureType),
		"symmetric of it": signedBy(t, jwt.SigningMethodHS256, "k", []byte{1}),
	} {
		if d, err := connect(t, v, "acme/chat", text); d != nil || err == nil {
			t.Errorf("%s: let in as %+v", name, d)
		}
	}
}

// A key's end ends the connections made with it; nobody announces that.
func TestKeysExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		keys := issuers()
		e := entry("acme", "chat")
		first, second := publicKey(t, "sk_1", tenant.ES256, keys.es), publicKey(t, "sk_2", tenant.ES256, keys.es2)
		first.ExpiresAt = start.Add(time.Hour)
		e.SigningKeys = []tenant.SigningKey{first, second}
		src := newSource(e)
		dir := auth.NewDirectory(src, time.Now)
		v := auth.NewDevices(dir, time.Now)
		token := func(kid string, key *ecdsa.PrivateKey, life time.Duration) string {
			k := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "ana", "exp": time.Now().Add(life).Unix()})
			k.Header["kid"] = kid
			text, err := k.SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		one, two := token("sk_1", keys.es, 24*time.Hour), token("sk_2", keys.es2, 24*time.Hour)
		a, err := connect(t, v, "acme/chat", one)
		if err != nil || !a.Expires.Equal(start.Add(time.Hour)) {
			t.Fatalf("it ends at %v, %v", a, err)
		}
		if short, err := connect(t, v, "acme/chat", token("sk_1", keys.es, time.Minute)); err != nil || !short.Expires.Equal(start.Add(time.Minute)) {
			t.Errorf("a shorter token ends at %v, %v", short, err)
		}
		b, err := connect(t, v, "acme/chat", two)
		if err != nil {
			t.Fatal(err)
		}
		changes := dir.Changes()
		time.Sleep(time.Hour - time.Nanosecond)
		if dir.Changes() != changes || a.Revoked() {
			t.Error("it has ended before its time")
		}
		time.Sleep(time.Nanosecond)
		if dir.Changes() == changes || !a.Revoked() || b.Revoked() {
			t.Errorf("at its time: %v, %v, %v", dir.Changes(), a.Revoked(), b.Revoked())
		}
		_, err = connect(t, v, "acme/chat", one)
		wantFault(t, err, fault.TokenExpired)
		_, err = connect(t, v, "acme/chat", token("sk_1", keys.es2, time.Hour)) // with a wrong signature it is wrong
		wantFault(t, err, fault.Unauthenticated)

		// The end of the other one comes while its device is connected, and moves.
		e.SigningKeys[1].ExpiresAt = time.Now().Add(time.Hour)
		src.set(e)
		dir.Invalidate("acme", "chat")
		synctest.Wait()
		e.SigningKeys = slices.Clone(e.SigningKeys)
		e.SigningKeys[1].ExpiresAt = time.Now().Add(2 * time.Hour)
		src.set(e)
		dir.Invalidate("acme", "chat")
		synctest.Wait()
		time.Sleep(time.Hour)
		dir.Changes()
		if b.Revoked() {
			t.Error("it has ended although its end was put off")
		}
		changes = dir.Changes()
		time.Sleep(time.Hour)
		if dir.Changes() == changes || !b.Revoked() {
			t.Error("its end that was put off goes unnoticed")
		}
	})
}

// The newest HS256 key signs that a rotation has not replaced and that has not
// expired.
func TestIssueTokenPassesOverOldKeys(t *testing.T) {
	e := entry("acme", "chat")
	key := func(kid string, age time.Duration, change func(*tenant.SigningKey)) tenant.SigningKey {
		k := tenant.SigningKey{KID: kid, Algorithm: tenant.HS256, Secret: "secret of " + kid, CreatedAt: noon.Add(-age)}
		change(&k)
		return k
	}
	e.SigningKeys = []tenant.SigningKey{
		key("sk_good", 5*time.Hour, func(k *tenant.SigningKey) { k.ExpiresAt = noon.Add(time.Second) }),
		key("sk_older", 6*time.Hour, func(*tenant.SigningKey) {}),
		key("sk_replaced", 2*time.Hour, func(k *tenant.SigningKey) { k.ReplacedBy = "sk_other" }),
		key("sk_expired", time.Hour, func(k *tenant.SigningKey) { k.ExpiresAt = noon }),
		publicKey(t, "sk_public", tenant.ES256, issuers().es),
	}
	app := lookUp(t, auth.NewDirectory(newSource(e), atNoon), "acme", "chat")
	issued, err := auth.IssueToken(t.Context(), app, auth.TokenRequest{User: "ana", TTL: time.Hour}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if token, _, err := jwt.NewParser().ParseUnverified(issued.Text, jwt.MapClaims{}); err != nil || token.Header["kid"] != "sk_good" {
		t.Errorf("signed by %v, %v", token, err)
	}
}
