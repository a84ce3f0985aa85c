package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/meter"
	"github.com/fanfare-mq/fanfare/tenant"
)

const plansPath = "/v1/operator/plans"

// noLimits are limits as they are answered, with some that are not 0.
func noLimits(but map[string]any) map[string]any {
	limits := map[string]any{
		"apps": 0.0, "members": 0.0, "connections": 0.0, "connect_rate": 0.0, "publish_rate": 0.0, "publish_bytes": 0.0,
		"fanout_bytes": 0.0, "subscriptions": 0.0, "sessions": 0.0, "retained": 0.0, "topic_levels": 0.0, "topic_bytes": 0.0,
		"payload_bytes": 0.0, "api_rate": 0.0, "log_retention": 0.0, "log_bytes": 0.0,
	}
	maps.Copy(limits, but)
	return limits
}

func TestPlans(t *testing.T) {
	s := newServer(t)
	s.member("acme", tenant.Owner)
	all := noLimits(nil)
	for i, name := range slices.Sorted(maps.Keys(all)) {
		all[name] = float64(100 + i)
	}
	created := s.call("POST", plansPath, s.operator(), map[string]any{"name": "pro", "limits": all})
	if body := created.want(t, http.StatusCreated); !reflect.DeepEqual(body["limits"], any(all)) || body["organizations"] != 0.0 {
		t.Errorf("created %s", created.text)
	}
	changed := s.call("PATCH", plansPath+"/pro", s.operator(), `{"limits":{"apps":0,"connections":7}}`, "If-Match", created.Header.Get("ETag"))
	all["apps"], all["connections"] = 0.0, 7.0
	if body := changed.want(t, http.StatusOK); !reflect.DeepEqual(body["limits"], any(all)) {
		t.Errorf("changed to %s", changed.text)
	}
	read := s.call("GET", plansPath+"/pro", s.operator(), nil)
	if read.want(t, http.StatusOK); string(read.text) != string(changed.text) || read.Header.Get("ETag") != changed.Header.Get("ETag") {
		t.Errorf("changed to %s, read %s", changed.text, read.text)
	}
	s.call("PATCH", plansPath+"/pro", s.operator(), `{}`, "If-Match", created.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	s.call("POST", plansPath, s.operator(), `{"name":"pro"}`).problem(t, 409, "conflict")
	page := s.call("GET", plansPath+"?limit=1", s.operator(), nil).want(t, http.StatusOK)
	if items := page["items"].([]any); len(items) != 1 || items[0].(map[string]any)["organizations"] != 1.0 || page["next_cursor"] != "default" {
		t.Errorf("listed %v", page)
	}

	s.call("PATCH", "/v1/operator/organizations/acme", s.operator(), `{"plan":"pro"}`).want(t, http.StatusOK)
	s.call("DELETE", plansPath+"/default", s.operator(), nil).problem(t, 409, "conflict")
	s.call("DELETE", plansPath+"/pro", s.operator(), nil).problem(t, 409, "conflict")
	s.call("PATCH", "/v1/operator/organizations/acme", s.operator(), `{"plan":"default"}`).want(t, http.StatusOK)
	s.call("DELETE", plansPath+"/pro", s.operator(), nil, "If-Match", created.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	if got := s.call("DELETE", plansPath+"/pro", s.operator(), nil, "If-Match", read.Header.Get("ETag")); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d %s", got.StatusCode, got.text)
	}
	s.call("GET", plansPath+"/pro", s.operator(), nil).problem(t, 404, "not_found")
	if want := []string{"plan.changed pro", "app.changed acme", "app.changed acme"}; !slices.Equal(s.bus.announced, want) {
		t.Errorf("announced %q", s.bus.announced)
	}
}

func TestLimitsOfAnOrganization(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Viewer)
	const path = "/v1/operator/organizations/acme"
	s.call("POST", plansPath, s.operator(), `{"name":"pro","limits":{"apps":2,"connections":100,"payload_bytes":1000}}`).want(t, http.StatusCreated)
	before := s.call("GET", path, s.operator(), nil)
	given := s.call("PATCH", path, s.operator(), `{"plan":"pro","limits":{"connections":500}}`, "If-Match", before.Header.Get("ETag"))
	body := given.want(t, http.StatusOK)
	if body["plan"] != "pro" || !reflect.DeepEqual(body["limits"], any(noLimits(map[string]any{"connections": 500.0}))) {
		t.Errorf("given %s", given.text)
	}
	s.call("PATCH", path, s.operator(), `{"plan":"pro"}`, "If-Match", before.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	limits := s.call("GET", "/v1/organization/limits", member, nil).want(t, http.StatusOK)
	want := noLimits(map[string]any{"apps": 2.0, "connections": 500.0, "payload_bytes": 1000.0})
	if limits["plan"] != "pro" || !reflect.DeepEqual(limits["limits"], any(want)) {
		t.Errorf("the organization may %v", limits)
	}
	if use := limits["use"].(map[string]any); use["apps"] != 0.0 || use["members"] != 1.0 || use["connections"] != 0.0 {
		t.Errorf("the organization uses %v", use)
	}
	s.call("PATCH", path, s.operator(), `{"limits":{"connections":0}}`).want(t, http.StatusOK)
	limits = s.call("GET", "/v1/organization/limits", member, nil).want(t, http.StatusOK)
	if limits["limits"].(map[string]any)["connections"] != 100.0 {
		t.Errorf("the plan's limit holds again: %v", limits)
	}
	kept, err := s.store.Audit(t.Context(), tenant.AuditQuery{Organization: "acme", Action: "organization.update", Limit: 10})
	if err != nil || len(kept) != 2 {
		t.Fatalf("the audit log has %v, %v", kept, err)
	}
	var after struct {
		Plan   string
		Limits map[string]any
	}
	if err := json.Unmarshal(kept[1].After, &after); err != nil || after.Plan != "pro" || after.Limits["connections"] != 500.0 {
		t.Errorf("it tells %s, %v", kept[1].After, err)
	}
}

func TestUse(t *testing.T) {
	var away error
	counted := meter.Local()
	s := newServer(t, func(_ *api.Config, deps *api.Deps) {
		deps.Meter = counted
		deps.Usage = func(_ context.Context, org string) (broker.Usage, error) {
			return broker.Usage{Sessions: 3, Retained: len(org), LogBytes: 5}, away
		}
	})
	key := s.app(s.member("acme", tenant.Owner), "chat")
	counted.Count("acme connections").Add(1)
	counted.Count("acme subscriptions").Add(2)
	counted.Count("globex connections").Add(7)
	use := func() any { return s.call("GET", "/v1/organization/limits", key, nil).want(t, http.StatusOK)["use"] }
	known := map[string]any{"apps": 1.0, "members": 1.0, "connections": 1.0, "subscriptions": 2.0}
	all := map[string]any{"sessions": 3.0, "retained": 4.0, "log_bytes": 5.0}
	maps.Copy(all, known)
	if got := use(); !reflect.DeepEqual(got, any(all)) {
		t.Errorf("the organization uses %v", got)
	}
	away = errors.New("no answer")
	if got := use(); !reflect.DeepEqual(got, any(known)) {
		t.Errorf("while the log is away the organization uses %v", got)
	}
}

func TestAppsOverTheLimit(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Owner)
	s.call("PATCH", "/v1/operator/organizations/acme", s.operator(), `{"limits":{"apps":1}}`).want(t, http.StatusOK)
	s.app(member, "chat")
	got := s.call("POST", "/v1/apps", member, `{"id":"mail","name":"Mail"}`)
	got.problem(t, 429, "quota_exceeded")
	if got.Header.Get("Retry-After") != "" {
		t.Error("time will not mend it")
	}
}
