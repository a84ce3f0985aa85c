package api_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const signingPath = "/v1/apps/chat/signing-keys"

func newECKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// publicPEM returns a public key in PEM and its fingerprint.
func publicPEM(key crypto.Signer) (text, fingerprint string) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(der)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), hex.EncodeToString(sum[:])
}

// privateKeyPEM is what nobody may send.
var privateKeyPEM = func() string {
	der, err := x509.MarshalPKCS8PrivateKey(newECKey())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}()

// tokenOf signs a token for ana.
func (s *server) tokenOf(method jwt.SigningMethod, kid string, key any) string {
	s.t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims{"sub": "ana", "exp": s.clock.Now().Add(24 * time.Hour).Unix()})
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// edge is another node, which hears what the API announces.
type edge struct {
	s       *server
	dir     *auth.Directory
	usage   *auth.Usage
	devices *auth.Devices
}

func (s *server) edge() *edge {
	e := &edge{s: s, dir: auth.NewDirectory(s.store, s.clock.Now)}
	e.usage = auth.NewUsage(s.store, nil)
	e.devices = auth.NewDevices(e.dir, s.clock.Now)
	e.devices.NoteUses(e.usage)
	return e
}

// connect returns the device that a token lets in, or nil.
func (e *edge) connect(username, token string) *auth.Device {
	e.s.t.Helper()
	e.hear()
	d, err := e.devices.Authenticate(e.s.t.Context(), auth.Credentials{ClientID: "phone-1", Username: username, Password: []byte(token)})
	if code := fault.CodeOf(err); err != nil && code != fault.Unauthenticated && code != fault.TokenExpired {
		e.s.t.Fatal(err)
	}
	return d
}

// hear invalidates what was announced and waits until it is known.
func (e *edge) hear() {
	e.s.t.Helper()
	e.s.bus.mu.Lock()
	announced := e.s.bus.announced
	e.s.bus.announced = nil
	e.s.bus.mu.Unlock()
	for _, said := range announced {
		org, app, _ := strings.Cut(strings.TrimPrefix(said, "app.changed "), "/")
		e.dir.Invalidate(org, app)
		if _, err := e.dir.App(e.s.t.Context(), org, app); err != nil {
			e.s.t.Fatal(err)
		}
	}
}

func TestSigningKeys(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	key := s.app(member, "chat")
	e := s.edge()
	es, own := newECKey(), strings.Repeat("our own secret ", 3)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, fingerprint := publicPEM(es)
	edPEM, _ := publicPEM(ed)
	for name, test := range map[string]struct {
		body map[string]any
		alg  string
		sign func(made map[string]any) string
	}{
		"the server's secret": {map[string]any{"name": "Made"}, "HS256", func(made map[string]any) string {
			return s.tokenOf(jwt.SigningMethodHS256, made["kid"].(string), []byte(made["secret"].(string)))
		}},
		"our secret": {map[string]any{"alg": "HS256", "secret": own}, "HS256", func(made map[string]any) string {
			return s.tokenOf(jwt.SigningMethodHS256, made["kid"].(string), []byte(own))
		}},
		"ES256": {map[string]any{"public_key_pem": text}, "ES256", func(made map[string]any) string {
			return s.tokenOf(jwt.SigningMethodES256, made["kid"].(string), es)
		}},
		"EdDSA": {map[string]any{"alg": "EdDSA", "public_key_pem": edPEM}, "EdDSA", func(made map[string]any) string {
			return s.tokenOf(jwt.SigningMethodEdDSA, made["kid"].(string), ed)
		}},
	} {
		answer := s.call("POST", signingPath, key, test.body)
		made := answer.want(t, http.StatusCreated)
		if made["alg"] != test.alg || (made["secret"] != nil) != (name == "the server's secret") {
			t.Errorf("%s: %s", name, answer.text)
		}
		if name == "ES256" && made["fingerprint"] != fingerprint {
			t.Errorf("%s: %s; want %s", name, answer.text, fingerprint)
		}
		path := signingPath + "/" + made["kid"].(string)
		read := s.call("GET", path, key, nil)
		if body := read.want(t, 200); body["secret"] != nil || body["alg"] != test.alg || body["last_used_at"] != nil {
			t.Errorf("%s: read %s", name, read.text)
		}
		d := e.connect("acme/chat", test.sign(made))
		if d == nil || d.User != "ana" || d.Revoked() {
			t.Fatalf("%s: connects as %+v", name, d)
		}
		if err := e.usage.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if body := s.call("GET", path, key, nil).want(t, 200); body["last_used_at"] == nil {
			t.Errorf("%s: its use is not seen", name)
		}
		if got := s.call("DELETE", path, key, nil); got.StatusCode != http.StatusNoContent {
			t.Errorf("%s: deleted with %d", name, got.StatusCode)
		}
		if e.hear(); !d.Revoked() || e.connect("acme/chat", test.sign(made)) != nil {
			t.Errorf("%s: deleted, it is good", name)
		}
		s.call("GET", path, key, nil).problem(t, 404, "not_found")
	}
	if log := s.log.String(); strings.Contains(log, own) {
		t.Error("the log has a secret")
	}
}

func TestSigningKeyChanges(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	e := s.edge()
	made := s.call("POST", signingPath, key, `{"name":"One"}`)
	body := made.want(t, 201)
	path := signingPath + "/" + body["kid"].(string)
	token := s.tokenOf(jwt.SigningMethodHS256, body["kid"].(string), []byte(body["secret"].(string)))
	d := e.connect("", token)
	if d == nil {
		t.Fatal("it does not connect")
	}
	end := s.clock.Now().Add(time.Hour).UTC().Truncate(time.Second)
	got := s.call("PATCH", path, key, map[string]any{"expires_at": end}, "If-Match", made.Header.Get("ETag"))
	if body := got.want(t, 200); body["expires_at"] != end.Format(time.RFC3339) || body["name"] != "One" {
		t.Errorf("changed to %s", got.text)
	}
	s.call("PATCH", path, key, `{"name":"Two"}`, "If-Match", made.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	s.call("PATCH", path, key, `{"expires_at":"2020-01-01T00:00:00Z"}`).problem(t, 422, "invalid")
	e.hear()
	changes := e.dir.Changes()
	if later := e.connect("", token); later == nil || !later.Expires.Equal(end) || d.Revoked() {
		t.Errorf("within the hour: %+v, revoked %v", later, d.Revoked())
	}
	s.clock.Advance(time.Hour)
	if e.dir.Changes() == changes || !d.Revoked() || e.connect("", token) != nil {
		t.Errorf("after it: changes %d then %d, revoked %v", changes, e.dir.Changes(), d.Revoked())
	}
	if body := s.call("PATCH", path, key, `{"expires_at":null}`).want(t, 200); body["expires_at"] != nil {
		t.Errorf("with no end: %v", body)
	}
	if e.connect("", token) == nil {
		t.Error("with no end it does not connect")
	}
}

// TestSigningKeyRotation: both keys are good, then only the new one, and the
// last use of the old one is seen.
func TestSigningKeyRotation(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	e := s.edge()
	first, second := newECKey(), newECKey()
	firstPEM, _ := publicPEM(first)
	secondPEM, secondPrint := publicPEM(second)
	one := s.call("POST", signingPath, key, map[string]any{"name": "Issuer", "public_key_pem": firstPEM}).want(t, 201)["kid"].(string)
	path := signingPath + "/" + one
	old := s.tokenOf(jwt.SigningMethodES256, one, first)
	d := e.connect("acme/chat", old)
	if d == nil {
		t.Fatal("the first key is not good")
	}
	if f := s.call("POST", path+"/rotate", key, `{}`).problem(t, 422, "invalid"); !slices.Equal(f, fields("/public_key_pem")) {
		t.Errorf("without a key: %q", f)
	}
	s.call("POST", path+"/rotate", key, `{"secret":"`+strings.Repeat("x", 32)+`"}`).problem(t, 409, "conflict")
	rotated := s.call("POST", path+"/rotate", key, map[string]any{"overlap_seconds": 600, "public_key_pem": secondPEM}).want(t, 201)
	next, replaced := rotated["signing_key"].(map[string]any), rotated["replaced"].(map[string]any)
	two := next["kid"].(string)
	if next["name"] != "Issuer" || next["fingerprint"] != secondPrint || next["secret"] != nil || replaced["replaced_by"] != two || replaced["kid"] != one {
		t.Errorf("rotated to %v", rotated)
	}
	s.call("POST", path+"/rotate", key, map[string]any{"public_key_pem": secondPEM}).problem(t, 409, "conflict")
	now := s.tokenOf(jwt.SigningMethodES256, two, second)

	s.clock.Advance(5 * time.Minute)
	if e.connect("acme/chat", old) == nil || e.connect("acme/chat", now) == nil || d.Revoked() {
		t.Error("during the overlap not both are good")
	}
	used := s.clock.Now().UTC().Truncate(time.Microsecond)
	if err := e.usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(5 * time.Minute)
	if e.dir.Changes(); e.connect("acme/chat", old) != nil || e.connect("acme/chat", now) == nil || !d.Revoked() {
		t.Error("after it not only the new one is good")
	}
	if body := s.call("GET", path, key, nil).want(t, 200); body["last_used_at"] != used.Format(time.RFC3339Nano) {
		t.Errorf("the old one was last used at %v, want %v", body["last_used_at"], used)
	}
}

// TestTokensAreSignedWithTheNewKey: as soon as it is there.
func TestTokensAreSignedWithTheNewKey(t *testing.T) {
	s := newServer(t)
	created := s.call("POST", "/v1/apps", s.member("acme", "owner"), `{"id":"chat","name":"Chat"}`).want(t, 201)
	key, kid := created["api_key"].(map[string]any)["secret"].(string), created["signing_key"].(map[string]any)["kid"].(string)
	issue := func() string {
		t.Helper()
		token, _, err := jwt.NewParser().ParseUnverified(s.call("POST", tokenPath, key, `{"user":"ana"}`).want(t, 201)["token"].(string), jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		return token.Header["kid"].(string)
	}
	text, _ := publicPEM(newECKey())
	s.call("POST", signingPath, key, map[string]any{"public_key_pem": text}).want(t, 201)
	if got := issue(); got != kid {
		t.Errorf("signed with %s, want %s", got, kid)
	}
	s.call("POST", signingPath+"/"+kid+"/rotate", key, map[string]any{"public_key_pem": text}).problem(t, 409, "conflict")
	rotated := s.call("POST", signingPath+"/"+kid+"/rotate", key, `{}`).want(t, 201)["signing_key"].(map[string]any)
	if got := issue(); got != rotated["kid"] || rotated["secret"] == nil {
		t.Errorf("signed with %s, want %v", got, rotated)
	}
	s.call("PATCH", signingPath+"/"+rotated["kid"].(string), key, map[string]any{"expires_at": s.clock.Now().Add(time.Minute)}).want(t, 200)
	s.clock.Advance(time.Hour)
	s.call("POST", tokenPath, key, `{"user":"ana"}`).problem(t, 404, "not_found")
}

func TestSigningKeyLists(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	key := s.app(member, "chat")
	for range tenant.MaxSigningKeys - 1 {
		s.call("POST", signingPath, key, `{}`).want(t, 201)
	}
	s.call("POST", signingPath, key, `{}`).problem(t, 429, "quota_exceeded")
	if got := pages(t, s, signingPath, member, "kid"); len(got) != tenant.MaxSigningKeys || !slices.IsSorted(got) {
		t.Errorf("listed %q", got)
	}
}

// TestSigningKeysWantThePassword: who shows or ends keys has to be the member.
func TestSigningKeysWantThePassword(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	s.app(member, "chat")
	path := signingPath + "/" + s.call("POST", signingPath, member, `{}`).want(t, 201)["kid"].(string)
	s.clock.Advance(11 * time.Minute)
	for _, op := range [][3]string{
		{"POST", signingPath, `{}`},
		{"PATCH", path, `{"name":"x"}`},
		{"POST", path + "/rotate", `{}`},
		{"DELETE", path, ""},
		{"POST", "/v1/apps/chat/key-sets", `{"url":"https://issuer.invalid/"}`},
	} {
		var body any
		if op[2] != "" {
			body = op[2]
		}
		s.call(op[0], op[1], member, body).problem(t, 403, "step_up_required")
	}
	s.call("GET", path, member, nil).want(t, 200)
}
