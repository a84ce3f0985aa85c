package session_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the traces of testdata/*.txt anew")

// traced starts the lines of a script that say what a command led to.
const traced = "    "

// TestScripts runs testdata/*.txt. A script is a list of commands, each
// followed by its indented trace: what the session sent and what it wants
// done, in order. `new` starts a session of its own. After a deliberate change
// run the test with -rewrite and read the diff.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			compare(t, file, got, string(want))
		})
	}
}

// play runs a script's commands and returns it with the traces as they are.
func play(t *testing.T, script string) string {
	t.Helper()
	w := newWorld(t)
	var b strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, traced) {
			continue
		}
		b.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		for _, trace := range w.run(line) {
			b.WriteString(traced + trace + "\n")
		}
	}
	return b.String()
}

// compare reports the first line that differs.
func compare(t *testing.T, file, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	command := ""
	for i := range min(len(g), len(w)) {
		if !strings.HasPrefix(g[i], traced) && g[i] != "" {
			command = g[i]
		}
		if g[i] != w[i] {
			t.Fatalf("%s:%d: after %q\n got: %s\nwant: %s", file, i+1, command, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("%s: after %q: %d lines, want %d", file, command, len(g), len(w))
	}
}
