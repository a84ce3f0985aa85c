package auth_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// doorman lets in who has the password "right", at once.
type doorman struct{}

func (doorman) Authenticate(_ context.Context, c auth.Credentials) (*auth.Device, error) {
	switch string(c.Password) {
	case "right":
		return new(auth.Device), nil
	case "expired":
		return nil, fault.New(fault.TokenExpired, "expired")
	case "away":
		return nil, errAway
	}
	return nil, fault.New(fault.Unauthenticated, "wrong")
}

// guarded runs a test with a guard on a clock that moves when everything waits.
// try says with which code one attempt ended and how long it took.
func guarded(t *testing.T, test func(t *testing.T, try func(remote, username, clientID, password string) (fault.Code, time.Duration))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(doorman{}, time.Now)
		test(t, func(remote, username, clientID, password string) (fault.Code, time.Duration) {
			begin := time.Now()
			d, err := g.Authenticate(t.Context(), auth.Credentials{
				Remote: remote, Username: username, ClientID: clientID, Password: []byte(password),
			})
			if (d == nil) != (err != nil) {
				t.Errorf("got %v and %v", d, err)
			}
			return fault.CodeOf(err), time.Since(begin)
		})
	})
}

func TestGuardSlowsDownFailures(t *testing.T) {
	for name, key := range map[string]func(i int) (remote, username, clientID string){
		"one address": func(i int) (string, string, string) { return "192.0.2.1", "acme/chat", fmt.Sprint(i) },
		"one network of IPv6": func(i int) (string, string, string) {
			return fmt.Sprintf("2001:db8::%d", i), "acme/chat", fmt.Sprint(i)
		},
		"one address in IPv6": func(i int) (string, string, string) {
			return []string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2], "acme/chat", fmt.Sprint(i)
		},
		"one login": func(i int) (string, string, string) {
			return fmt.Sprintf("192.0.2.%d", i), "acme/chat/robot", fmt.Sprint(i)
		},
		"one client": func(i int) (string, string, string) { return fmt.Sprintf("192.0.2.%d", i), "acme/chat", "phone-1" },
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T, try func(remote, username, clientID, password string) (fault.Code, time.Duration)) {
				want := []int64{0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000}
				for i, ms := range want { // milliseconds
					remote, username, client := key(i)
					code, took := try(remote, username, client, "wrong")
					if code != fault.Unauthenticated || took.Milliseconds() != ms {
						t.Errorf("failure %d: %s after %v, want %dms", i+1, code, took, ms)
					}
				}
				// The right one is never slowed, and does not make guessing free.
				for i := range 3 {
					remote, username, client := key(i)
					if code, took := try(remote, username, client, "right"); code != "" || took != 0 {
						t.Errorf("the right password: %q after %v", code, took)
					}
				}
				remote, username, client := key(0)
				if _, took := try(remote, username, client, "wrong"); took != 2*time.Second {
					t.Errorf("after the right password a failure takes %v", took)
				}
				// Others are not slowed.
				if code, took := try("198.51.100.1", "acme/chat/other", "other", "wrong"); code != fault.Unauthenticated || took != 0 {
					t.Errorf("somebody else: %s after %v", code, took)
				}
				time.Sleep(10 * time.Minute)
				if _, took := try(remote, username, client, "wrong"); took != 0 {
					t.Errorf("after ten minutes a failure takes %v", took)
				}
			})
		})
	}
}

// A flood in parallel is refused at once and holds nothing; the right password
// passes through it.
func TestGuardRefusesFloods(t *testing.T) {
	guarded(t, func(t *testing.T, try func(remote, username, clientID, password string) (fault.Code, time.Duration)) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		codes := map[fault.Code]int{}
		for range 1000 {
			wg.Go(func() {
				code, took := try("192.0.2.1", "acme/chat/robot", "x", "wrong")
				if code == fault.TooManyRequests && took != 0 {
					t.Errorf("refused after %v", took)
				}
				mu.Lock()
				defer mu.Unlock()
				codes[code]++
			})
		}
		wg.Wait()
		if codes[fault.Unauthenticated] != 30 || codes[fault.TooManyRequests] != 970 {
			t.Errorf("got %v", codes)
		}
		if code, took := try("192.0.2.1", "acme/chat/robot", "x", "right"); code != "" || took != 0 {
			t.Errorf("the right password: %q after %v", code, took)
		}
		time.Sleep(10 * time.Minute) // what is counted has a limit, so this is enough
		if code, took := try("192.0.2.1", "acme/chat/robot", "x", "wrong"); code != fault.Unauthenticated || took != 0 {
			t.Errorf("ten minutes later: %s after %v", code, took)
		}
	})
}

// Only wrong credentials count.
func TestGuardCountsOnlyFailures(t *testing.T) {
	guarded(t, func(t *testing.T, try func(remote, username, clientID, password string) (fault.Code, time.Duration)) {
		for password, want := range map[string]fault.Code{"expired": fault.TokenExpired, "away": fault.Unavailable, "right": ""} {
			for range 100 {
				if code, took := try("192.0.2.1", "acme/chat", "x", password); code != want || took != 0 {
					t.Fatalf("%s: %s after %v", password, code, took)
				}
			}
		}
		if _, took := try("192.0.2.1", "acme/chat", "x", "wrong"); took != 0 {
			t.Errorf("the first failure takes %v", took)
		}
	})
}

// Who gives up is not held.
func TestGuardDelayEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(doorman{}, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		for range 20 {
			_, err := g.Authenticate(ctx, auth.Credentials{Remote: "192.0.2.1", Password: []byte("wrong")})
			wantFault(t, err, fault.Unauthenticated)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// Made-up addresses and names fill no memory: the oldest are forgotten. And
// a crowd that fails is not held back without limit.
func TestGuardIsBounded(t *testing.T) {
	guarded(t, func(t *testing.T, try func(remote, username, clientID, password string) (fault.Code, time.Duration)) {
		for range 6 {
			try("192.0.2.1", "acme/chat", "x", "wrong")
		}
		for i := range 50_000 {
			try(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "acme/chat", fmt.Sprint(i), "wrong")
		}
		if _, took := try("192.0.2.1", "acme/chat", "x", "wrong"); took != 0 {
			t.Errorf("what is longest ago is remembered after 100,000 others: %v", took)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		codes := map[fault.Code]int{}
		for i := range 5000 { // ten failures each at once: five of them are held back
			for range 10 {
				wg.Go(func() {
					code, _ := try(fmt.Sprintf("11.0.%d.%d", i>>8, i&255), "acme/chat", fmt.Sprint(i), "wrong")
					mu.Lock()
					defer mu.Unlock()
					codes[code]++
				})
			}
		}
		wg.Wait()
		if codes[fault.Unauthenticated] != 25_000+4096 || codes[fault.TooManyRequests] != 25_000-4096 {
			t.Errorf("got %v", codes)
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	g := auth.NewGuard(doorman{}, time.Now)
	c := auth.Credentials{Remote: "192.0.2.1", Username: "acme/chat", ClientID: "x", Password: []byte("right")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Authenticate(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// Guesses that come all at once, before any of them has failed, do not stand
// in the way of somebody else's first right password.
func TestGuessesDoNotStarveOthers(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	own, err := auth.HashPassword(loginPassword)
	if err != nil {
		t.Fatal(err)
	}
	src.setLogin(t, "acme/chat/victim", func(l *tenant.Login) { l.PasswordHash = own }) // not known by the robot's
	g := auth.NewGuard(v, time.Now)
	try := func(ctx context.Context, remote, username, password string) error {
		_, err := g.Authenticate(ctx, auth.Credentials{
			ClientID: "x", Remote: remote, Username: username, Password: []byte(password),
		})
		return err
	}
	if err := try(t.Context(), "192.0.2.1", "acme/chat/robot", loginPassword); err != nil {
		t.Fatal(err)
	}
	const guesses = 200
	ctx, cancel := context.WithCancel(t.Context())
	var guessed atomic.Int64
	var wg sync.WaitGroup
	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	for i := range guesses {
		wg.Go(func() {
			err := try(ctx, "192.0.2.66", "acme/chat/robot", fmt.Sprintf("wrong password %d", i))
			begin()
			if ctx.Err() == nil && err != nil {
				guessed.Add(1)
			}
		})
	}
	<-begun // the others are waiting by now
	if err := try(t.Context(), "192.0.2.2", "acme/chat/victim", loginPassword); err != nil {
		t.Error(err)
	}
	// Behind eight of them, while as many go through the other lane.
	if n := guessed.Load(); n > guesses/2 {
		t.Errorf("%d of %d guesses went first", n, guesses)
	}
	cancel()
	wg.Wait()
}
