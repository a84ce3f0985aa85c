// Package testsum reads what `go test -json` reports, shows what failed in
// full and the rest in a line per package, and counts.
package testsum

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of the report; see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64 // seconds
	ImportPath  string  // of build-output and build-fail
	FailedBuild string  // of the fail of a package that did not build
}

// Summary counts tests with their subtests.
type Summary struct {
	Passed, Failed, Skipped int
}

// OK reports whether something ran and nothing failed.
func (s Summary) OK() bool { return s.Passed > 0 && s.Failed == 0 }

// String is the closing line of a test run.
func (s Summary) String() string {
	return fmt.Sprintf("%d passed, %d failed", s.Passed, s.Failed)
}

// reader is the state of one report.
type reader struct {
	out     io.Writer
	summary Summary
	// said holds the output of what still runs: of a package under its own
	// name, of a test under the package's and its own, of a build under its
	// import path. What passed is dropped.
	said map[string]*strings.Builder
	// failed names the packages in which a test failed.
	failed map[string]bool
	// running names the packages that have begun and not ended, and the tests
	// that have begun in them and not ended.
	running map[string]map[string]bool
}

// Read reads a report to its end and writes to out as it goes. A package that
// fails without a failed test (it does not build, it ends in the middle, its
// TestMain fails) counts as one failure, so that nothing failed is uncounted.
// So does one that has not ended when the report does, as after an interrupt.
func Read(report io.Reader, out io.Writer) (Summary, error) {
	r := &reader{
		out: out, said: map[string]*strings.Builder{}, failed: map[string]bool{}, running: map[string]map[string]bool{},
	}
	lines := bufio.NewReader(report)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err == io.EOF {
			r.failUnfinished()
			return r.summary, nil
		}
		if err != nil {
			return r.summary, fmt.Errorf("read the test report: %w", err)
		}
	}
}

func (r *reader) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Fprint(r.out, line) // the go command's own words
		return
	}
	switch e.Action {
	case "start":
		r.running[e.Package] = map[string]bool{}
	case "run":
		if tests := r.running[e.Package]; tests != nil {
			tests[e.Test] = true
		}
	case "output":
		r.keep(key(e.Package, e.Test), e.Output)
	case "build-output":
		r.keep(e.ImportPath, e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.test(e)
		} else {
			r.pkg(e)
		}
	}
}

func key(pkg, test string) string { return pkg + " " + test }

func (r *reader) keep(key, output string) {
	if r.said[key] == nil {
		r.said[key] = &strings.Builder{}
	}
	r.said[key].WriteString(output)
}

// take returns what was said under a key and forgets it.
func (r *reader) take(key string) string {
	b := r.said[key]
	delete(r.said, key)
	if b == nil {
		return ""
	}
	return b.String()
}

func (r *reader) test(e event) {
	output := r.take(key(e.Package, e.Test))
	delete(r.running[e.Package], e.Test)
	switch e.Action {
	case "pass":
		r.summary.Passed++
	case "skip":
		r.summary.Skipped++
	default:
		r.summary.Failed++
		r.failed[e.Package] = true
		fmt.Fprint(r.out, "\n", frameless(output))
	}
}

// frameless leaves out the lines that only tell a test's progress.
func frameless(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "=== ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func (r *reader) pkg(e event) {
	output := r.take(key(e.Package, ""))
	defer delete(r.running, e.Package)
	switch {
	case e.Action == "pass":
		fmt.Fprintf(r.out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
	case e.Action == "skip":
		// no test files: nothing to tell
	case e.FailedBuild != "":
		r.summary.Failed++
		fmt.Fprintf(r.out, "\n%sFAIL  %s  does not build\n", r.take(e.FailedBuild), e.Package)
	default:
		r.failPackage(e, output)
	}
}

func (r *reader) failPackage(e event, output string) {
	if !r.failed[e.Package] {
		r.summary.Failed++
	}
	// Tests that were running when the package ended have not been shown.
	for _, k := range slices.Sorted(maps.Keys(r.said)) {
		if strings.HasPrefix(k, e.Package+" ") {
			fmt.Fprint(r.out, frameless(r.take(k)))
		}
	}
	fmt.Fprint(r.out, frameless(output))
	// Their names come last: the stacks of a timeout are long.
	for _, test := range slices.Sorted(maps.Keys(r.running[e.Package])) {
		fmt.Fprintf(r.out, "UNFINISHED  %s\n", test)
	}
	fmt.Fprintf(r.out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
}

// failUnfinished fails the packages that were running when the report ended.
func (r *reader) failUnfinished() {
	for _, pkg := range slices.Sorted(maps.Keys(r.running)) {
		r.failPackage(event{Package: pkg}, r.take(key(pkg, "")))
	}
}
