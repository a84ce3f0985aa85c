package tenant_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// rsaOf makes a key once for each size: it takes long.
var rsaOf = func() func(bits int) *rsa.PrivateKey {
	var mu sync.Mutex
	made := map[int]*rsa.PrivateKey{}
	return func(bits int) *rsa.PrivateKey {
		mu.Lock()
		defer mu.Unlock()
		if made[bits] == nil {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				panic(err)
			}
			made[bits] = key
		}
		return made[bits]
	}
}()

func ecKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func edKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func inPEM(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func publicPEM(key crypto.Signer) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return inPEM("PUBLIC KEY", der, err)
}

func privatePEM(key crypto.Signer) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return inPEM("PRIVATE KEY", der, err)
}

func certificatePEM(key crypto.Signer) string {
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	return inPEM("CERTIFICATE", der, err)
}

func TestPublicKeyPEM(t *testing.T) {
	for name, test := range map[string]struct {
		key crypto.Signer
		alg tenant.Algorithm
	}{
		"RSA":     {rsaOf(2048), tenant.RS256},
		"P-256":   {ecKey(elliptic.P256()), tenant.ES256},
		"Ed25519": {edKey(), tenant.EdDSA},
	} {
		for form, text := range map[string]string{
			"SPKI": publicPEM(test.key), "certificate": certificatePEM(test.key), "with space around": "\n\n" + publicPEM(test.key) + " \n\n",
			"with a text before": "subject=/CN=x\n" + publicPEM(test.key), "with CRLF": strings.ReplaceAll(publicPEM(test.key), "\n", "\r\n"),
		} {
			got, err := tenant.ParsePublicKeyPEM(text)
			if err != nil || got.Algorithm != test.alg || !reflect.DeepEqual(got.Key, test.key.Public()) {
				t.Errorf("%s as %s: %+v, %v", name, form, got, err)
			}
			again, err := tenant.ParsePublicKeyDER(got.DER)
			if err != nil || !reflect.DeepEqual(again, got) || again.Fingerprint() != got.Fingerprint() {
				t.Errorf("%s as %s: read again it is %+v, %v", name, form, again, err)
			}
		}
	}
	pkcs1 := inPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaOf(2048).PublicKey), nil)
	if got, err := tenant.ParsePublicKeyPEM(pkcs1); err != nil || got.Algorithm != tenant.RS256 {
		t.Errorf("PKCS #1: %+v, %v", got, err)
	}
}

// dsaPEM is a key of an algorithm that nobody should use.
func dsaPEM() string {
	type algorithm struct {
		OID    asn1.ObjectIdentifier
		Params struct{ P, Q, G *big.Int }
	}
	y, err := asn1.Marshal(big.NewInt(4))
	if err != nil {
		panic(err)
	}
	spki := struct {
		Algorithm algorithm
		Key       asn1.BitString
	}{Key: asn1.BitString{Bytes: y, BitLength: 8 * len(y)}}
	spki.Algorithm.OID = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}
	spki.Algorithm.Params.P, spki.Algorithm.Params.Q, spki.Algorithm.Params.G = big.NewInt(23), big.NewInt(11), big.NewInt(4)
	der, err := asn1.Marshal(spki)
	text := inPEM("PUBLIC KEY", der, err)
	if _, err := x509.ParsePKIXPublicKey(der); err != nil {
		panic(err)
	}
	return text
}

func TestBadPublicKeyPEM(t *testing.T) {
	ec, even := ecKey(elliptic.P256()), rsaOf(2048).PublicKey
	ecDER, ecErr := x509.MarshalECPrivateKey(ec)
	even.N = new(big.Int).Sub(even.N, big.NewInt(1))
	evenDER, evenErr := x509.MarshalPKIXPublicKey(&even)
	small := rsaOf(2048).PublicKey
	small.E = 1
	smallDER, smallErr := x509.MarshalPKIXPublicKey(&small)
	for name, test := range map[string]struct{ text, says string }{
		"nothing":                    {"", "must be a public key"},
		"no PEM":                     {"hello", "must be a public key"},
		"a request":                  {inPEM("CERTIFICATE REQUEST", []byte{1}, nil), "must be a public key"},
		"garbage in it":              {inPEM("PUBLIC KEY", []byte{1, 2, 3}, nil), "no public key that can be read"},
		"garbage in a certificate":   {inPEM("CERTIFICATE", []byte{1, 2, 3}, nil), "no public key that can be read"},
		"two":                        {publicPEM(ec) + publicPEM(ec), "must be one"},
		"something behind":           {publicPEM(ec) + "x", "must be one"},
		"PKCS #8":                    {privatePEM(ec), "private key"},
		"an RSA private key":         {inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaOf(2048)), nil), "private key"},
		"an EC private key":          {inPEM("EC PRIVATE KEY", ecDER, ecErr), "private key"},
		"an encrypted one":           {inPEM("ENCRYPTED PRIVATE KEY", []byte{1}, nil), "private key"},
		"one of OpenSSH":             {inPEM("OPENSSH PRIVATE KEY", []byte{1}, nil), "private key"},
		"one behind a public one":    {publicPEM(ec) + privatePEM(ec), "private key"},
		"a private one, mislabelled": {strings.ReplaceAll(privatePEM(ec), "PRIVATE", "PUBLIC"), "no public key that can be read"},
		"P-224":                      {publicPEM(ecKey(elliptic.P224())), "P-256"},
		"P-384":                      {publicPEM(ecKey(elliptic.P384())), "P-256"},
		"P-521":                      {publicPEM(ecKey(elliptic.P521())), "P-256"},
		"RSA of 1024 bits":           {publicPEM(rsaOf(1024)), "1024 bits"},
		"RSA with an even modulus":   {inPEM("PUBLIC KEY", evenDER, evenErr), "odd"},
		"RSA with the exponent 1":    {inPEM("PUBLIC KEY", smallDER, smallErr), "odd"},
		"RSA of 16384 bits":          {largeRSA(16384), "16384 bits"},
		"DSA":                        {dsaPEM(), "must be an RSA key"},
	} {
		got, err := tenant.ParsePublicKeyPEM(test.text)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), test.says) || got.Key != nil {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, test.says)
		}
		if test.says == "private key" && strings.Contains(err.Error(), test.text[40:60]) {
			t.Errorf("%s: the fault repeats it", name)
		}
	}
}

// largeRSA is a public key that nobody has the private one of.
func largeRSA(bits int) string {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
	return inPEM("PUBLIC KEY", der, err)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwkOf is a key as a JWK, with changes; nil removes a member.
func jwkOf(key crypto.Signer, changes ...map[string]any) map[string]any {
	k := map[string]any{}
	switch key := key.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		k["kty"], k["crv"], k["x"], k["y"] = "EC", key.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(key)
	}
	for _, change := range changes {
		maps.Copy(k, change)
	}
	maps.DeleteFunc(k, func(_ string, v any) bool { return v == nil })
	return k
}

func parseJWK(k any) (tenant.PublicKey, error) {
	text, err := json.Marshal(k)
	if err != nil {
		panic(err)
	}
	return tenant.ParsePublicKeyJWK(text)
}

func TestPublicKeyJWK(t *testing.T) {
	rs, es, ed := rsaOf(2048), ecKey(elliptic.P256()), edKey()
	for name, test := range map[string]struct {
		key    crypto.Signer
		change map[string]any
		alg    tenant.Algorithm
	}{
		"RSA":             {rs, nil, tenant.RS256},
		"P-256":           {es, nil, tenant.ES256},
		"Ed25519":         {ed, nil, tenant.EdDSA},
		"all it may say":  {rs, map[string]any{"alg": "RS256", "use": "sig", "key_ops": []string{"verify"}, "kid": "x", "x5t": "y"}, tenant.RS256},
		"EdDSA":           {ed, map[string]any{"alg": "EdDSA"}, tenant.EdDSA},
		"Ed25519 as alg":  {ed, map[string]any{"alg": "Ed25519"}, tenant.EdDSA},
		"more operations": {es, map[string]any{"key_ops": []string{"sign", "verify"}}, tenant.ES256},
	} {
		got, err := parseJWK(jwkOf(test.key, test.change))
		if err != nil || got.Algorithm != test.alg || !reflect.DeepEqual(got.Key, test.key.Public()) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestBadPublicKeyJWK(t *testing.T) {
	rs, es, ed := rsaOf(2048), ecKey(elliptic.P256()), edKey()
	with := func(key crypto.Signer, name string, value any) map[string]any {
		return jwkOf(key, map[string]any{name: value})
	}
	for name, test := range map[string]struct {
		key  any
		says string
	}{
		"null":                   {nil, "JSON Web Key"},
		"an array":               {[]any{}, "JSON Web Key"},
		"empty":                  {map[string]any{}, "must be an RSA key"},
		"unknown type":           {map[string]any{"kty": "AKP"}, "must be an RSA key"},
		"type in lower case":     {with(rs, "kty", "rsa"), "must be an RSA key"},
		"symmetric":              {map[string]any{"kty": "oct", "k": b64(make([]byte, 32))}, "symmetric"},
		"private RSA":            {with(rs, "d", b64(rs.D.Bytes())), "private key"},
		"RSA with primes":        {with(rs, "p", "AQ"), "private key"},
		"private EC":             {with(es, "d", b64(make([]byte, 32))), "private key"},
		"private Ed25519":        {with(ed, "d", b64(ed.Seed())), "private key"},
		"another alg":            {with(rs, "alg", "RS512"), "another alg than RS256"},
		"alg of HMAC":            {with(rs, "alg", "HS256"), "another alg than RS256"},
		"alg none":               {with(es, "alg", "none"), "another alg than ES256"},
		"alg a number":           {with(es, "alg", 5), "another alg than ES256"},
		"for encryption":         {with(rs, "use", "enc"), "another use"},
		"use a number":           {with(rs, "use", 1), "another use"},
		"only for signing":       {with(es, "key_ops", []string{"sign"}), "key_ops"},
		"no operation":           {with(es, "key_ops", []string{}), "key_ops"},
		"operations a text":      {with(es, "key_ops", "verify"), "key_ops"},
		"P-384":                  {jwkOf(ecKey(elliptic.P384())), "must be an RSA key"},
		"P-384 said to be P-256": {with(ecKey(elliptic.P384()), "crv", "P-256"), "32 bytes"},
		"secp256k1":              {with(es, "crv", "secp256k1"), "must be an RSA key"},
		"X25519":                 {with(ed, "crv", "X25519"), "must be an RSA key"},
		"Ed448":                  {with(ed, "crv", "Ed448"), "must be an RSA key"},
		"no point of the curve":  {with(es, "y", b64(make([]byte, 32))), "no point"},
		"the point at infinity":  {jwkOf(es, map[string]any{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), "no point"},
		"EC without y":           {with(es, "y", nil), "32 bytes"},
		"EC, short":              {with(es, "x", "AQ"), "32 bytes"},
		"Ed25519, short":         {with(ed, "x", "AQ"), "32 bytes"},
		"Ed25519, padded":        {with(ed, "x", base64.URLEncoding.EncodeToString(ed.Public().(ed25519.PublicKey))), "32 bytes"},
		"RSA without e":          {with(rs, "e", nil), "odd"},
		"RSA without n":          {with(rs, "n", nil), "no n and e"},
		"RSA with an even e":     {with(rs, "e", "Ag"), "odd"},
		"RSA with a huge e":      {with(rs, "e", b64(rs.N.Bytes())), "31 bits"},
		"RSA of 1024 bits":       {jwkOf(rsaOf(1024)), "1024 bits"},
		"RSA with n a number":    {with(rs, "n", 12345), "no n and e"},
	} {
		got, err := parseJWK(test.key)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, test.says)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	es := ecKey(elliptic.P256())
	der, err := x509.MarshalPKIXPublicKey(es.Public())
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jwkOf(es))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ secret, says string }{
		"shortest":          {strings.Repeat("x", 32), ""},
		"longest":           {strings.Repeat("x", 1024), ""},
		"bytes, not runes":  {strings.Repeat("é", 16), ""},
		"JSON":              {`{"a":"` + strings.Repeat("x", 32) + `"}`, ""},
		"base64":            {base64.StdEncoding.EncodeToString(make([]byte, 32)), ""},
		"too short":         {strings.Repeat("x", 31), "32 to 1024"},
		"too long":          {strings.Repeat("x", 1025), "32 to 1024"},
		"not UTF-8":         {strings.Repeat("\xff", 32), "UTF-8"},
		"a public key":      {publicPEM(es), "public key"},
		"a certificate":     {certificatePEM(es), "public key"},
		"a public key, raw": {base64.StdEncoding.EncodeToString(der), "public key"},
		"a JWK":             {string(jwk), "public key"},
		"a private key":     {privatePEM(es), "private key"},
	} {
		err := tenant.CheckSecret(test.secret)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v; want %q", name, err, test.says)
		}
	}
}
