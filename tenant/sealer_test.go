package tenant_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fanfare-mq/fanfare/tenant"
)

func sealer(t *testing.T, fill byte) *tenant.Sealer {
	t.Helper()
	s, err := tenant.NewSealer(bytes.Repeat([]byte{fill}, tenant.MasterKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealer(t *testing.T) {
	s := sealer(t, 1)
	for _, plain := range []string{"", "x", "a signing secret"} {
		sealed := s.Seal([]byte(plain), "here")
		if len(plain) > 8 && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("%q can be read in what was sealed", plain)
		}
		got, err := s.Open(sealed, "here")
		if err != nil || string(got) != plain {
			t.Errorf("opened %q, %v; want %q", got, err, plain)
		}
		if bytes.Equal(sealed, s.Seal([]byte(plain), "here")) {
			t.Error("two seals of one text are equal")
		}
	}
}

func TestSealerRefuses(t *testing.T) {
	s := sealer(t, 1)
	sealed := s.Seal([]byte("secret"), "here")
	refused := func(what string, s *tenant.Sealer, sealed []byte, context string) {
		t.Helper()
		if got, err := s.Open(sealed, context); !errors.Is(err, tenant.ErrSealed) {
			t.Errorf("%s: opened as %q, %v", what, got, err)
		}
	}
	refused("another place", s, sealed, "there")
	refused("another master key", sealer(t, 2), sealed, "here")
	for i := range sealed {
		refused("cut", s, sealed[:i], "here")
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		refused("changed", s, changed, "here")
	}
}

func TestNewSealerWantsThirtyTwoBytes(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := tenant.NewSealer(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}
