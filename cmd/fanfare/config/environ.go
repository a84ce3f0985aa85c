package config

import (
	"maps"
	"slices"
	"strings"
)

// Environ is the environment as a map.
type Environ map[string]string

// ParseEnviron reads a list of the form of os.Environ.
func ParseEnviron(list []string) Environ {
	env := make(Environ, len(list))
	for _, entry := range list {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	return env
}

// CheckNames refuses variables of Fanfare that do not exist: a misspelt
// setting would otherwise be ignored in silence.
func (e Environ) CheckNames() error {
	known := knownVars()
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if !strings.HasPrefix(name, Prefix) || strings.HasPrefix(name, testPrefix) || slices.Contains(known, name) {
			continue
		}
		problem := "is no setting of Fanfare; unset it (fanfare serve --help lists all)"
		if near := nearest(name, known); near != "" {
			problem = "is no setting of Fanfare; did you mean " + near + "?"
		}
		return &Error{Setting: name, Problem: problem}
	}
	return nil
}

func knownVars() []string {
	var names []string
	for _, s := range slices.Concat(Table(Settings{}), ClientTable()) {
		names = append(names, s.Var)
	}
	return names
}

// nearest returns the known name that a slip of the fingers turns into name:
// one edit in three letters of what follows the prefix, and three at most.
func nearest(name string, known []string) string {
	best, distance := "", 1+min(3, (len(name)-len(Prefix))/3)
	for _, k := range known {
		if d := edits(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two ASCII names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
