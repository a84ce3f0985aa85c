package clauses

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Places are the folders whose tests count.
var Places = []string{"broker/packet", "broker/session", "broker/topic", "broker/edge", "internal/conformance"}

// suite is the folder whose cases name a clause for each version.
const suite = "internal/conformance/"

// Evidence is where each statement is tested: files by version and number.
type Evidence map[Version]map[string][]string

// Find looks through the tests and scripts of a repository. In the conformance
// suite a clause stands beside its version. Elsewhere a tag counts for MQTT
// 5.0, for 3.1.1 with that version before it, and for 3.1.1 if only that has
// such a number.
func Find(repository fs.FS, statements []Statement) (Evidence, error) {
	found := Evidence{V311: {}, V5: {}}
	known := Evidence{V311: {}, V5: {}}
	for _, s := range statements {
		known[s.Version][s.Number] = []string{""}
	}
	for _, place := range Places {
		err := fs.WalkDir(repository, place, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !isTest(file) {
				return err
			}
			text, err := fs.ReadFile(repository, file)
			if err != nil {
				return fmt.Errorf("look for clauses: %w", err)
			}
			if strings.HasPrefix(file, suite) {
				found.addCases(file, string(text))
			} else {
				found.addTags(file, string(text), known)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// isTest reports whether a file is a test or a script of one.
func isTest(file string) bool {
	return strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/") && path.Ext(file) == ".txt"
}

func (e Evidence) add(v Version, number, file string) {
	if number != "" && !slices.Contains(e[v][number], file) {
		e[v][number] = append(e[v][number], file)
	}
}

const number = `(?:MQTT-(\d+\.\d+(?:\.\d+)?-\d+))?[^"]*`

var (
	oldCase     = regexp.MustCompile(`\bv311: "` + number + `"`)
	currentCase = regexp.MustCompile(`\bv5: "` + number + `"`)
	bothCases   = regexp.MustCompile(`(?:\bvector\(|\bbuilt\(|Clause =? ?:?= )"` + number + `", "` + number + `"`)
	tag         = regexp.MustCompile(`(3\.1\.1 )?\[?MQTT-(\d+\.\d+(?:\.\d+)?-\d+)`)
)

// addCases reads the rules of the conformance suite.
func (e Evidence) addCases(file, text string) {
	for _, m := range oldCase.FindAllStringSubmatch(text, -1) {
		e.add(V311, m[1], file)
	}
	for _, m := range currentCase.FindAllStringSubmatch(text, -1) {
		e.add(V5, m[1], file)
	}
	for _, m := range bothCases.FindAllStringSubmatch(text, -1) {
		e.add(V311, m[1], file)
		e.add(V5, m[2], file)
	}
}

// addTags reads the tags of any other test.
func (e Evidence) addTags(file, text string, known Evidence) {
	for _, m := range tag.FindAllStringSubmatch(text, -1) {
		_, isCurrent := known[V5][m[2]]
		if m[1] != "" || !isCurrent {
			e.add(V311, m[2], file)
			continue
		}
		e.add(V5, m[2], file)
	}
}
