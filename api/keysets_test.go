package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/egress"
	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/keyset"
	"github.com/fanfare-mq/fanfare/tenant"
)

const keySetPath = "/v1/apps/chat/key-sets"

// issuer is a server at which an issuer publishes its keys.
type issuer struct {
	http  *httptest.Server
	roots *x509.CertPool
	asked atomic.Int64

	mu     sync.Mutex
	keys   []issuerKey // what is published
	status int         // 0: 200
}

type issuerKey struct {
	kid string
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{roots: x509.NewCertPool()}
	i.http = httptest.NewTLSServer(i)
	t.Cleanup(i.http.Close)
	i.roots.AddCert(i.http.Certificate())
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.asked.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.status != 0 {
		w.WriteHeader(i.status)
		return
	}
	var keys []string
	for _, k := range i.keys {
		point, err := k.key.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		b64 := base64.RawURLEncoding.EncodeToString
		keys = append(keys, fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":%q,"use":"sig","x":%q,"y":%q}`, k.kid, b64(point[1:33]), b64(point[33:])))
	}
	fmt.Fprintf(w, `{"keys":[%s]}`, strings.Join(keys, ","))
}

// publish replaces the keys of the set.
func (i *issuer) publish(keys ...issuerKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

func (i *issuer) answers(status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status = status
}

func (i *issuer) client() egress.Config { return egress.Config{Private: true, RootCAs: i.roots} }

// withIssuer has the server's key sets asked by a client that trusts an issuer.
func withIssuer(t *testing.T) (*server, *issuer) {
	t.Helper()
	i := newIssuer(t)
	var deps *api.Deps
	s := newServer(t, func(_ *api.Config, d *api.Deps) { deps = d; d.KeySets = new(lateKeySets) })
	deps.KeySets.(*lateKeySets).Keeper = s.keySets(deps.Apps.(*auth.Directory), i.client())
	return s, i
}

// lateKeySets is made before the server that it needs.
type lateKeySets struct{ *keyset.Keeper }

func TestKeySets(t *testing.T) {
	s, i := withIssuer(t)
	member := s.member("acme", "owner")
	key := s.app(member, "chat")
	one, two := issuerKey{"one", newECKey()}, issuerKey{"two", newECKey()}
	i.publish(one)
	made := s.call("POST", keySetPath, key, map[string]any{"name": "Issuer", "url": i.http.URL + "/jwks.json"})
	body := made.want(t, 201)
	_, fingerprint := publicPEM(one.key)
	want := fmt.Sprint([]any{map[string]any{"kid": "one", "alg": "ES256", "fingerprint": fingerprint}})
	if fmt.Sprint(body["keys"]) != want || body["fetched_at"] == nil || body["failed_at"] != nil || body["name"] != "Issuer" {
		t.Errorf("created %s", made.text)
	}
	path := keySetPath + "/" + body["id"].(string)
	if read := s.call("GET", path, key, nil); string(read.text) != string(made.text) {
		t.Errorf("created %s, read %s", made.text, read.text)
	}
	e := s.edge()
	token := s.tokenOf(jwt.SigningMethodES256, "one", one.key)
	d := e.connect("acme/chat", token)
	if d == nil {
		t.Fatal("it does not connect")
	}
	if err := e.usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if body := s.call("GET", path, key, nil).want(t, 200); body["last_used_at"] == nil {
		t.Error("its use is not seen")
	}

	// A failure is told and takes nothing away.
	i.answers(503)
	s.clock.Advance(10 * time.Second)
	failed := s.call("POST", path+"/refresh", key, nil).want(t, 200)
	if fmt.Sprint(failed["keys"]) != want || failed["failure"] != "it answers with status 503" || failed["failed_at"] == nil || failed["fetched_at"] != body["fetched_at"] {
		t.Errorf("after a failure %v", failed)
	}
	if e.hear(); d.Revoked() || e.connect("acme/chat", token) == nil {
		t.Error("a failure has taken the key away")
	}

	// Within ten seconds it is not asked again; then what is gone is gone.
	i.answers(0)
	i.publish(two)
	asked := i.asked.Load()
	s.call("POST", path+"/refresh", key, nil).want(t, 200)
	if i.asked.Load() != asked {
		t.Error("asked again at once")
	}
	s.clock.Advance(10 * time.Second)
	if now := s.call("POST", path+"/refresh", key, nil).want(t, 200); now["failure"] != nil || !strings.Contains(fmt.Sprint(now["keys"]), "two") {
		t.Errorf("well again %v", now)
	}
	if e.hear(); !d.Revoked() || e.connect("acme/chat", token) != nil || e.connect("acme/chat", s.tokenOf(jwt.SigningMethodES256, "two", two.key)) == nil {
		t.Error("not the new key alone is good")
	}
	d = e.connect("acme/chat", s.tokenOf(jwt.SigningMethodES256, "two", two.key))
	if got := s.call("DELETE", path, key, nil); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d %s", got.StatusCode, got.text)
	}
	if e.hear(); !d.Revoked() {
		t.Error("deleted, it is good")
	}
	s.call("GET", path, key, nil).problem(t, 404, "not_found")
	s.call("POST", path+"/refresh", key, nil).problem(t, 404, "not_found")
}

// A set may be registered before its address answers.
func TestKeySetThatIsNotThereYet(t *testing.T) {
	s, i := withIssuer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	body := s.call("POST", keySetPath, key, map[string]any{"url": i.http.URL}).want(t, 201)
	if len(body["keys"].([]any)) != 0 || body["failure"] == nil || body["fetched_at"] != nil {
		t.Errorf("created %v", body)
	}
	var ids []string
	for range tenant.MaxKeySets - 1 {
		ids = append(ids, s.call("POST", keySetPath, key, map[string]any{"url": i.http.URL}).want(t, 201)["id"].(string))
	}
	s.call("POST", keySetPath, key, map[string]any{"url": i.http.URL}).problem(t, 429, "quota_exceeded")
	if got := pages(t, s, keySetPath, key, "id"); !slices.Equal(got[1:], ids) {
		t.Errorf("listed %q, want %q", got, ids)
	}
}

// node is an edge of a cluster, with its own keeper of key sets.
type node struct {
	dir     *auth.Directory
	devices *auth.Devices
}

// cluster starts nodes that tell each other what has changed.
func (s *server) cluster(n int, client egress.Config) []*node {
	nodes := make([]*node, n)
	for i := range nodes {
		dir := auth.NewDirectory(s.store, s.clock.Now)
		nodes[i] = &node{dir: dir, devices: auth.NewDevices(dir, s.clock.Now)}
		nodes[i].devices.UseRefresher(keyset.New(keyset.Config{
			Store: s.store, Client: egress.New(client), Now: s.clock.Now, Logger: slog.New(slog.DiscardHandler),
			Changed: func(_ context.Context, org, app string) {
				for _, one := range nodes {
					one.dir.Invalidate(org, app)
				}
			},
		}))
	}
	return nodes
}

// TestKeySetRotation: an issuer puts new keys in place of old ones and signs with
// them at once, while 50 devices a second connect to two nodes. None fails.
func TestKeySetRotation(t *testing.T) {
	s, i := withIssuer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	current := issuerKey{"key-0", newECKey()}
	i.publish(current)
	s.call("POST", keySetPath, key, map[string]any{"url": i.http.URL}).want(t, 201)
	nodes := s.cluster(2, i.client())

	var wait sync.WaitGroup
	var connected, failed atomic.Int64
	devices := make(map[string]*auth.Device) // the last one of each kid
	var mu sync.Mutex
	connect := func(n *node, k issuerKey) {
		text := s.tokenOf(jwt.SigningMethodES256, k.kid, k.key)
		d, err := n.devices.Authenticate(t.Context(), auth.Credentials{ClientID: "phone", Username: "acme/chat", Password: []byte(text)})
		if err != nil {
			failed.Add(1)
			t.Errorf("with %s: %v", k.kid, err)
			return
		}
		connected.Add(1)
		mu.Lock()
		defer mu.Unlock()
		devices[k.kid] = d
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	const rotations, each = 5, 40
	for r := range rotations {
		if r > 0 {
			next := issuerKey{fmt.Sprint("key-", r), newECKey()}
			s.clock.Advance(10 * time.Second)
			i.publish(next, current) // the last one stays, for the tokens that are about
			current = next
		}
		for c := range each {
			<-tick.C
			k := current
			wait.Go(func() { connect(nodes[c%2], k) })
		}
	}
	wait.Wait()
	if connected.Load() != rotations*each || failed.Load() != 0 {
		t.Errorf("%d connected, %d failed", connected.Load(), failed.Load())
	}
	for kid, d := range devices {
		if kid != "key-3" && kid != "key-4" {
			testenv.Eventually(t, 10*time.Second, "devices of a key that is gone are revoked", d.Revoked)
		} else if d.Revoked() {
			t.Errorf("the devices of %s are revoked", kid)
		}
	}
	if n := i.asked.Load(); n > 1+2*rotations {
		t.Errorf("asked %d times", n)
	}

	// With the address away all goes on.
	i.answers(500)
	s.clock.Advance(time.Minute)
	for _, n := range nodes {
		wait.Go(func() { connect(n, current) })
	}
	wait.Wait()
	if failed.Load() != 0 {
		t.Error("it does not work without the address")
	}
}

// TestKeysAreAudited: every change is, and no secret.
func TestKeysAreAudited(t *testing.T) {
	s, i := withIssuer(t)
	member := s.member("acme", "owner")
	s.app(member, "chat")
	i.publish(issuerKey{"one", newECKey()})
	own := strings.Repeat("our own secret ", 3)
	path := signingPath + "/" + s.call("POST", signingPath, member, map[string]any{"secret": own}).want(t, 201)["kid"].(string)
	s.call("PATCH", path, member, `{"name":"Other"}`).want(t, 200)
	rotated := s.call("POST", path+"/rotate", member, `{}`).want(t, 201)["signing_key"].(map[string]any)
	s.call("DELETE", path, member, nil)
	set := keySetPath + "/" + s.call("POST", keySetPath, member, map[string]any{"url": i.http.URL}).want(t, 201)["id"].(string)
	s.call("DELETE", set, member, nil)
	log := s.call("GET", "/v1/audit", member, nil)
	var actions []string
	for _, item := range log.want(t, 200)["items"].([]any) {
		if action := item.(map[string]any)["action"].(string); strings.Contains(action, "key_set") || strings.Contains(action, "signing_key") {
			actions = append(actions, action)
		}
	}
	slices.Reverse(actions)
	want := []string{"signing_key.create", "signing_key.update", "signing_key.rotate", "signing_key.delete", "key_set.create", "key_set.delete"}
	if !slices.Equal(actions, want) {
		t.Errorf("it says %q, want %q", actions, want)
	}
	for _, secret := range []string{own, rotated["secret"].(string)} {
		if strings.Contains(string(log.text), secret) || strings.Contains(s.log.String(), secret) {
			t.Error("it has a secret")
		}
	}
}
