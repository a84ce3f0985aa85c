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
	other := "FANFARE_MASTER_KEY=" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	if got := command(t, []string{other}, "", append([]string{"org", "list"}, at...)...); got.code != 1 || !strings.Contains(got.stderr, "bearer") {
		t.Errorf("with another key: %+v", got)
	}
	if got := command(t, nil, "", "org", "list", "--url", s.places["API"], "--data", t.TempDir()); got.code != 2 || !strings.Contains(got.stderr, "FANFARE_MASTER_KEY") {
		t.Errorf("without a key: %+v", got)
	}
}
