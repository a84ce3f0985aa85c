package tenant

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/fault"
)

// The length of a password in characters. Below ten, guessing a stolen hash
// pays; above 256, only the hashing costs more.
const (
	minPassword = 10
	maxPassword = 256
	// minDigits is the least length of a password without any letter: fourteen
	// digits are as many guesses as ten lower case letters.
	minDigits = 14
)

// commonPasswords are what remains of the most used passwords once digits and
// punctuation are taken off both ends ("Password2026!" is "password"). What is
// too short to be a password alone stands here for its decorated forms.
var commonPasswords = []string{
	"abc", "abcd", "administrator", "admin", "asdf", "asdfgh", "asdfghjkl", "changeit", "changeme",
	"default", "dragon", "fanfare", "football", "hello", "helloworld", "iloveyou", "letmein", "login",
	"master", "monkey", "mosquitto", "mqtt", "pass", "passphrase", "passw0rd", "password",
	"passwordpassword", "p@ssw0rd", "p@ssword", "princess", "qazwsx", "qazwsxedc", "qwer", "qwerty",
	"qwertyuiop", "q1w2e3r4t5", "q1w2e3r4t5y6", "root", "secret", "shadow", "sunshine", "superman", "supersecret",
	"temporary", "test", "testtest", "trustno", "welcome", "whatever", "zxcvbnm", "zaq12wsx", "1q2w3e4r5t",
	"1q2w3e4r5t6y", "1qaz2wsx3edc",
}

// CheckPassword refuses passwords that are guessed first: short ones, common
// ones with or without decoration, runs of one character or of the alphabet,
// and the names of the account itself. It asks for no kinds of characters:
// length is worth more.
func CheckPassword(password, email, org string) error {
	n := utf8.RuneCountInString(password)
	if !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		return fault.New(fault.Invalid, "must be text")
	}
	if n < minPassword || n > maxPassword {
		return fault.Newf(fault.Invalid, "must have %d to %d characters", minPassword, maxPassword)
	}
	lower := strings.ToLower(password)
	bare := undecorated(lower)
	switch {
	case isRun(lower):
		return fault.New(fault.Invalid, "must be more than one character repeated or counted up")
	case bare == "" && n < minDigits:
		return fault.Newf(fault.Invalid, "must hold letters or have at least %d characters", minDigits)
	case slices.Contains(commonPasswords, bare), slices.Contains(commonPasswords, lower):
		return fault.New(fault.Invalid, "is one of the passwords that are guessed first; take a longer phrase")
	case isNameOf(lower, email, org):
		return fault.New(fault.Invalid, "must not be your e-mail address or your organization's name")
	}
	return nil
}

// isNameOf reports whether a password is the address, its local part or the
// organization, with or without decoration.
func isNameOf(password, email, org string) bool {
	local, _, _ := strings.Cut(email, "@")
	return slices.ContainsFunc([]string{email, local, org}, func(name string) bool {
		bare := undecorated(strings.ToLower(name))
		return bare != "" && undecorated(password) == bare
	})
}

// undecorated takes everything but letters off both ends.
func undecorated(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}

// isRun reports whether every character follows its predecessor by the same
// step of -1, 0 or 1: "aaaaaaaaaa", "abcdefghij", "9876543210". The step from
// 9 to 0 counts as up.
func isRun(s string) bool {
	runes := []rune(s)
	step := func(i int) rune {
		if runes[i-1] == '9' && runes[i] == '0' {
			return 1
		}
		return runes[i] - runes[i-1]
	}
	first := step(1)
	if first < -1 || first > 1 {
		return false
	}
	for i := 2; i < len(runes); i++ {
		if step(i) != first {
			return false
		}
	}
	return true
}
