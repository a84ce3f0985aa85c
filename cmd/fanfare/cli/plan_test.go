package cli_test

import (
	"strings"
	"testing"
)

// TestPlanCommands: the operator keeps plans at a terminal.
func TestPlanCommands(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := serve(t, serveArgs(folder)...)
	found(t, s, "acme")
	at := []string{"--url", s.places["API"], "--data", folder}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"list", 0, "default  1              no limits"},
		{"set pro apps=10 connections=5000", 0, "The plan pro has: apps=10 connections=5000."},
		{"set pro apps=0 api_rate=7", 0, "The plan pro has: api_rate=7 connections=5000."},
		{"set pro colour=1", 1, "colour"},
		{"set pro connections", 2, "connections=50000"},
		{"set pro connections=many", 2, "connections=50000"},
		{"give acme --plan pro connections=9000", 0, "acme has the plan pro, and in its place: connections=9000."},
		{"give acme --plan nope", 1, "plan"},
		{"give acme connections=0", 0, "acme has the plan pro, and in its place: no limits."},
		{"list", 0, "pro      1              api_rate=7 connections=5000"},
		{"list --json", 0, `"organizations": 1`},
		{"delete pro", 1, "organizations have this plan: 1"},
		{"delete default", 1, "sign up"},
		{"give acme --plan default", 0, "acme has the plan default"},
		{"delete pro", 0, "The plan pro is gone."},
	} {
		got := command(t, nil, "", append(append([]string{"plan"}, strings.Fields(c.args)...), at...)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.says) {
			t.Errorf("plan %s: %+v", c.args, got)
		}
	}
	other := command(t, nil, "", "plan", "list", "--url", s.places["API"], "--data", t.TempDir())
	if other.code != 2 || !strings.Contains(other.stderr, "FANFARE_MASTER_KEY") {
		t.Errorf("without a key: %+v", other)
	}
}
