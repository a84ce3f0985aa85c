package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fanfare-mq/fanfare"

// allowed is the whole import graph of the module: a package may import only
// what stands beside it. Changing this table is an architecture decision.
// The dot is the root package, which holds openapi.yaml.
var allowed = map[string][]string{
	".":                {},
	"fault":            {},
	"egress":           {"fault"},
	"keyset":           {"egress", "fault", "tenant"},
	"migrations":       {},
	"web":              {},
	"tenant":           {"fault"},
	"tenant/store":     {"fault", "migrations", "tenant"},
	"auth":             {"broker/topic", "fault", "tenant"},
	"broker":           {"fault"},
	"broker/packet":    {},
	"broker/topic":     {},
	"broker/ownership": {"broker"},
	"broker/session":   {"broker", "broker/packet", "broker/topic", "fault"},
	"broker/jetstream": {"broker", "broker/topic", "fault"},
	"broker/presence":  {"fault"},
	"broker/liveness":  {"broker"},
	"broker/sim":       {"broker", "broker/liveness", "broker/ownership", "broker/packet", "broker/session", "broker/topic"}, // tests alone use it
	"broker/estate":    {"broker", "broker/liveness", "broker/presence", "fault"},
	"broker/edge":      {"auth", "broker", "broker/ownership", "broker/packet", "broker/presence", "broker/session", "broker/topic", "fault", "tenant"},
	"housekeeping":     {"fault", "tenant"},
	"tally":            {},
	"push":             {"broker", "broker/topic", "fault", "tenant"},
	"api":              {".", "api/spec", "auth", "broker", "broker/topic", "fault", "push", "tally", "tenant", "web"},
	"api/spec":         {},               // generated from openapi.yaml
	"api/docs":         {"api", "fault"}, // the command that generates docs/errors.md

	// What measures and tests (the folder itself has this test); the product imports none of it but the command.
	"internal":                     {},
	"internal/bench":               {"broker/packet", "internal/enroll"},
	"internal/enroll":              {},
	"internal/chaos":               {"broker/packet", "internal/cluster", "internal/enroll"},
	"internal/clients/pahogo":      {}, // other people's MQTT clients, for tests
	"internal/clients/pahogo5":     {},
	"internal/conformance":         {},                               // all of it is tests, which start the real command
	"internal/conformance/list":    {"internal/conformance/clauses"}, // the command that generates docs/conformance.md
	"internal/conformance/clauses": {},
	"internal/torture":             {}, // all of it is tests
	"internal/mutate":              {},
	"internal/war":                 {}, // all of it is tests, which start the real command
	"internal/simulate":            {"broker/sim"},
	"internal/testenv":             {},
	"internal/cluster":             {"internal/testenv"},
	"internal/cluster/ctl":         {"internal/cluster"}, // the command of make cluster
	"internal/testsum":             {},
	"internal/testrun":             {"internal/testenv", "internal/testsum"},
}

// testOnly must never be part of the product.
var testOnly = []string{"broker/sim", "internal/clients/pahogo", "internal/clients/pahogo5", "internal/testenv", "internal/testsum", "internal/testrun"}

func TestImportGraph(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...")
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg, ok := own(fields[0])
		if !ok {
			t.Fatalf("%s is not of this module", fields[0])
		}
		seen[pkg] = true
		for _, path := range fields[1:] {
			if imported, ok := own(path); ok && !mayImport(pkg, imported) {
				t.Errorf("%s must not import %s", pkg, imported)
			}
		}
		if _, known := allowed[pkg]; !known && !isCommand(pkg) {
			t.Errorf("%s: not in the table", pkg)
		}
	}
	if !seen["broker/packet"] {
		t.Error("the listing of packages is not complete")
	}
}

// own returns a package's path within the module.
func own(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// isCommand reports whether a package is part of the command, which knows
// everything and which nobody knows.
func isCommand(pkg string) bool {
	return pkg == "cmd/fanfare" || strings.HasPrefix(pkg, "cmd/fanfare/")
}

func mayImport(pkg, imported string) bool {
	if isCommand(pkg) {
		return !slices.Contains(testOnly, imported)
	}
	return slices.Contains(allowed[pkg], imported)
}
