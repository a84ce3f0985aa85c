package session_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// args are the words of a command: name=value and bare ones. A value in Go
// quotes is unquoted. Every argument has to be asked for.
type args struct {
	t     *testing.T
	line  string
	words []string
}

func parse(t *testing.T, line string) (command string, a *args) {
	t.Helper()
	words := strings.Fields(line)
	return words[0], &args{t: t, line: line, words: words[1:]}
}

// take removes name=value and returns the value.
func (a *args) take(name string) (string, bool) {
	i := slices.IndexFunc(a.words, func(w string) bool { return strings.HasPrefix(w, name+"=") })
	if i < 0 {
		return "", false
	}
	v := strings.TrimPrefix(a.words[i], name+"=")
	a.words = slices.Delete(a.words, i, i+1)
	if strings.HasPrefix(v, `"`) {
		u, err := strconv.Unquote(v)
		if err != nil {
			a.t.Fatalf("%s: %v", a.line, err)
		}
		return u, true
	}
	return v, true
}

func (a *args) text(name, missing string) string {
	if v, ok := a.take(name); ok {
		return v
	}
	return missing
}

func (a *args) number(name string, missing int) int {
	v, ok := a.take(name)
	if !ok {
		return missing
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
	return n
}

func (a *args) duration(name string) (time.Duration, bool) {
	v, ok := a.take(name)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
	return d, true
}

// seconds is a number that a packet carries, and whether it is there.
func (a *args) seconds(name string) (uint32, bool) {
	v, ok := a.take(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
	return uint32(n), true
}

// pairs are user properties: key:value,key:value.
func (a *args) pairs(name string) packet.UserProperties {
	var u packet.UserProperties
	for _, pair := range list(a.text(name, "")) {
		key, value, _ := strings.Cut(pair, ":")
		u = u.Append(key, value)
	}
	return u
}

// has removes a bare word and reports whether it was there.
func (a *args) has(word string) bool {
	i := slices.Index(a.words, word)
	if i < 0 {
		return false
	}
	a.words = slices.Delete(a.words, i, i+1)
	return true
}

// rest returns the bare words that are left.
func (a *args) rest() []string {
	rest := a.words
	a.words = nil
	return rest
}

// done fails on arguments that nobody asked for.
func (a *args) done() {
	if len(a.words) > 0 {
		a.t.Fatalf("%s: what is %q?", a.line, a.words)
	}
}
