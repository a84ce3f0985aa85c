package tenant_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/tenant"
)

func TestValidEmail(t *testing.T) {
	check(t, tenant.ValidEmail,
		[]string{
			"ana@example.com", "a@b.co", "ana.maria+push@mail.example.com", "o'hara@example.com",
			"jörg@exämple.de", "x@1.2.3.example", strings.Repeat("a", 64) + "@example.com",
		},
		[]string{
			"", "ana", "@", "ana@", "@example.com", "ana@example", "ana@@example.com", "ana@b@example.com",
			"ana@.com", "ana@example.", "ana@-a.com", "ana@a-.com", "ana@exa mple.com", "a na@example.com",
			".ana@example.com", "ana.@example.com", "a..b@example.com", "Ana <ana@example.com>",
			"ana@example.com\n", "ana\x00@example.com", "ana@exa_mple.com", "\xff@example.com", `"a"@example.com`,
			strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b", 64) + ".com",
			"a@" + strings.Repeat("b.", 127) + "com",
		})
}

func TestNormalizeEmail(t *testing.T) {
	if got := tenant.NormalizeEmail("  Ana@Example.COM\n"); got != "ana@example.com" {
		t.Errorf("got %q", got)
	}
}
