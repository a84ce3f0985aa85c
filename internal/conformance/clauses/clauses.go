// Package clauses holds every normative statement of MQTT 3.1.1 and 5.0 in the
// project's own words, and finds out where the repository tests them.
package clauses

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed v3.1.1.txt
var texts311 string

//go:embed v5.0.txt
var texts5 string

// Version is a version of the specification.
type Version string

// The versions that have numbered statements; MQTT 3.1 has none.
const (
	V311 Version = "3.1.1"
	V5   Version = "5.0"
)

// Side says whom a statement binds.
type Side byte

// The sides.
const (
	Server Side = 'S'
	Both   Side = 'B'
	Client Side = 'C'
	Nobody Side = 'N' // for the reason in Note
)

// Statement is one normative statement.
type Statement struct {
	Version Version
	Number  string // "3.1.2-24", without its prefix MQTT-
	Side    Side
	Text    string
	Note    string
}

// Tested reports whether a test must show that the server obeys.
func (s Statement) Tested() bool { return s.Side == Server || s.Side == Both }

// All returns the statements of both versions, in their order. It fails if a
// line of the lists does not have its form.
func All() ([]Statement, error) {
	old, err := parse(V311, texts311)
	if err != nil {
		return nil, err
	}
	current, err := parse(V5, texts5)
	return append(old, current...), err
}

// parse reads lines of number, side, text and, after " -- ", a note.
func parse(v Version, lines string) ([]Statement, error) {
	var out []Statement
	seen := map[string]bool{}
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		side, rest, found := strings.Cut(rest, " ")
		text, note, _ := strings.Cut(rest, " -- ")
		if !found || len(side) != 1 || !strings.Contains("SBCN", side) || side == "N" && note == "" || seen[number] {
			return nil, fmt.Errorf("MQTT %s: %q is no statement", v, line)
		}
		seen[number] = true
		out = append(out, Statement{Version: v, Number: number, Side: Side(side[0]), Text: text, Note: note})
	}
	return out, nil
}
