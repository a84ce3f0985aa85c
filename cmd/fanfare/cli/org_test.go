package cli_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestOperator: who has the master key, or the folder with it, is the operator,
// and nobody else.
func TestOperator(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := serve(t, serveArgs(folder)...)
	found(t, s, "acme")
	at := []string{"--url", s.places["API"], "--data", folder}
	if got := command(t, nil, "", append([]string{"org", "list"}, at...)...); got.code != 0 || !strings.Contains(got.stdout, "acme") {
		t.Errorf("%+v", got)
	}
	if got := command(t, nil, "", append([]string{"org", "show", "acme", "--json"}, at...)...); got.code != 0 || !strings.Contains(got.stdout, `"state": "active"`) {
		t.Errorf("%+v", got)
	}
	org := func(stdin string, args ...string) outcome {
		t.Helper()
		return command(t, nil, stdin, append(append([]string{"org"}, args...), at...)...)
	}
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{"", []string{"create", "globex", "bo@globex.example"}, 0, "/invitations#ffi_"},
		{"", []string{"create", "globex", "bo@globex.example"}, 1, "taken"},
		{"", []string{"list", "lobe"}, 0, "globex"},
		{"", []string{"suspend", "globex"}, 2, "--reason"},
		{"", []string{"suspend", "globex", "--reason", "unpaid"}, 0, "unpaid"},
		{"", []string{"resume", "globex"}, 0, "globex is active."},
		{"", []string{"delete", "globex"}, 2, "--yes"},
		{"acme\n", []string{"delete", "globex"}, 2, "nothing was deleted"},
		{"globex\n", []string{"delete", "globex"}, 0, "globex is gone"},
		{"", []string{"show", "globex"}, 0, "globex is deleting."},
		{"", []string{"delete", "nobody", "--yes"}, 1, "no such organization"},
		{"", []string{"delete", "acme", "--yes", "--json"}, 0, "{}"},
	} {
		if got := org(c.stdin, c.args...); got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) {
			t.Errorf("%q: %+v", c.args, got)
		}
	}
	other := "FANFARE_MASTER_KEY=" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	if got := command(t, []string{other}, "", append([]string{"org", "list"}, at...)...); got.code != 1 || !strings.Contains(got.stderr, "bearer") {
		t.Errorf("with another key: %+v", got)
	}
	if got := command(t, nil, "", "org", "list", "--url", s.places["API"], "--data", t.TempDir()); got.code != 2 || !strings.Contains(got.stderr, "FANFARE_MASTER_KEY") {
		t.Errorf("without a key: %+v", got)
	}
}
