package tenant_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// check runs a rule over what it must take and what it must refuse.
func check(t *testing.T, rule func(string) error, good, bad []string) {
	t.Helper()
	for _, s := range good {
		if err := rule(s); err != nil {
			t.Errorf("%q: %v, want it taken", s, err)
		}
	}
	for _, s := range bad {
		if err := rule(s); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: %v, want it refused as invalid", s, err)
		}
	}
}

func TestValidSlug(t *testing.T) {
	check(t, tenant.ValidSlug,
		[]string{"a", "7", "acme", "acme-2", "a--b", "2fast", strings.Repeat("a", tenant.MaxSlug)},
		[]string{
			"", "-", "-a", "a-", "Acme", "ac me", "acme/chat", "a+", "#", "$sys", "a.b", "a_b", "é", "a\x00",
			"a\n", "a%", "*", ">", strings.Repeat("a", tenant.MaxSlug+1), "api", "admin", "fanfare", "null",
		})
}

func TestValidName(t *testing.T) {
	check(t, tenant.ValidName,
		[]string{"Chat", "Ana's café ☕", "x", strings.Repeat("ü", 80)},
		[]string{"", " ", " Chat", "Chat ", "a\nb", "a\x00b", "a\u202eb", "\xff", strings.Repeat("ü", 81)})
}

func TestNewID(t *testing.T) {
	a, b := tenant.NewID("mem"), tenant.NewID("mem")
	if a == b || !strings.HasPrefix(a, "mem_") || len(a) != len("mem_")+26 {
		t.Errorf("ids %q and %q", a, b)
	}
}
