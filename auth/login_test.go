package auth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// loginPassword is the password of all logins that setLogin makes.
const loginPassword = "a device's password"

// loginHash is its hash, made once because that takes time.
var loginHash = sync.OnceValues(func() (string, error) { return auth.HashPassword(loginPassword) })

// setLogin adds or replaces a login, changed as given.
func (s *source) setLogin(t testing.TB, username string, change ...func(*tenant.Login)) {
	t.Helper()
	hash, err := loginHash()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(username, "/")
	l := tenant.Login{
		Organization: parts[0], App: parts[1], Username: parts[2], PasswordHash: hash,
		User: "user-of-" + parts[2], Tags: []string{"beta"}, Role: "driver", Enabled: true,
	}
	for _, f := range change {
		f(&l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins[username] = l
}

func (s *source) removeLogin(username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.logins, username)
}

func TestLogin(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/Robot.7@home")
	src.setLogin(t, "acme/chat/bound", func(l *tenant.Login) { l.Device = "phone-1" })
	d, err := connect(t, v, "acme/chat/Robot.7@home", loginPassword)
	if err != nil {
		t.Fatal(err)
	}
	got := d.Identity
	if got.Org != "acme" || got.App != "chat" || got.User != "user-of-Robot.7@home" || got.Device != "" || got.ClientID != "phone-1" ||
		!slices.Equal(got.Tags, []string{"beta"}) || got.Role != "driver" || !got.Expires.IsZero() {
		t.Errorf("got %+v", got)
	}
	if !d.MaySubscribe("acme/chat/users/user-of-Robot.7@home/#") || !d.MaySubscribe("acme/chat/tags/beta") ||
		d.MaySubscribe("acme/chat/devices/phone-1/#") || d.Revoked() {
		t.Error("the wrong grants")
	}
	d, err = connect(t, v, "acme/chat/bound", loginPassword)
	if err != nil || d.Device != "phone-1" || !d.MaySubscribe("acme/chat/devices/phone-1/#") {
		t.Errorf("got %+v, %v", d, err)
	}
	_, err = v.Authenticate(t.Context(), auth.Credentials{ClientID: "phone-2", Username: "acme/chat/bound", Password: []byte(loginPassword)})
	wantFault(t, err, fault.Unauthenticated)
}

func TestLoginAttacks(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	src.setLogin(t, "acme/shop/other", func(l *tenant.Login) {
		hash, err := auth.HashPassword("another password")
		if err != nil {
			t.Fatal(err)
		}
		l.PasswordHash = hash
	})
	src.setLogin(t, "acme/chat/off", func(l *tenant.Login) { l.Enabled = false })
	for range 2 { // also when the right password is remembered
		for name, a := range map[string][2]string{
			"wrong password":         {"acme/chat/robot", "a device's password!"},
			"other case":             {"acme/chat/robot", strings.ToUpper(loginPassword)},
			"shorter":                {"acme/chat/robot", loginPassword[:8]},
			"too long":               {"acme/chat/robot", strings.Repeat("x", 1025)},
			"no password":            {"acme/chat/robot", ""},
			"the hash":               {"acme/chat/robot", src.logins["acme/chat/robot"].PasswordHash},
			"unknown login":          {"acme/chat/nobody", loginPassword},
			"name in other case":     {"acme/chat/Robot", loginPassword},
			"disabled":               {"acme/chat/off", loginPassword},
			"another app":            {"acme/shop/robot", loginPassword},
			"another organization":   {"globex/chat/robot", loginPassword},
			"unknown app":            {"acme/nope/robot", loginPassword},
			"unknown organization":   {"nope/chat/robot", loginPassword},
			"another app's password": {"acme/shop/other", loginPassword},
			"wildcard":               {"acme/chat/#", loginPassword},
			"empty login":            {"acme/chat/", loginPassword},
			"empty parts":            {"//", loginPassword},
			"NUL":                    {"acme/chat/robot\x00", loginPassword},
			"a part too many":        {"acme/chat/robot/x", loginPassword},
			"a part too few":         {"acme/chat", loginPassword},
			"another separator":      {"acme/chat:robot", loginPassword},
			"a token":                {"acme/chat/robot", token{}.text(t)},
		} {
			d, err := connect(t, v, a[0], a[1])
			wantFault(t, err, fault.Unauthenticated)
			if d != nil || err == nil {
				t.Fatalf("%s: let in as %+v", name, d)
			}
			if a[1] != "" && strings.Contains(err.Error(), a[1]) {
				t.Errorf("%s: %q shows the password", name, err)
			}
		}
		if _, err := connect(t, v, "acme/chat/robot", loginPassword); err != nil {
			t.Fatal(err)
		}
	}
}

// A login opens its own app and nothing else: whatever parts of existing names
// are put together, who gets in is who the user name says.
func TestLoginOpensOneAppOnly(t *testing.T) {
	v, src := newDevices(t)
	orgs, apps, names := []string{"acme", "globex"}, []string{"chat", "shop"}, []string{"a", "b"}
	rng := rand.New(rand.NewPCG(3, 4))
	passwords := map[string]string{}
	for _, prefix := range []string{"acme/chat", "acme/shop", "globex/chat"} {
		for _, name := range names[:1+rng.IntN(2)] {
			username := prefix + "/" + name
			passwords[username] = "password of " + username
			hash, err := auth.HashPassword(passwords[username])
			if err != nil {
				t.Fatal(err)
			}
			src.setLogin(t, username, func(l *tenant.Login) { l.PasswordHash, l.User = hash, strings.ReplaceAll(username, "/", ".") })
		}
	}
	for _, org := range orgs {
		for _, app := range apps {
			for _, name := range names {
				username := org + "/" + app + "/" + name
				for owner, password := range passwords {
					d, err := connect(t, v, username, password)
					if (err == nil) != (owner == username) {
						t.Errorf("%s with the password of %s: %v", username, owner, err)
					}
					if err == nil && (d.Org != org || d.Identity.App != app || d.User != strings.ReplaceAll(username, "/", ".")) {
						t.Errorf("%s is let in as %+v", username, d.Identity)
					}
				}
			}
		}
	}
}

// A right password is hashed once; a storm of reconnects costs no more.
func TestVerifiedPasswordIsRemembered(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	begin := time.Now()
	if _, err := connect(t, v, "acme/chat/robot", loginPassword); err != nil {
		t.Fatal(err)
	}
	hashed := time.Since(begin)
	begin = time.Now()
	const storm = 1000 // hashed, they would take half a minute
	for range storm {
		if _, err := connect(t, v, "acme/chat/robot", loginPassword); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > storm/10*hashed {
		t.Errorf("%d reconnects took %v, and one hash takes %v", storm, took, hashed)
	}
}

// Many devices with one login that come at once are hashed once.
func TestOnePasswordAtOnce(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range 2000 {
		wg.Go(func() {
			_, err := v.Authenticate(t.Context(), auth.Credentials{
				ClientID: fmt.Sprint(i), Username: "acme/chat/robot", Password: []byte(loginPassword),
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > 9*time.Second {
		t.Errorf("took %v", took)
	}
}

// What was remembered ends with the change of the login.
func TestLoginChangesAreNoticed(t *testing.T) {
	other, err := auth.HashPassword("another password")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(src *source){
		"deleted":  func(src *source) { src.removeLogin("acme/chat/robot") },
		"disabled": func(src *source) { src.setLogin(t, "acme/chat/robot", func(l *tenant.Login) { l.Enabled = false }) },
		"password": func(src *source) {
			src.setLogin(t, "acme/chat/robot", func(l *tenant.Login) { l.PasswordHash = other })
		},
		"app deleted": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, dir *auth.Directory, src *source) {
				v := auth.NewDevices(dir, time.Now)
				src.setLogin(t, "acme/chat/robot")
				src.setLogin(t, "acme/chat/bystander")
				d, err := connect(t, v, "acme/chat/robot", loginPassword)
				if err != nil {
					t.Fatal(err)
				}
				bystander, err := connect(t, v, "acme/chat/bystander", loginPassword)
				if err != nil {
					t.Fatal(err)
				}
				src.count()
				if change == nil {
					src.remove("acme/chat")
					dir.Invalidate("acme", "chat")
					synctest.Wait()
				} else {
					change(src)
					dir.Invalidate("acme", "chat/robot")
					synctest.Wait()
					wantReads(t, src, 1) // that login alone
					if !d.Revoked() || bystander.Revoked() {
						t.Errorf("revoked: %t, the bystander: %t", d.Revoked(), bystander.Revoked())
					}
				}
				_, err = connect(t, v, "acme/chat/robot", loginPassword)
				wantFault(t, err, fault.Unauthenticated)
			})
		})
	}
}

// While the source is away a known login works, and an unknown one is told to
// come back.
func TestLoginsWhileTheSourceIsAway(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	src.setLogin(t, "acme/chat/other")
	if _, err := connect(t, v, "acme/chat/robot", loginPassword); err != nil {
		t.Fatal(err)
	}
	src.fail(errAway)
	if _, err := connect(t, v, "acme/chat/robot", loginPassword); err != nil {
		t.Errorf("a known login is refused: %v", err)
	}
	_, err := connect(t, v, "acme/chat/other", loginPassword)
	wantFault(t, err, fault.Unavailable)
}

// An unknown login costs a hash, as a wrong password does.
func TestUnknownLoginTakesItsTime(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	try := func(best time.Duration, username string) time.Duration {
		begin := time.Now()
		_, err := connect(t, v, username, "wrong password")
		wantFault(t, err, fault.Unauthenticated)
		return min(best, time.Since(begin))
	}
	// The fastest of as many as it takes: what the machine does besides only
	// slows down, and it may do that to one of them for long.
	for _, username := range []string{"acme/chat/nobody", "acme/nope/robot", "nope/chat/robot", "acme/chat/#"} {
		wrong, unknown := time.Hour, time.Hour
		for round := 0; round < 3 || (unknown < wrong/2 && round < 30); round++ {
			wrong, unknown = try(wrong, "acme/chat/robot"), try(unknown, username)
		}
		if unknown < wrong/2 {
			t.Errorf("%s took %v, a wrong password %v", username, unknown, wrong)
		}
	}
}

// A password whose turn does not come in time is told so, and waits for nobody
// who has given up.
func TestPasswordWaitEndsWithItsContext(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	if _, err := connect(t, v, "acme/chat/robot", loginPassword); err != nil { // so that nobody waits for the source
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[fault.Code]int{}
	first := sync.OnceFunc(cancel)
	for i := range 200 {
		wg.Go(func() {
			_, err := v.Authenticate(ctx, auth.Credentials{
				ClientID: "x", Username: "acme/chat/robot", Password: fmt.Appendf(nil, "wrong password %d", i),
			})
			first()
			mu.Lock()
			defer mu.Unlock()
			codes[fault.CodeOf(err)]++
		})
	}
	<-ctx.Done() // one has been hashed, which takes longer than the others to line up
	begin := time.Now()
	wg.Wait()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("gave up after %v", took)
	}
	if codes[fault.Unauthenticated]+codes[fault.Overloaded]+codes[fault.Unavailable] != 200 || codes[fault.Overloaded] < 50 {
		t.Errorf("got %v", codes)
	}
}

func BenchmarkVerifiedLogin(b *testing.B) {
	v, src := newDevices(b)
	src.setLogin(b, "acme/chat/robot")
	if _, err := connect(b, v, "acme/chat/robot", loginPassword); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := connect(b, v, "acme/chat/robot", loginPassword); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrongPassword(b *testing.B) {
	v, src := newDevices(b)
	src.setLogin(b, "acme/chat/robot")
	for b.Loop() {
		_, err := connect(b, v, "acme/chat/robot", "wrong password")
		wantFault2(b, err)
	}
}

func wantFault2(b *testing.B, err error) {
	b.Helper()
	if fault.CodeOf(err) != fault.Unauthenticated {
		b.Fatal(err)
	}
}
