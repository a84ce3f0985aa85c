package tenant_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

func TestValidUsername(t *testing.T) {
	for _, good := range []string{"a", "7", "Robot-1", "ana@example.com", "a.b_c-d", strings.Repeat("x", 64)} {
		if err := tenant.ValidUsername(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", ".a", "-a", "@a", "_a", "a/b", "a b", "a+", "a#", "a:b", "a%2Fb", "a\x00", "ä", "aä", "a\n", "a\x7f", "\xff", "a?b",
		strings.Repeat("x", 65),
	} {
		if code := fault.CodeOf(tenant.ValidUsername(bad)); code != fault.Invalid {
			t.Errorf("%q: code %q", bad, code)
		}
	}
}

func TestCheckLoginPassword(t *testing.T) {
	for password, good := range map[string]bool{
		"12345678": true, "1234567": false, "": false, "ñandúñandú": true, "ñandúñ": false, strings.Repeat("x", 1024): true,
		strings.Repeat("x", 1025): false, "12345678\x00": false, "12345678\xff": false,
	} {
		if err := tenant.CheckLoginPassword(password); (err == nil) != good {
			t.Errorf("%.20q: %v", password, err)
		}
	}
}
