package auth_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// uses is what was noted.
type uses struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func (u *uses) NoteUses(_ context.Context, noted []tenant.Use) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, use := range noted {
		u.seen[string(use.Kind)+" "+use.ID] = use.At
	}
	return nil
}

func TestUseOfKeysIsNoted(t *testing.T) {
	keys := issuers()
	v := auth.NewDevices(auth.NewDirectory(newSource(signingEntry(t)), atNoon), atNoon)
	kept := &uses{seen: map[string]time.Time{}}
	usage := auth.NewUsage(kept, nil)
	v.NoteUses(usage)
	for _, text := range []string{
		token{}.text(t), signedBy(t, jwt.SigningMethodES256, "sk_es", keys.es), signedBy(t, jwt.SigningMethodEdDSA, "ed", keys.ed),
		signedBy(t, jwt.SigningMethodRS256, "sk_rs", keys.rs2), // which is wrong
		token{header: map[string]any{"kid": "sk_ed"}}.text(t),
	} {
		connect(t, v, "acme/chat", text)
	}
	if err := usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(len(kept.seen), kept.seen["signing_key sk_acme_chat"], kept.seen["signing_key sk_es"], kept.seen["key_set ks_1"]); got != fmt.Sprint(3, noon, noon, noon) {
		t.Errorf("noted %v", kept.seen)
	}
}

// refresher is an auth.Refresher that the test plays.
type refresher struct {
	asked atomic.Int64
	do    func(ctx context.Context, sets []tenant.KeySet) error
}

func (r *refresher) Refresh(ctx context.Context, sets []tenant.KeySet) error {
	r.asked.Add(1)
	return r.do(ctx, sets)
}

// An unknown kid has the sets asked; a known one does not.
func TestUnknownKIDAsksTheSets(t *testing.T) {
	keys := issuers()
	src := newSource(signingEntry(t))
	dir := auth.NewDirectory(src, atNoon)
	v := auth.NewDevices(dir, atNoon)
	r := &refresher{do: func(context.Context, []tenant.KeySet) error { return nil }}
	v.UseRefresher(r)
	if _, err := connect(t, v, "acme/chat", signedBy(t, jwt.SigningMethodES256, "es", keys.es)); err != nil || r.asked.Load() != 0 {
		t.Errorf("a known kid: %v, asked %d times", err, r.asked.Load())
	}
	fresh := signedBy(t, jwt.SigningMethodES256, "es2", keys.es2)
	_, err := connect(t, v, "acme/chat", fresh)
	wantFault(t, err, fault.Unauthenticated)
	for _, text := range []string{ // these cannot be in any set
		signedBy(t, jwt.SigningMethodHS256, "es2", []byte("x")), signedBy(t, jwt.SigningMethodNone, "es2", jwt.UnsafeAllowNoneSignatureType),
		signedBy(t, jwt.SigningMethodPS512, "es2", keys.rs), signedBy(t, jwt.SigningMethodES256, "sk_rs", keys.es),
	} {
		_, err := connect(t, v, "acme/chat", text)
		wantFault(t, err, fault.Unauthenticated)
	}
	if r.asked.Load() != 1 {
		t.Errorf("asked %d times", r.asked.Load())
	}
	r.do = func(context.Context, []tenant.KeySet) error { return fault.New(fault.Unavailable, "away") }
	_, err = connect(t, v, "acme/chat", fresh)
	wantFault(t, err, fault.Unavailable)

	// The key comes, and an old one goes.
	d, err := connect(t, v, "acme/chat", signedBy(t, jwt.SigningMethodEdDSA, "ed", keys.ed))
	if err != nil {
		t.Fatal(err)
	}
	r.do = func(_ context.Context, sets []tenant.KeySet) error {
		e := signingEntry(t)
		e.KeySets = []tenant.KeySet{keySetOf(sets[0].ID, jwk("es2", keys.es2), jwk("es", keys.es))}
		src.set(e)
		dir.Invalidate("acme", "chat")
		return nil
	}
	changes := dir.Changes()
	if _, err := connect(t, v, "acme/chat", fresh); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	if !d.Revoked() || dir.Changes() == changes {
		t.Error("the device of a key that is gone stays")
	}
	_, err = connect(t, v, "acme/chat", signedBy(t, jwt.SigningMethodEdDSA, "ed", keys.ed))
	wantFault(t, err, fault.Unauthenticated)
	// Another key under an old kid is another key.
	d, err = connect(t, v, "acme/chat", fresh)
	if err != nil {
		t.Fatal(err)
	}
	e := signingEntry(t)
	e.KeySets = []tenant.KeySet{keySetOf("ks_1", jwk("es2", keys.es))}
	src.set(e)
	dir.Invalidate("acme", "chat")
	lookUp(t, dir, "acme", "chat")
	if _, err = connect(t, v, "acme/chat", fresh); err == nil || !d.Revoked() {
		t.Errorf("by another key under its kid: %v, revoked %v", err, d.Revoked())
	}
}

// The first token of a new key is faster than the announcement, and those of a
// key that is gone cost next to nothing.
func TestNewKeyBeforeItsAnnouncement(t *testing.T) {
	keys := issuers()
	src := newSource(entry("acme", "chat"), entry("globex", "chat"))
	v := auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon)
	if _, err := connect(t, v, "acme/chat", token{}.text(t)); err != nil {
		t.Fatal(err)
	}
	fresh := signedBy(t, jwt.SigningMethodES256, "sk_es", keys.es)
	src.set(signingEntry(t))
	if _, err := connect(t, v, "acme/chat", fresh); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	_, err := connect(t, v, "globex/chat", fresh)
	wantFault(t, err, fault.Unauthenticated)

	src.set(entry("acme", "chat"))
	if _, err := connect(t, v, "acme/chat", signedBy(t, jwt.SigningMethodRS256, "sk_rs", keys.rs)); err != nil {
		t.Errorf("not announced, a key that is gone is good: %v", err)
	}
	src.count()
	for range 100 {
		_, err := connect(t, v, "acme/chat", signedBy(t, jwt.SigningMethodES256, "sk_gone", keys.es))
		wantFault(t, err, fault.Unauthenticated)
	}
	if n := src.count(); n != 1 {
		t.Errorf("a kid that is nobody's cost %d reads", n)
	}

	// One that was there, and is remembered as this app's.
	src.set(signingEntry(t))
	d := auth.NewDirectory(src, atNoon)
	v = auth.NewDevices(d, atNoon)
	if _, err := connect(t, v, "", fresh); err != nil {
		t.Fatal(err)
	}
	src.set(entry("acme", "chat"))
	d.Invalidate("acme", "chat")
	lookUp(t, d, "acme", "chat")
	src.count()
	for range 100 {
		_, err := connect(t, v, "acme/chat", fresh)
		wantFault(t, err, fault.Unauthenticated)
	}
	if n := src.count(); n > 4 {
		t.Errorf("a key that was deleted cost %d reads", n)
	}
}

// A connect does not wait long for a slow address.
func TestSlowSetsHardlyDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := signingEntry(t)
		v := auth.NewDevices(auth.NewDirectory(newSource(e), time.Now), time.Now)
		v.UseRefresher(&refresher{do: func(ctx context.Context, _ []tenant.KeySet) error {
			<-ctx.Done()
			return fault.Wrap(fault.Unavailable, "too slow", ctx.Err())
		}})
		begun := time.Now()
		_, err := connect(t, v, "acme/chat", signedBy(t, jwt.SigningMethodES256, "new", issuers().es2))
		wantFault(t, err, fault.Unavailable)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// BenchmarkPublicKeys is the authentication of tokens that were not seen before.
func BenchmarkPublicKeys(b *testing.B) {
	keys := issuers()
	src := newSource(signingEntry(b))
	for _, test := range []struct {
		kid    string
		method jwt.SigningMethod
		key    any
	}{
		{"sk_rs", jwt.SigningMethodRS256, keys.rs}, {"sk_es", jwt.SigningMethodES256, keys.es}, {"sk_ed", jwt.SigningMethodEdDSA, keys.ed},
	} {
		b.Run(test.method.Alg(), func(b *testing.B) {
			text := signedBy(b, test.method, test.kid, test.key)
			dir := auth.NewDirectory(src, atNoon)
			for b.Loop() {
				// A new one has seen no token.
				if _, err := connect(b, auth.NewDevices(dir, atNoon), "acme/chat", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
