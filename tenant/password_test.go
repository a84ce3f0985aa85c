package tenant_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/tenant"
)

func TestCheckPassword(t *testing.T) {
	rule := func(pw string) error { return tenant.CheckPassword(pw, "ana.silva@example.com", "acme-robotics") }
	check(t, rule,
		[]string{
			"correct horse battery", "tr0ub4dor&3x", "ååååååååöö", "blue-kettle-42", "acme-robotics-is-where-i-work",
			strings.Repeat("ab", 128), "84619073520174",
		},
		[]string{
			"", "short", "ninechars", strings.Repeat("ab", 129), "aaaaaaaaaa", "1234567890", "0123456789",
			"9876543210", "abcdefghijkl", "password", "Password123", "password2026!", "PASSWORD!!", "qwertyuiop",
			"1q2w3e4r5t", "letmein123!", "!!!welcome!!!", "ana.silva@example.com", "ANA.SILVA@example.com",
			"ana.silva1", "acme-robotics", "Acme-Robotics1!", "good-but-\xff\xfe\xfd", "with\x00zero-byte",
			"mosquitto1", "8461907352", "!!!!!!????",
		})
}

func TestCheckPasswordWithoutNames(t *testing.T) {
	if err := tenant.CheckPassword("correct horse battery", "", ""); err != nil {
		t.Errorf("got %v", err)
	}
}
