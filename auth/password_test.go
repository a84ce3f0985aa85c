package auth_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
)

func hash(t *testing.T, pw string) string {
	t.Helper()
	h, err := auth.HashPassword(pw)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPassword(t *testing.T) {
	const pw = "correct horse battery ñ"
	h := hash(t, pw)
	if !strings.HasPrefix(h, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(h, pw) {
		t.Errorf("got %q", h)
	}
	if h == hash(t, pw) {
		t.Error("two hashes of one password are equal")
	}
	for try, want := range map[string]bool{
		pw: true, pw + " ": false, "": false, strings.ToUpper(pw): false, strings.Repeat("x", 1<<20): false,
	} {
		got, err := auth.VerifyPassword(h, try)
		if err != nil || got != want {
			t.Errorf("%.40q: %t, %v", try, got, err)
		}
	}
	if err := auth.VerifyNobody(pw); err != nil {
		t.Error(err)
	}
	_, err := auth.HashPassword(strings.Repeat("x", 1025))
	wantFault(t, err, fault.Invalid)
}

// The vector of the reference implementation, so that hashes made elsewhere
// verify here.
func TestPasswordHashedElsewhere(t *testing.T) {
	const h = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for pw, want := range map[string]bool{"password": true, "passwort": false} {
		got, err := auth.VerifyPassword(h, pw)
		if err != nil || got != want {
			t.Errorf("%q: %t, %v", pw, got, err)
		}
	}
}

func TestMalformedPasswordHashes(t *testing.T) {
	const salt, sum = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, h := range []string{
		"", "$", "password", "$argon2id$v=19$m=65536,t=2,p=1$" + salt, "$argon2i$v=19$m=65536,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=16$m=65536,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=65536,t=2$" + salt + "$" + sum,
		"$argon2id$v=19$m=65536,t=2,p=1x$" + salt + "$" + sum, "$argon2id$v=19$m=065536,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=65536,t=4294967295,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=65536,t=0,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=65536,t=2,p=0$" + salt + "$" + sum,
		"$argon2id$v=19$m=65536,t=2,p=256$" + salt + "$" + sum, "$argon2id$v=19$m=65536,t=2,p=1$$" + sum,
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$", "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + sum + "=",
		"x$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + sum + "$",
	} {
		ok, err := auth.VerifyPassword(h, "password")
		if ok || err == nil {
			t.Errorf("%q: %t, %v", h, ok, err)
		}
		if err != nil && len(h) > 10 && strings.Contains(err.Error(), h) {
			t.Errorf("%q shows the hash", err)
		}
	}
}

// A flood is answered in part and refused in part, and holds no memory beyond
// the few hashes at a time.
func TestPasswordFlood(t *testing.T) {
	h := hash(t, "correct horse battery")
	var mu sync.Mutex
	codes := map[fault.Code]int{}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			ok, err := auth.VerifyPassword(h, "correct horse battery")
			mu.Lock()
			defer mu.Unlock()
			codes[fault.CodeOf(err)]++
			if err == nil && !ok {
				t.Error("the right password is wrong")
			}
		})
	}
	wg.Wait()
	if codes[""] < 68 || codes[""]+codes[fault.TooManyRequests] != 200 {
		t.Errorf("got %v", codes)
	}
	if ok, err := auth.VerifyPassword(h, "correct horse battery"); !ok || err != nil {
		t.Errorf("after the flood: %t, %v", ok, err)
	}
}
