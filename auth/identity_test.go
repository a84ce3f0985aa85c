package auth_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
)

func TestValidIDs(t *testing.T) {
	for name, valid := range map[string]func(string) error{
		"user": auth.ValidUser, "device": auth.ValidDevice, "tag": auth.ValidTag,
	} {
		for _, id := range []string{
			"ana", "a", "ana@example.com", "auth0|5f7c", "Zoë", "東京", "with space", "a.b*c>d%e", "-", "a$b", "a${user}",
			strings.Repeat("x", 128), "42",
		} {
			if err := valid(id); err != nil {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
		for _, id := range []string{
			"", "/", "a/b", "+", "a+", "#", "a#b", "a\x00b", "\x00", "$SYS", "$", "${user}", "a\nb", "a\x7f", "a\u0085b",
			"\xff", "a\xc3", "a\ufffdb", strings.Repeat("x", 129), strings.Repeat("é", 65),
		} {
			err := valid(id)
			wantFault(t, err, fault.Invalid)
			if err != nil && !strings.HasPrefix(err.Error(), "must ") {
				t.Errorf("%s %q: %q does not continue a field's name", name, id, err)
			}
		}
	}
}
