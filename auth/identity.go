// Package auth says who someone is and what they may do: devices by their JWT,
// login or certificate, backends by their API key, members by their session;
// and, on topics, by the wall, the app's rules and the default grants.
package auth

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// maxID is the longest user id, device id or tag in bytes: one level of a
	// topic, and of a NATS subject once it is encoded.
	maxID = 128
	// maxTags is the most tags a token may carry. Each of them is a grant.
	maxTags = 64
)

// Identity is who a device has proved to be.
type Identity struct {
	Org      string
	App      string
	User     string // the token's sub, the login's user, or of the certificate
	Device   string // the token's device claim or the login's device, or empty: any client id
	ClientID string // the MQTT client identifier, chosen by the client
	Tags     []string
	Role     string
	Expires  time.Time // when the connection has to end; zero, for a login: never
}

// Same says whether another identity is the same user of the same app: what a
// re-authentication has to prove (MQTT 5.0 §4.12.1). The rest may differ: a new
// token may bring other tags.
func (i *Identity) Same(o *Identity) bool {
	return i.Org == o.Org && i.App == o.App && i.User == o.User
}

// ValidUser checks the id of an end user. It becomes one level of a topic, so
// it can hold nothing that would make it another level, a wildcard or one of
// the server's own.
func ValidUser(id string) error { return validID(id) }

// ValidDevice checks the id of a device, which becomes one level of a topic.
// It has to be the MQTT client identifier of that device.
func ValidDevice(id string) error { return validID(id) }

// ValidTag checks a tag, which becomes one level of a topic.
func ValidTag(tag string) error { return validID(tag) }

// ValidRole checks a role, as rules name it.
func ValidRole(role string) error { return validID(role) }

// validID says what is wrong in words that follow the name of the field.
func validID(s string) error {
	switch {
	case s == "":
		return fault.New(fault.Invalid, "must not be empty")
	case len(s) > maxID:
		return fault.Newf(fault.Invalid, "must have at most %d bytes", maxID)
	case !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError):
		// A JSON decoder writes U+FFFD for what it cannot read: two ids that
		// differ would become one.
		return fault.New(fault.Invalid, "must be valid UTF-8 without replacement characters")
	case strings.ContainsAny(s, "/+#"):
		return fault.New(fault.Invalid, "must not contain /, + or #")
	case s[0] == '$':
		return fault.New(fault.Invalid, "must not start with $")
	case strings.ContainsFunc(s, unicode.IsControl):
		return fault.New(fault.Invalid, "must not contain control characters")
	}
	return nil
}
