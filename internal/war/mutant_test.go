package war_test

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestBrokenWall builds a server whose wall takes acme-evil for acme, and has
// the war find it. make war-mutants has all the other holes.
func TestBrokenWall(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/mutate", "-run", "^wall forgets its slash$")
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !regexp.MustCompile(`crossing after \d{1,4} operations`).Match(out) {
		t.Errorf("it is not found: %v", err)
	}
}
