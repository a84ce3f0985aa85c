package auth_test

import (
	"regexp"
	"testing"

	"github.com/fanfare-mq/fanfare/auth"
)

func TestSecrets(t *testing.T) {
	for prefix, draw := range map[string]func() string{
		"ffk_": auth.NewAPIKeySecret, "ffs_": auth.NewSessionToken, "": auth.NewSigningSecret,
	} {
		shape := regexp.MustCompile("^" + prefix + "[0-9A-Za-z]{43}$")
		seen := map[string]bool{}
		for range 1000 {
			s := draw()
			if !shape.MatchString(s) {
				t.Fatalf("got %q", s)
			}
			seen[s] = true
		}
		if len(seen) != 1000 {
			t.Errorf("%q: %d of 1000 are different", prefix, len(seen))
		}
	}
	if auth.HashSecret("a") == auth.HashSecret("b") {
		t.Error("two secrets have one hash")
	}
}
