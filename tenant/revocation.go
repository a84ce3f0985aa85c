package tenant

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// MaxRevocations is how many an app may have at a time. A node keeps those of
	// the apps in use in memory, each in some 40 bytes.
	MaxRevocations = 100_000
	// MaxRevoked is the longest jti or client identifier, in bytes, that can be
	// revoked.
	MaxRevoked = 255
)

// RevocationKind says what a revocation is about.
type RevocationKind string

// The kinds of revocations.
const (
	RevokedToken  RevocationKind = "token"  // one token, by its jti
	RevokedDevice RevocationKind = "device" // a device's credentials, by its client identifier
	RevokedUser   RevocationKind = "user"   // a user's credentials
)

// RevocationID names a revocation within its app.
type RevocationID struct {
	Kind    RevocationKind
	Subject string // the jti, the device's client identifier or the user's id
}

// Revocation makes credentials of an app worth nothing that have not expired.
type Revocation struct {
	Organization string
	App          string
	RevocationID

	IssuedBefore time.Time // of devices and users: only what was issued until then
	ExpiresAt    time.Time // when no such token can be left
	CreatedAt    time.Time
}

// revocationMark stands between an app and its revocation in the subject of a
// change. A login's name has no slash.
const revocationMark = "//"

// Change names the revocation among the changes of its organization.
func (id RevocationID) Change(app string) string {
	return app + revocationMark + string(id.Kind) + "/" + id.Subject
}

// RevocationOf returns the app and the revocation that the subject of a change
// is about, if it is about one.
func RevocationOf(subject string) (app string, id RevocationID, ok bool) {
	app, rest, ok := strings.Cut(subject, revocationMark)
	kind, of, found := strings.Cut(rest, "/")
	return app, RevocationID{RevocationKind(kind), of}, ok && found
}

// ValidRevoked checks the jti, or the client identifier, of a revocation. Both
// are made by others: they are any text that can be kept.
func ValidRevoked(s string) error {
	switch {
	case s == "":
		return fault.New(fault.Invalid, "must not be empty")
	case len(s) > MaxRevoked:
		return fault.Newf(fault.Invalid, "must have at most %d bytes", MaxRevoked)
	case !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError):
		return fault.New(fault.Invalid, "must be valid UTF-8 without replacement characters")
	case strings.ContainsFunc(s, unicode.IsControl):
		return fault.New(fault.Invalid, "must not contain control characters")
	}
	return nil
}
