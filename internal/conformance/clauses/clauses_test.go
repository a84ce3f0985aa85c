package clauses_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fanfare-mq/fanfare/internal/conformance/clauses"
)

func load(t *testing.T) []clauses.Statement {
	t.Helper()
	statements, err := clauses.All()
	if err != nil {
		t.Fatal(err)
	}
	return statements
}

// Every statement that binds the server has a test, in this repository.
func TestNothingIsMissing(t *testing.T) {
	t.Parallel()
	statements := load(t)
	found, err := clauses.Find(os.DirFS("../../.."), statements)
	if err != nil {
		t.Fatal(err)
	}
	missing := clauses.Missing(statements, found)
	for _, s := range missing {
		t.Errorf("MQTT %s, MQTT-%s has neither a test nor a reason: %s", s.Version, s.Number, s.Text)
	}
	if len(missing) > 0 {
		t.Logf("%d missing", len(missing))
	}
}

// The tests name no clause that does not exist.
func TestNoInventedClauses(t *testing.T) {
	t.Parallel()
	statements := load(t)
	found, err := clauses.Find(os.DirFS("../../.."), statements)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		delete(found[s.Version], s.Number)
	}
	for version, numbers := range found {
		for number, files := range numbers {
			t.Errorf("MQTT %s has no statement MQTT-%s: %v", version, number, files)
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	n := map[clauses.Version]int{}
	for _, s := range load(t) {
		n[s.Version]++
	}
	if n[clauses.V311] != 141 || n[clauses.V5] != 251 {
		t.Errorf("%v statements", n)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	repository := fstest.MapFS{
		"broker/packet/a_test.go":           {Data: []byte(`// [MQTT-3.1.0-1], "MQTT-2.3.1-1" and v3.1.1 [MQTT-3.1.0-2]`)},
		"broker/packet/a.go":                {Data: []byte(`// [MQTT-3.1.2-1]`)},
		"broker/session/testdata/x.txt":     {Data: []byte("# A will. [MQTT-3.1.2-8]\n")},
		"broker/topic/x.txt":                {Data: []byte("[MQTT-4.7.1-1]")},
		"broker/edge/edge_test.go":          {},
		"internal/conformance/case_test.go": {Data: []byte(`{v311: "MQTT-3.8.4-3", v5: "MQTT-3.8.4-4"}, vector("MQTT-3.6.1-1", "", "x")`)},
	}
	found, err := clauses.Find(repository, load(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		version clauses.Version
		number  string
		file    string
	}{
		{clauses.V5, "3.1.0-1", "broker/packet/a_test.go"},
		{clauses.V311, "3.1.0-1", ""},
		{clauses.V311, "2.3.1-1", "broker/packet/a_test.go"},
		{clauses.V311, "3.1.0-2", "broker/packet/a_test.go"},
		{clauses.V5, "3.1.0-2", ""},
		{clauses.V5, "3.1.2-1", ""},
		{clauses.V5, "3.1.2-8", "broker/session/testdata/x.txt"},
		{clauses.V5, "4.7.1-1", ""},
		{clauses.V311, "3.8.4-3", "internal/conformance/case_test.go"},
		{clauses.V5, "3.8.4-4", "internal/conformance/case_test.go"},
		{clauses.V311, "3.6.1-1", "internal/conformance/case_test.go"},
		{clauses.V5, "3.6.1-1", ""},
	} {
		if got := strings.Join(found[want.version][want.number], " "); got != want.file {
			t.Errorf("MQTT %s, %s: found in %q, want %q", want.version, want.number, got, want.file)
		}
	}
}
