package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// authorityPEM makes a new authority's certificate.
func authorityPEM(name string, change ...func(*x509.Certificate)) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Acme"}},
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, f := range change {
		f(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

func asDevice(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// credentials puts an API key, the login "robot", an authority, a signing key,
// a key set and a revocation of the user ana into an app and returns what puts
// their ids into paths.
func (s *server) credentials(org, app string) *strings.Replacer {
	s.t.Helper()
	block, _ := pem.Decode([]byte(authorityPEM("Devices")))
	c := tenant.Certificate{
		ID: tenant.NewID("ca"), Organization: org, App: app, DER: block.Bytes, Fingerprint: sha256.Sum256(block.Bytes),
		UserFrom: tenant.UserFromCN, CreatedAt: s.clock.Now(),
	}
	signing := tenant.SigningKey{
		KID: tenant.NewID("sk"), Organization: org, App: app, Algorithm: tenant.HS256, Secret: auth.NewSigningSecret(), CreatedAt: s.clock.Now(),
	}
	keys := tenant.KeySet{
		ID: tenant.NewID("ks"), Organization: org, App: app, URL: "https://127.0.0.1/", DueAt: s.clock.Now(), CreatedAt: s.clock.Now(),
	}
	key := tenant.APIKey{
		ID: tenant.NewID("key"), Organization: org, App: app, Hash: auth.HashSecret(auth.NewAPIKeySecret()),
		Scopes: []tenant.Scope{tenant.ScopeManage}, CreatedAt: s.clock.Now(),
	}
	_, err := s.store.Revoke(s.t.Context(), tenant.Revocation{
		Organization: org, App: app, RevocationID: tenant.RevocationID{Kind: tenant.RevokedUser, Subject: "ana"},
		IssuedBefore: c.CreatedAt, ExpiresAt: c.CreatedAt.Add(time.Hour), CreatedAt: c.CreatedAt,
	})
	err = errors.Join(
		err,
		s.store.CreateSigningKey(s.t.Context(), signing), s.store.CreateKeySet(s.t.Context(), keys),
		s.store.CreateAPIKey(s.t.Context(), key),
		s.store.CreateLogin(s.t.Context(), tenant.Login{
			Organization: org, App: app, Username: "robot", User: "ana", Enabled: true, CreatedAt: s.clock.Now(),
		}),
		s.store.CreateCertificate(s.t.Context(), c),
	)
	_, failed := s.store.UpdateACL(s.t.Context(), org, app, store.AnyVersion, func([]tenant.Rule) ([]tenant.Rule, error) {
		return []tenant.Rule{{ID: "rule_1", Effect: tenant.Deny, Action: tenant.All, Topic: org + "/none", Who: tenant.Who{Everyone: true}}}, nil
	})
	err = errors.Join(err, failed)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.NewReplacer("{certificate}", c.ID, "{key}", key.ID, "{kid}", signing.KID, "{key_set}", keys.ID)
}

// connects says as whom acme/chat's login meter-7 gets in, by a directory that hears what the
// API announces.
func (s *server) connects(t *testing.T, dir *auth.Directory, password string) *auth.Device {
	t.Helper()
	s.bus.mu.Lock()
	for _, said := range s.bus.announced {
		org, app, ok := strings.Cut(strings.TrimPrefix(said, "app.changed "), "/")
		if !ok {
			t.Errorf("announced %q", said)
		}
		dir.Invalidate(org, app)
	}
	s.bus.announced = nil
	s.bus.mu.Unlock()
	d, err := auth.NewDevices(dir, s.clock.Now).Authenticate(t.Context(),
		auth.Credentials{ClientID: "phone-1", Username: "acme/chat/meter-7", Password: []byte(password)})
	if err != nil && fault.CodeOf(err) != fault.Unauthenticated {
		t.Fatal(err)
	}
	return d
}

func TestLogins(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	edge := auth.NewDirectory(s.store, s.clock.Now) // another node's
	const path, password = "/v1/apps/chat/logins", "a long password"
	if s.connects(t, edge, password) != nil {
		t.Fatal("a login that does not exist")
	}
	made := s.call("POST", path, key, `{"username":"meter-7","password":"`+password+`","user":"ana","device":"phone-1","tags":["b","a"],"role":"driver"}`)
	login := made.want(t, http.StatusCreated)
	created, _ := login["created_at"].(string)
	delete(login, "created_at")
	want := map[string]any{
		"username": "meter-7", "user": "ana", "device": "phone-1", "tags": []any{"b", "a"}, "role": "driver", "enabled": true,
	}
	if !reflect.DeepEqual(login, want) || created == "" {
		t.Errorf("created %s", made.text)
	}
	if read := s.call("GET", path+"/meter-7", key, nil); string(read.text) != string(made.text) || read.Header.Get("ETag") != made.Header.Get("ETag") {
		t.Errorf("created %s %s, read %s %s", made.text, made.Header, read.text, read.Header)
	}
	d := s.connects(t, edge, password)
	if d == nil || d.User != "ana" || d.Device != "phone-1" || !slices.Equal(d.Tags, []string{"b", "a"}) || d.Role != "driver" {
		t.Fatalf("connects as %+v", d)
	}
	// What is absent stays, what is empty goes.
	got := s.call("PATCH", path+"/meter-7", key, `{"device":"","role":"","tags":[],"user":"bob"}`, "If-Match", made.Header.Get("ETag"))
	if login := got.want(t, http.StatusOK); login["user"] != "bob" || login["device"] != nil || login["role"] != nil || login["enabled"] != true {
		t.Errorf("changed to %s", got.text)
	}
	s.call("PATCH", path+"/meter-7", key, `{}`, "If-Match", made.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	if d := s.connects(t, edge, password); d == nil || d.User != "bob" || d.Device != "" || len(d.Tags) != 0 {
		t.Errorf("connects as %+v", d)
	}
	s.call("PATCH", path+"/meter-7", key, `{"password":"another password"}`).want(t, http.StatusOK)
	if s.connects(t, edge, password) != nil || s.connects(t, edge, "another password") == nil {
		t.Error("the old password is good, or the new one is not")
	}
	s.call("PATCH", path+"/meter-7", key, `{"enabled":false}`).want(t, http.StatusOK)
	if s.connects(t, edge, "another password") != nil {
		t.Error("a disabled login")
	}
	s.call("PATCH", path+"/meter-7", key, `{"enabled":true}`).want(t, http.StatusOK)
	if s.connects(t, edge, "another password") == nil {
		t.Error("enabled again, it is refused")
	}
	if got := s.call("DELETE", path+"/meter-7", key, nil); got.StatusCode != http.StatusNoContent || len(got.text) != 0 {
		t.Errorf("deleted: %d %s", got.StatusCode, got.text)
	}
	s.call("DELETE", path+"/meter-7", key, nil).problem(t, 404, "not_found")
	s.call("GET", path+"/meter-7", key, nil).problem(t, 404, "not_found")
	if s.connects(t, edge, "another password") != nil {
		t.Error("a deleted login")
	}
	if text := s.log.String(); strings.Contains(text, password) || strings.Contains(text, "argon2id") {
		t.Error("the log has a password")
	}
}

func TestLoginLists(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	names := []string{"A", "a", "a@b", "b", "c"}
	for _, name := range names {
		err := s.store.CreateLogin(t.Context(), tenant.Login{
			Organization: "acme", App: "chat", Username: name, PasswordHash: "secret", User: "ana", CreatedAt: s.clock.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := pages(t, s, "/v1/apps/chat/logins", key, "username"); !slices.Equal(got, names) {
		t.Errorf("listed %q", got)
	}
}

// pages lists all of something, two at a time.
func pages(t *testing.T, s *server, path, token, field string) []string {
	t.Helper()
	var got []string
	for next := "?limit=2"; next != ""; {
		answer := s.call("GET", path+next, token, nil)
		page := answer.want(t, http.StatusOK)
		for _, item := range page["items"].([]any) {
			got = append(got, item.(map[string]any)[field].(string))
		}
		if strings.Contains(string(answer.text), "secret") {
			t.Errorf("shows a secret: %s", answer.text)
		}
		next = ""
		if cursor, ok := page["next_cursor"].(string); ok {
			next = "?limit=2&cursor=" + cursor
		}
	}
	return got
}

func TestCertificates(t *testing.T) {
	s := newServer(t)
	acme, globex := s.member("acme", "owner"), s.member("globex", "owner")
	key := s.app(acme, "chat")
	s.app(globex, "chat")
	const path = "/v1/apps/chat/certificates"
	text := authorityPEM("Devices")
	block, _ := pem.Decode([]byte(text))
	sum := sha256.Sum256(block.Bytes)
	made := s.call("POST", path, key, map[string]any{"ca_pem": text, "user_from": "san_dns", "tags": []string{"meter"}, "role": "driver"})
	c := made.want(t, http.StatusCreated)
	id, _ := c["id"].(string)
	if c["fingerprint"] != hex.EncodeToString(sum[:]) || c["subject"] != "CN=Devices,O=Acme" || c["user_from"] != "san_dns" ||
		!reflect.DeepEqual(c["tags"], []any{"meter"}) || c["role"] != "driver" || !strings.HasPrefix(id, "ca_") || c["not_after"] == nil {
		t.Errorf("created %s", made.text)
	}
	if read := s.call("GET", path+"/"+id, key, nil); string(read.text) != string(made.text) {
		t.Errorf("created %s, read %s", made.text, read.text)
	}
	// It is registered once, whoever comes second.
	for _, token := range []string{key, globex} {
		got := s.call("POST", path, token, map[string]any{"ca_pem": text, "user_from": "cn"})
		if fields := got.problem(t, 409, "conflict"); !slices.Equal(fields, []string{"/ca_pem"}) {
			t.Errorf("a second time: %s", got.text)
		}
	}
	entry, err := s.store.Entry(t.Context(), "acme", "chat")
	if err != nil || len(entry.Certificates) != 1 || entry.Certificates[0].Fingerprint != sum {
		t.Errorf("the edge gets %+v, %v", entry.Certificates, err)
	}
	want := []string{id}
	for range 15 {
		c := s.call("POST", path, key, map[string]any{"ca_pem": authorityPEM("Devices"), "user_from": "cn"}).want(t, http.StatusCreated)
		want = append(want, c["id"].(string))
	}
	s.call("POST", path, key, map[string]any{"ca_pem": authorityPEM("Devices"), "user_from": "cn"}).problem(t, 429, "quota_exceeded")
	slices.Sort(want)
	if got := pages(t, s, path, acme, "id"); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	if got := s.call("DELETE", path+"/"+id, key, nil); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d %s", got.StatusCode, got.text)
	}
	s.call("DELETE", path+"/"+id, key, nil).problem(t, 404, "not_found")
	s.call("POST", path, globex, map[string]any{"ca_pem": text, "user_from": "cn"}).want(t, http.StatusCreated) // it is free
}
