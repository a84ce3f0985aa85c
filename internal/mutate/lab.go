package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// mutant is a fault put into the source: Old becomes New, in every place where
// it stands, of which there must be some.
type mutant struct {
	name string
	rule string // of DESIGN §7, or what else it is about
	file string
	old  string
	new  string
	// pkg and test are the package and the pattern of the test that finds it;
	// without them it is the simulation.
	pkg, test string
}

// lab builds mutants beside the source, which it leaves alone.
type lab struct {
	dir   string
	seeds int
}

// test returns what has caught a mutant, nothing if it has escaped.
func (l lab) test(ctx context.Context, m mutant) (string, error) {
	overlay, err := l.overlay(m)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(l.dir, "mutant")
	if m.pkg != "" {
		if err := goTool(ctx, "test", "-c", "-overlay", overlay, "-o", binary, "./"+m.pkg); err != nil {
			return "", err
		}
		return l.runTest(ctx, binary, m)
	}
	if err := goTool(ctx, "build", "-overlay", overlay, "-o", binary, "./internal/simulate"); err != nil {
		return "", err
	}
	return l.runSeeds(ctx, binary)
}

// overlay writes the file that shows the compiler the mutant's source.
func (l lab) overlay(m mutant) (string, error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if !bytes.Contains(source, []byte(m.old)) {
		return "", fmt.Errorf("%s has no %q", m.file, m.old)
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	broken := filepath.Join(l.dir, filepath.Base(m.file))
	if err := os.WriteFile(broken, bytes.ReplaceAll(source, []byte(m.old), []byte(m.new)), 0o600); err != nil { //nolint:gosec // a temporary folder
		return "", err
	}
	table, err := json.Marshal(map[string]any{"Replace": map[string]string{original: broken}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(l.dir, "overlay.json")
	return path, os.WriteFile(path, table, 0o600)
}

// goTool runs the go command; what it prints is part of the error.
func goTool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // our own arguments
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (l lab) runSeeds(ctx context.Context, binary string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, "-seeds", strconv.Itoa(l.seeds)) //nolint:gosec // what was just built
	out, err := cmd.Output()
	if err == nil {
		return "", nil
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "seed ") {
			return strings.TrimSpace(line), nil
		}
	}
	return "", errors.Join(err, fmt.Errorf("the simulation says %q", out))
}

func (l lab) runTest(ctx context.Context, binary string, m mutant) (string, error) {
	args := []string{"-test.run", m.test, "-test.timeout", "2m"}
	if m.test == war {
		args = append(args, "-ops", strconv.Itoa(warOperations))
	}
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // what was just built
	cmd.Dir = m.pkg
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && bytes.Contains(out, []byte("no tests to run")):
		return "", fmt.Errorf("%s has no test %s", m.pkg, m.test)
	case err == nil:
		return "", nil
	case !errors.As(err, &exit):
		return "", err
	}
	if m.test != war {
		return "test " + m.test, nil
	}
	for line := range strings.Lines(string(out)) {
		if _, violation, ok := strings.Cut(line, "violation: "); ok {
			return strings.TrimSpace(violation), nil
		}
	}
	return "", fmt.Errorf("the war says %q", out)
}
