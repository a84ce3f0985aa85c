package tenant_test

import (
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

func document(keys ...any) []byte {
	text, err := json.Marshal(map[string]any{"keys": keys, "more": 1})
	if err != nil {
		panic(err)
	}
	return text
}

func kid(id any) map[string]any { return map[string]any{"kid": id} }

// What cannot verify a token is skipped, and the rest serves.
func TestKeySet(t *testing.T) {
	rs, es, ed := rsaOf(2048), ecKey(elliptic.P256()), edKey()
	doc := document(
		jwkOf(ed, kid("c"), map[string]any{"x5c": []string{"long"}}), jwkOf(es, kid("a")), jwkOf(rs, kid("a")), // one kid, two algorithms
		jwkOf(edKey(), kid("c")), // cannot be told apart from the first
		map[string]any{"kty": "oct", "kid": "s", "k": b64(make([]byte, 32))},
		jwkOf(ed, kid("p"), map[string]any{"d": "AQ"}), jwkOf(rs), jwkOf(rs, kid("")), jwkOf(rs, kid(7)),
		jwkOf(rs, kid(strings.Repeat("k", 257))), jwkOf(rs, kid("\x00")), jwkOf(rs, kid("enc"), map[string]any{"use": "enc"}),
		jwkOf(ecKey(elliptic.P384()), kid("weak")), jwkOf(rs, kid("512"), map[string]any{"alg": "RS512"}), "x", nil, 5, []any{},
	)
	got, err := tenant.ParseKeySet(doc)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, key := range got {
		names = append(names, key.KID+" "+string(key.Algorithm))
	}
	if want := "[c EdDSA a ES256 a RS256]"; fmt.Sprint(names) != want {
		t.Errorf("got %v, want %s", names, want)
	}
	canonical, err := tenant.CanonicalKeySet(doc)
	if err != nil || strings.Contains(canonical, "x5c") || strings.Contains(canonical, "more") {
		t.Errorf("canonical %s, %v", canonical, err)
	}
	again, err := tenant.CanonicalKeySet([]byte(canonical))
	if err != nil || again != canonical {
		t.Errorf("twice it is %s, %v", again, err)
	}
	other, err := tenant.CanonicalKeySet(document(jwkOf(es, kid("a")), jwkOf(rs, kid("a")), jwkOf(ed, kid("c"), map[string]any{"alg": "EdDSA", "use": "sig"})))
	if err != nil || other != canonical {
		t.Errorf("in another order it is %s, %v", other, err)
	}
	kept, err := tenant.ParseKeySet([]byte(canonical))
	if err != nil || len(kept) != 3 {
		t.Errorf("read again: %v, %v", kept, err)
	}
}

func TestBadKeySets(t *testing.T) {
	ed := jwkOf(edKey(), kid("a"))
	many := make([]any, tenant.MaxSetKeys+1)
	for i := range many {
		many[i] = ed
	}
	for name, test := range map[string]struct {
		document []byte
		says     string
	}{
		"nothing":         {nil, "no JWK Set"},
		"HTML":            {[]byte("<html>"), "no JWK Set"},
		"null":            {[]byte("null"), "no JWK Set"},
		"an array":        {[]byte("[]"), "no JWK Set"},
		"no keys":         {[]byte("{}"), "no JWK Set"},
		"keys an object":  {[]byte(`{"keys":{}}`), "no JWK Set"},
		"keys null":       {[]byte(`{"keys":null}`), "no key"},
		"empty":           {document(), "no key"},
		"none usable":     {document(jwkOf(edKey())), "no key"},
		"too many":        {document(many...), "100 keys"},
		"too long":        {append(document(ed), make([]byte, tenant.MaxDocument)...), "no JWK Set"},
		"too long, valid": {append(document(ed), []byte(strings.Repeat(" ", tenant.MaxDocument))...), "262144 bytes"},
		"deep":            {[]byte(strings.Repeat(`{"keys":`, 100_000)), "no JWK Set"},
	} {
		got, err := tenant.ParseKeySet(test.document)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), test.says) || got != nil {
			t.Errorf("%s: %v, %v; want %q", name, got, err, test.says)
		}
	}
}

func TestKeySetURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://issuer.example.com/jwks.json":    "good",
		"https://issuer.example.com:8443/a?b=c":   "good",
		"https://[2001:db8::1]/jwks":              "good",
		"http://127.0.0.1:8080/jwks":              "loopback",
		"http://localhost/jwks":                   "loopback",
		"http://[::1]/jwks":                       "loopback",
		"http://issuer.example.com/jwks":          "bad",
		"http://127.0.0.1.example.com/":           "bad",
		"HTTP://issuer.example.com":               "bad",
		"file:///etc/passwd":                      "bad",
		"ftp://issuer.example.com/":               "bad",
		"gopher://127.0.0.1:6379/":                "bad",
		"https://user:secret@issuer.example.com/": "bad",
		"https://issuer.example.com/#x":           "bad",
		"https:issuer.example.com":                "bad",
		"https:///jwks":                           "bad",
		"https://issuer.example.com/\r\nHost: a":  "bad",
		"https://issuer.example.com/ x":           "bad",
		"//issuer.example.com/":                   "bad",
		"issuer.example.com":                      "bad",
		"":                                        "bad",
		"https://a/" + strings.Repeat("x", 3000):  "bad",
		"https://%00/":                            "bad",
	} {
		inner, outer := tenant.CheckKeySetURL(text, true) == nil, tenant.CheckKeySetURL(text, false) == nil
		if inner != (want != "bad") || outer != (want == "good") {
			t.Errorf("%q: with loopback %v, without %v; want %s", text, inner, outer, want)
		}
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add(document(jwkOf(edKey(), kid("a")), jwkOf(ecKey(elliptic.P256()), kid("b")), jwkOf(rsaOf(2048), kid("c"))))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQ","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"\ud800","x":"","y":""},null,1,"a",{"kid":{}}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		keys, err := tenant.ParseKeySet(doc)
		canonical, also := tenant.CanonicalKeySet(doc)
		if (err == nil) != (also == nil) {
			t.Fatalf("read: %v, canonical: %v", err, also)
		}
		if err != nil {
			return
		}
		kept, err := tenant.ParseKeySet([]byte(canonical))
		if err != nil || len(kept) != len(keys) || len(keys) == 0 {
			t.Fatalf("%d keys became %d, %v", len(keys), len(kept), err)
		}
		if again, err := tenant.CanonicalKeySet([]byte(canonical)); err != nil || again != canonical {
			t.Fatalf("canonical twice: %s, %v", again, err)
		}
		for _, key := range keys {
			if _, err := tenant.ParsePublicKeyDER(key.DER); err != nil || key.KID == "" {
				t.Errorf("%+v: %v", key, err)
			}
		}
	})
}
