package api_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/tally"
	"github.com/fanfare-mq/fanfare/tenant"
)

func TestNoisiest(t *testing.T) {
	counts := tally.New("one")
	s := newServer(t, func(_ *api.Config, d *api.Deps) { d.Tally = counts })
	acme, key := s.member("acme", tenant.Owner), s.app(s.member("globex", tenant.Owner), "chat")
	for range 3 {
		s.call("GET", "/v1/me", acme, nil).want(t, 200)
	}
	s.call("GET", appPath, key, nil).want(t, 200)
	busy := tally.Totals{Organization: "globex", Connections: 7}
	busy.Counts[tally.BytesOut], busy.Counts[tally.MessagesOut] = 6000, 60
	said, err := counts.Look([]tally.Totals{busy})
	if err != nil {
		t.Fatal(err)
	}
	if err := counts.Hear(said, s.clock.Now()); err != nil {
		t.Fatal(err)
	}
	const path = "/v1/operator/noisiest"
	by := func(query string) []any {
		body := s.call("GET", path+query, s.operator(), nil).want(t, 200)
		if body["nodes"] != 1.0 {
			t.Errorf("%s: %v", query, body)
		}
		return body["items"].([]any)
	}
	if items := by(""); len(items) != 0 { // nobody publishes
		t.Errorf("got %v", items)
	}
	items := by("?by=bytes_out")
	if len(items) != 1 {
		t.Fatalf("got %v", items)
	}
	if one := items[0].(map[string]any); one["organization"] != "globex" || one["bytes_out"] != 100.0 || one["messages_out"] != 1.0 || one["connections"] != 7.0 {
		t.Errorf("got %v", one)
	}
	if items := by("?by=requests"); len(items) != 2 || items[0].(map[string]any)["organization"] != "acme" || items[0].(map[string]any)["requests"] != 0.05 {
		t.Errorf("got %v", items)
	}
	if items := by("?by=requests&limit=1"); len(items) != 1 {
		t.Errorf("got %v", items)
	}
	for _, bad := range []string{"?by=noise", "?limit=0", "?limit=101"} {
		s.call("GET", path+bad, s.operator(), nil).problem(t, 422, "invalid")
	}
}
