package tenant

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

// Login is a user name and a password for devices that cannot make a token.
// It stands for one user of its app.
type Login struct {
	Organization string
	App          string
	Username     string // unique in the app
	PasswordHash string // a PHC string; empty in lists
	User         string
	Device       string // the only client id that may use it; empty: any
	Tags         []string
	Role         string
	Enabled      bool
	// Super makes devices super-clients: above the wall and the rules. It counts
	// in the operator's organization alone, and where its operator allows it.
	Super     bool
	Version   int64 // grows with every change
	CreatedAt time.Time
}

// maxUsername is the longest user name of a login in bytes.
const maxUsername = 64

// The length of a login's password. It is made for a machine and never typed,
// but eight characters is what some firmware has room for.
const (
	minLoginPassword = 8    // characters
	maxLoginPassword = 1024 // bytes: what is hashed at most
)

// ValidUsername checks a login's user name: 1 to 64 letters, digits and the
// characters . _ - @, of ASCII, the first being a letter or digit. So it stands
// in an MQTT user name and in a URL as it is.
func ValidUsername(name string) error {
	if name == "" || len(name) > maxUsername || !isAlphanumeric(rune(name[0])) ||
		strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("._-@", r) }) {
		return fault.Newf(fault.Invalid,
			"must be 1 to %d letters, digits, dots, underscores, hyphens and @, and start with a letter or digit", maxUsername)
	}
	return nil
}

func isAlphanumeric(r rune) bool {
	return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// CheckLoginPassword refuses what can be no device's password. It is laxer than
// CheckPassword: the password stands in a device's settings, which choose it.
func CheckLoginPassword(password string) error {
	if !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		return fault.New(fault.Invalid, "must be text")
	}
	if utf8.RuneCountInString(password) < minLoginPassword || len(password) > maxLoginPassword {
		return fault.Newf(fault.Invalid, "must have at least %d characters and at most %d bytes", minLoginPassword, maxLoginPassword)
	}
	return nil
}
