package tenant

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

// The longest address and its longest local part, in bytes (RFC 5321 §4.5.3.1,
// where a path of 256 holds two angle brackets).
const (
	maxEmail      = 254
	maxEmailLocal = 64
)

// NormalizeEmail returns the form in which an address is kept and compared:
// without surrounding space, in lower case.
func NormalizeEmail(email string) string {
	return strings.ToLower(strings.TrimSpace(email))
}

// ValidEmail checks that an address could receive mail. Only a mail that
// arrives proves that it does, so this catches slips and refuses what could
// disturb a header or a log line; quoted local parts are refused too.
func ValidEmail(email string) error {
	local, domain, ok := strings.Cut(email, "@")
	if !ok || len(email) > maxEmail || !utf8.ValidString(email) || !validLocalPart(local) || !validDomain(domain) {
		return fault.New(fault.Invalid, "must be an e-mail address such as ana@example.com")
	}
	return nil
}

func validLocalPart(s string) bool {
	if s == "" || len(s) > maxEmailLocal || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) || strings.ContainsRune(` ()<>[]:;@\,"`, r)
	})
}

// validDomain wants at least two labels: an address without a dot is a slip
// far more often than a host of a local network.
func validDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
		}) {
			return false
		}
	}
	return len(labels) >= 2
}
