package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/egress"
	"github.com/fanfare-mq/fanfare/keyset"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// recorder is a publisher and an announcer that remembers.
type recorder struct {
	mu        sync.Mutex
	messages  []*broker.Message
	announced []string
	err       error // what publishing answers
	panics    bool
}

func (r *recorder) PublishWait(_ context.Context, m *broker.Message) (broker.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.panics {
		panic("the publisher broke")
	}
	if r.err != nil {
		return broker.Position{}, r.err
	}
	r.messages = append(r.messages, m)
	return broker.Position{Shard: m.Position.Shard, Seq: uint64(len(r.messages))}, nil
}

func (r *recorder) Announce(subject string, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.announced = append(r.announced, subject+" "+string(data))
	return nil
}

func (r *recorder) last(t *testing.T) *broker.Message {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.messages) == 0 {
		t.Fatal("nothing was published")
	}
	return r.messages[len(r.messages)-1]
}

// server is an API over a real store, with what it needs to be looked at.
type server struct {
	t     testing.TB
	clock *clock
	store *store.Store
	bus   *recorder
	usage *auth.Usage
	log   *lockedBuffer
	http  http.Handler

	operatorKey *auth.OperatorKey
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newServer(t testing.TB, change ...func(*api.Config, *api.Deps)) *server {
	t.Helper()
	sealer, err := tenant.NewSealer(bytes.Repeat([]byte{7}, tenant.MasterKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fanfare.db"), Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &server{t: t, clock: &clock{now: time.Now()}, store: kept, bus: &recorder{}, log: &lockedBuffer{}}
	if s.operatorKey, err = auth.NewOperatorKey(bytes.Repeat([]byte{7}, tenant.MasterKeyBytes)); err != nil {
		t.Fatal(err)
	}
	directory := auth.NewDirectory(kept, s.clock.Now)
	s.usage = auth.NewUsage(kept, slog.New(slog.DiscardHandler))
	cfg := api.Config{
		PublicHTTP: "http://push.example.com", PublicMQTT: "mqtt://push.example.com:1883",
		PublicWS: "ws://push.example.com:8083/mqtt", OperatorOrganization: "ops", Shards: func() int { return 16 },
	}
	deps := api.Deps{
		Store: kept, Apps: directory, Callers: auth.NewCallers(directory, kept, s.usage, s.clock.Now).WithOperator(s.operatorKey, "ops"),
		Tokens:    auth.NewDevices(directory, s.clock.Now),
		Publisher: s.bus, Announcer: s.bus, Sessions: &keptSessions{}, Now: s.clock.Now,
		KeySets: s.keySets(directory, egress.Config{}),
		Logger:  slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Checks:  map[string]api.Check{"store": kept.Ping, "http": func(context.Context) error { return nil }},
	}
	for _, f := range change {
		f(&cfg, &deps)
	}
	built, err := api.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	s.http = built.Handler()
	return s
}

// answer is a response that has been checked against openapi.yaml.
type answer struct {
	*http.Response
	text []byte
}

// keySets asks the addresses of key sets as a client does.
func (s *server) keySets(directory *auth.Directory, client egress.Config) *keyset.Keeper {
	return keyset.New(keyset.Config{
		Store: s.store, Client: egress.New(client), Now: s.clock.Now, Logger: slog.New(slog.DiscardHandler),
		Changed: func(_ context.Context, org, app string) {
			directory.Invalidate(org, app)
			_ = s.bus.Announce(api.AppChanged, []byte(org+"/"+app))
		},
	})
}

// call sends a request and checks the response against openapi.yaml. A string
// body is sent as it is, anything else as JSON. Headers are pairs.
func (s *server) call(method, path, token string, body any, headers ...string) answer {
	s.t.Helper()
	var reader io.Reader = http.NoBody
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r := httptest.NewRequestWithContext(context.Background(), method, path, reader)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
		if pair[0] == "Remote" {
			r.RemoteAddr = pair[1]
		}
	}
	w := httptest.NewRecorder()
	s.http.ServeHTTP(w, r)
	got := answer{Response: w.Result(), text: w.Body.Bytes()}
	checkResponse(s.t, r, got)
	return got
}

// want checks the status and returns the body as JSON.
func (a answer) want(t testing.TB, status int) map[string]any {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.text)
	}
	var body map[string]any
	if err := json.Unmarshal(a.text, &body); err != nil {
		t.Fatalf("body %s: %v", a.text, err)
	}
	return body
}

// problem checks a problem's status and code and returns the pointers and
// parameters of its field faults.
func (a answer) problem(t testing.TB, status int, code string) []string {
	t.Helper()
	body := a.want(t, status)
	if body["code"] != code || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("code %v as %s, want %s: %s", body["code"], a.Header.Get("Content-Type"), code, a.text)
	}
	var fields []string
	list, _ := body["errors"].([]any)
	for _, e := range list {
		field, _ := e.(map[string]any)
		for _, key := range []string{"pointer", "parameter"} {
			if name, ok := field[key].(string); ok {
				fields = append(fields, name)
			}
		}
	}
	slices.Sort(fields)
	return fields
}

// member puts an organization with a member into the store, without the cost
// of a password, and returns the member's token.
func (s *server) member(org string, role tenant.Role) string {
	s.t.Helper()
	now := s.clock.Now()
	m := tenant.Member{ID: tenant.NewID("mem"), Organization: org, Email: "ana@" + org + ".example", Role: role, CreatedAt: now}
	token := auth.NewSessionToken()
	err := errors.Join(
		s.store.CreateOrganization(s.t.Context(), tenant.Organization{Slug: org, Shard: 5, CreatedAt: now}, m, "none"),
		s.store.CreateSession(s.t.Context(), tenant.Session{ID: tenant.NewID("ses"), Hash: auth.HashSecret(token), MemberID: m.ID, CreatedAt: now, ConfirmedAt: now, ExpiresAt: now.Add(time.Hour)}),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// signIn returns a new token of an organization's member, who has just given
// the password.
func (s *server) signIn(org string) string {
	s.t.Helper()
	token, now := auth.NewSessionToken(), s.clock.Now()
	members, err := s.store.Members(s.t.Context(), org, "", 1)
	if err == nil {
		err = s.store.CreateSession(s.t.Context(), tenant.Session{
			ID: tenant.NewID("ses"), Hash: auth.HashSecret(token), MemberID: members[0].ID, CreatedAt: now, ConfirmedAt: now, ExpiresAt: now.Add(time.Hour),
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// operator returns a token of whoever has the master key.
func (s *server) operator() string { return s.operatorKey.Token(s.clock.Now()) }

// app creates an app over HTTP and returns its API key.
func (s *server) app(member, id string) string {
	s.t.Helper()
	created := s.call("POST", "/v1/apps", member, map[string]any{"id": id, "name": id}).want(s.t, http.StatusCreated)
	key, _ := created["api_key"].(map[string]any)
	secret, _ := key["secret"].(string)
	return secret
}

// key puts an API key with the given scopes into the store, by way of an app
// of its own.
func (s *server) key(org, app string, scopes ...tenant.Scope) string {
	s.t.Helper()
	secret, now := auth.NewAPIKeySecret(), s.clock.Now()
	err := s.store.CreateApp(s.t.Context(),
		tenant.App{Organization: org, ID: app, Name: app, Retention: time.Hour, CreatedAt: now},
		tenant.APIKey{ID: tenant.NewID("key"), Hash: auth.HashSecret(secret), Scopes: scopes, CreatedAt: now},
		tenant.SigningKey{KID: tenant.NewID("sk"), Algorithm: tenant.HS256, Secret: auth.NewSigningSecret(), CreatedAt: now})
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}
