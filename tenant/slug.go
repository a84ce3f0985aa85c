package tenant

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

// MaxSlug is the longest slug in bytes: two of them and a user id stay far
// below the limits of a topic and of a NATS subject.
const MaxSlug = 40

// maxName is the longest display name in characters: one line on a screen.
const maxName = 80

// reservedSlugs would pass for the product, its operator or a missing value in
// a topic, an address or a log line.
var reservedSlugs = []string{
	"admin", "api", "fanfare", "null", "operator", "root", "sys", "system", "undefined", "www",
}

// ValidSlug checks the name of an organization or an app: 1 to MaxSlug lower
// case letters, digits and inner hyphens, and not a reserved word. So a slug is
// one plain level of a topic, of a NATS subject and of a URL path.
func ValidSlug(s string) error {
	if !slugShape(s) {
		return fault.Newf(fault.Invalid,
			"must be 1 to %d lower case letters, digits and hyphens, and start and end with a letter or digit", MaxSlug)
	}
	if slices.Contains(reservedSlugs, s) {
		return fault.Newf(fault.Invalid, "%q is a reserved word", s)
	}
	return nil
}

func slugShape(s string) bool {
	if s == "" || len(s) > MaxSlug || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// ValidName checks a display name: 1 to 80 printable characters without
// space at either end.
func ValidName(name string) error {
	n := utf8.RuneCountInString(name)
	if n == 0 || n > maxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
		return fault.Newf(fault.Invalid, "must be 1 to %d characters without space at either end", maxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fault.New(fault.Invalid, "must not hold control characters")
	}
	return nil
}
