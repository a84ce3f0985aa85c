package keyset_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/egress"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/keyset"
	"github.com/fanfare-mq/fanfare/tenant"
)

// patience bounds what the tests wait for.
const patience = 20 * time.Second

// kept is a store of one set in memory.
type kept struct {
	mu      sync.Mutex
	set     tenant.KeySet
	saves   int
	failure error // what everything answers, if not nil
}

func (k *kept) ClaimKeySets(_ context.Context, now, until time.Time, limit int) ([]tenant.KeySet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil || k.set.DueAt.After(now) || limit < 1 {
		return nil, k.failure
	}
	set := k.set
	k.set.DueAt = until
	return []tenant.KeySet{set}, nil
}

func (k *kept) SaveKeySet(_ context.Context, _, _, _, document string, asked, due time.Time) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil {
		return false, k.failure
	}
	changed := k.set.Document != document
	k.set.Document, k.set.FetchedAt, k.set.DueAt, k.set.Failure, k.set.FailedAt = document, asked, due, "", time.Time{}
	k.saves++
	return changed, nil
}

func (k *kept) FailKeySet(_ context.Context, _, _, _, failure string, at, due time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil {
		return k.failure
	}
	k.set.Failure, k.set.FailedAt, k.set.DueAt = failure, at, due
	return nil
}

func (k *kept) get() tenant.KeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set
}

// issuer is an address with a set, and a keeper that asks it.
type issuer struct {
	*keyset.Keeper

	kept    *kept
	answer  atomic.Pointer[http.HandlerFunc]
	asked   atomic.Int64
	changed atomic.Int64
	now     atomic.Int64 // Unix seconds
}

// jwks is a document with an Ed25519 key for each kid.
func jwks(kids ...string) string {
	var keys []string
	for _, kid := range kids {
		seed := make([]byte, ed25519.SeedSize)
		copy(seed, kid)
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		keys = append(keys, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, kid, base64.RawURLEncoding.EncodeToString(public)))
	}
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

func (i *issuer) answers(status int, body string, headers ...string) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for n := 0; n+1 < len(headers); n += 2 {
			w.Header().Add(headers[n], headers[n+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
	i.answer.Store(&h)
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.now.Store(1_800_000_000)
	i.answers(200, jwks("one"))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		(*i.answer.Load())(w, r)
	}))
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	i.kept = &kept{set: tenant.KeySet{ID: "ks_1", Organization: "acme", App: "chat", URL: server.URL + "/jwks", DueAt: i.clock()}}
	i.Keeper = keyset.New(keyset.Config{
		Store: i.kept, Client: egress.New(egress.Config{Private: true, RootCAs: pool}), Now: i.clock,
		Logger: slog.New(slog.DiscardHandler), Changed: func(context.Context, string, string) { i.changed.Add(1) },
	})
	return i
}

func (i *issuer) clock() time.Time { return time.Unix(i.now.Load(), 0).UTC() }

// ask has the set asked, when it may be again.
func (i *issuer) ask(t *testing.T) error {
	t.Helper()
	i.now.Add(10)
	return i.Refresh(t.Context(), []tenant.KeySet{i.kept.get()})
}

func TestRefresh(t *testing.T) {
	i := newIssuer(t)
	if err := i.ask(t); err != nil {
		t.Fatal(err)
	}
	set := i.kept.get()
	keys, err := tenant.ParseKeySet([]byte(set.Document))
	if err != nil || len(keys) != 1 || keys[0].KID != "one" || i.changed.Load() != 1 || !set.FetchedAt.Equal(i.clock()) {
		t.Errorf("%+v, %v; %d changes", set, err, i.changed.Load())
	}
	// The same keys, in other words, are no change.
	i.answers(200, strings.Replace(jwks("one"), "{", `{ "more": 1,`, 1))
	if err := i.ask(t); err != nil || i.changed.Load() != 1 || i.asked.Load() != 2 {
		t.Errorf("%v, %d changes, asked %d times", err, i.changed.Load(), i.asked.Load())
	}
	i.answers(200, jwks("two", "one"))
	if err := i.ask(t); err != nil || i.changed.Load() != 2 {
		t.Errorf("%v, %d changes", err, i.changed.Load())
	}
}

// A set is asked once in ten seconds, however many want it.
func TestRefreshIsRare(t *testing.T) {
	i := newIssuer(t)
	begun, release := make(chan struct{}, 100), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-release
		fmt.Fprint(w, jwks("one"))
	})
	i.answer.Store(&h)
	var wait sync.WaitGroup
	set := i.kept.get()
	for range 50 {
		wait.Go(func() {
			if err := i.Refresh(context.Background(), []tenant.KeySet{set}); err != nil {
				t.Error(err)
			}
		})
	}
	<-begun
	i.now.Add(60) // one that takes long is not begun again either
	wait.Go(func() {
		if err := i.Refresh(context.Background(), []tenant.KeySet{set}); err != nil {
			t.Error(err)
		}
	})
	waiting, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Refresh(waiting, []tenant.KeySet{set}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a wait that was given up: %v", err)
	}
	close(release)
	wait.Wait()
	if n := i.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if err := i.ask(t); err != nil {
		t.Fatal(err)
	}
	for _, later := range []int64{0, 5, 4} {
		i.now.Add(later)
		if err := i.Refresh(t.Context(), []tenant.KeySet{set}); err != nil || i.asked.Load() != 2 {
			t.Errorf("%v, asked %d times", err, i.asked.Load())
		}
	}
	i.now.Add(1)
	if err := i.Refresh(t.Context(), []tenant.KeySet{set}); err != nil || i.asked.Load() != 3 {
		t.Errorf("%v, asked %d times", err, i.asked.Load())
	}
}

// What fails leaves the document, and says how in words that show nothing.
func TestFailures(t *testing.T) {
	i := newIssuer(t)
	if err := i.ask(t); err != nil {
		t.Fatal(err)
	}
	good := i.kept.get()
	for name, test := range map[string]struct {
		answer func()
		says   string
	}{
		"500":                     {func() { i.answers(500, jwks("evil")) }, "it answers with status 500"},
		"404":                     {func() { i.answers(404, "nothing") }, "it answers with status 404"},
		"no content":              {func() { i.answers(204, "") }, "it answers with status 204"},
		"not modified":            {func() { i.answers(304, "") }, "it answers with status 304"},
		"a page":                  {func() { i.answers(200, "<html>secret</html>") }, "its answer is no JWK Set: a JSON object with keys"},
		"no keys":                 {func() { i.answers(200, `{"keys":[]}`) }, "its answer has no key with a kid that could verify a token"},
		"symmetric keys":          {func() { i.answers(200, `{"keys":[{"kty":"oct","kid":"one","k":"AQ"}]}`) }, "its answer has no key with a kid that could verify a token"},
		"huge":                    {func() { i.answers(200, jwks("one")+strings.Repeat(" ", 256<<10)) }, "its answer is too long"},
		"a redirect inside":       {func() { i.answers(302, "", "Location", "https://169.254.169.254/") }, "it leads to an address that is not public"},
		"a redirect without TLS":  {func() { i.answers(302, "", "Location", "http://192.0.2.1/") }, "it leads to an address that is not public"},
		"a redirect to the shell": {func() { i.answers(302, "", "Location", "file:///etc/passwd") }, "its URL does not begin with https://"},
	} {
		test.answer()
		err := i.ask(t)
		set := i.kept.get()
		if fault.CodeOf(err) != fault.Unavailable || set.Failure != test.says || set.Document != good.Document || !set.FailedAt.Equal(i.clock()) {
			t.Errorf("%s: %v, kept %+v; want %q", name, err, set, test.says)
		}
		if wait := set.DueAt.Sub(i.clock()); wait < 30*time.Second || wait > time.Minute {
			t.Errorf("%s: asked again after %v", name, wait)
		}
		// Who asks a moment later hears the same.
		if again := i.Refresh(t.Context(), []tenant.KeySet{set}); fault.CodeOf(again) != fault.Unavailable {
			t.Errorf("%s: again %v", name, again)
		}
	}
	if i.changed.Load() != 1 {
		t.Errorf("%d changes", i.changed.Load())
	}
	i.answers(200, jwks("one"))
	if err := i.ask(t); err != nil || i.kept.get().Failure != "" {
		t.Errorf("well again: %v, %+v", err, i.kept.get())
	}
}

func TestNobodyThere(t *testing.T) {
	i := newIssuer(t)
	for url, says := range map[string]string{
		"https://127.0.0.1:1/":     "it does not answer",
		"https://nobody.invalid/":  "the name of its host cannot be looked up",
		"https://169.254.169.254/": "it leads to an address that is not public",
		strings.Replace(i.kept.get().URL, "127.0.0.1", "localhost", 1): "its host's certificate is not trusted",
	} {
		i.kept.set.URL = url
		if err := i.ask(t); err == nil || i.kept.get().Failure != says {
			t.Errorf("%s: %v, %q; want %q", url, err, i.kept.get().Failure, says)
		}
	}
}

// A slow address does not hold up its caller longer than the caller wants.
func TestSlow(t *testing.T) {
	i := newIssuer(t)
	release := make(chan struct{})
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
	i.answer.Store(&h)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := i.Refresh(ctx, []tenant.KeySet{i.kept.get()}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("it answers %v", err)
	}
	if err := i.Refresh(t.Context(), []tenant.KeySet{i.kept.get()}); err == nil || i.kept.get().Failure != "it does not answer within 5 seconds" {
		t.Errorf("%v, %q", err, i.kept.get().Failure)
	}
	close(release)
}

func TestHowLongADocumentIsGood(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string
		want    time.Duration
	}{
		"nothing":            {nil, 10 * time.Minute},
		"an hour":            {[]string{"Cache-Control", "public, max-age=3600, must-revalidate"}, time.Hour},
		"quoted":             {[]string{"Cache-Control", `Max-Age="3600"`}, time.Hour},
		"two headers":        {[]string{"Cache-Control", "public", "Cache-Control", "max-age=3600"}, time.Hour},
		"some of it is gone": {[]string{"Cache-Control", "max-age=3600", "Age", "1800"}, 30 * time.Minute},
		"all of it is gone":  {[]string{"Cache-Control", "max-age=3600", "Age", "7200"}, time.Minute},
		"no time":            {[]string{"Cache-Control", "max-age=0"}, time.Minute},
		"not to be kept":     {[]string{"Cache-Control", "no-store, max-age=3600"}, time.Minute},
		"a year":             {[]string{"Cache-Control", "max-age=31536000"}, 24 * time.Hour},
		"beyond numbers":     {[]string{"Cache-Control", "max-age=99999999999999999999999"}, 24 * time.Hour},
		"less than nothing":  {[]string{"Cache-Control", "max-age=-5"}, 10 * time.Minute},
		"no number":          {[]string{"Cache-Control", "max-age=soon"}, 10 * time.Minute},
	} {
		i := newIssuer(t)
		i.answers(200, jwks("one"), test.headers...)
		if err := i.ask(t); err != nil {
			t.Fatal(err)
		}
		if got := i.kept.get().DueAt.Sub(i.clock()); got < test.want*7/10 || got > test.want*8/10 {
			t.Errorf("%s: asked again after %v, want before %v", name, got, test.want)
		}
	}
}

// Run asks before a document grows old, and goes on when the store was away.
func TestRun(t *testing.T) {
	i := newIssuer(t)
	i.kept.failure = errors.New("away")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	i.kept.mu.Lock()
	i.kept.failure = nil
	i.kept.mu.Unlock()
	testenv.Eventually(t, patience, "it is asked", func() bool { return i.kept.get().Document != "" })
	if i.asked.Load() != 1 {
		t.Errorf("asked %d times", i.asked.Load())
	}
	i.answers(200, jwks("two"))
	i.now.Add(int64(8 * time.Minute / time.Second))
	testenv.Eventually(t, patience, "it is asked again", func() bool { return strings.Contains(i.kept.get().Document, `"two"`) })
}

// An organization's slow addresses do not keep others' from being asked.
func TestOrganizationsAreApart(t *testing.T) {
	i := newIssuer(t)
	release := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
		fmt.Fprint(w, jwks("one"))
	})
	i.answer.Store(&h)
	set := i.kept.get()
	fast := set.URL
	set.URL = strings.Replace(fast, "/jwks", "/slow", 1)
	var wait sync.WaitGroup
	refused := make(chan error, 20)
	for n := range 20 {
		slow := set
		slow.ID = fmt.Sprint("ks_slow", n)
		wait.Go(func() {
			if err := i.Refresh(context.Background(), []tenant.KeySet{slow}); err != nil {
				refused <- err
			}
		})
	}
	for range 12 {
		if err := <-refused; fault.CodeOf(err) != fault.Overloaded {
			t.Errorf("refused with %v", err)
		}
	}
	set.Organization, set.ID, set.URL = "globex", "ks_fast", fast
	if err := i.Refresh(t.Context(), []tenant.KeySet{set}); err != nil {
		t.Errorf("another organization's: %v", err)
	}
	close(release)
	wait.Wait()
}

// The set was deleted meanwhile.
func TestGone(t *testing.T) {
	i := newIssuer(t)
	i.kept.failure = fault.New(fault.NotFound, "no such key set")
	if err := i.ask(t); err != nil || i.changed.Load() != 0 {
		t.Errorf("%v, %d changes", err, i.changed.Load())
	}
	i.kept.failure = fault.New(fault.Unavailable, "away")
	if err := i.ask(t); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("with the store away: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, private := range []bool{true, false} {
		k := keyset.New(keyset.Config{Client: egress.New(egress.Config{Private: private})})
		for url, good := range map[string]bool{
			"https://issuer.example.com/": true, "https://8.8.8.8/": true,
			"https://127.0.0.1/": private, "http://127.0.0.1/": private, "https://10.0.0.1/": private, "https://[::1]/": private,
			"https://169.254.169.254/": false, "http://10.0.0.1/": false, "https://[fe80::1]/": false, "https://0.0.0.0/": false,
		} {
			if err := k.Check(url); (err == nil) != good {
				t.Errorf("%s, inner networks allowed %v: %v", url, private, err)
			}
		}
	}
}
