package api_test

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
)

func TestSettings(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	key := s.app(member, "chat")
	const path = "/v1/apps/chat"
	fresh := s.call("GET", path, key, nil)
	app := fresh.want(t, http.StatusOK)
	want := map[string]any{
		"mounted": false, "session_expiry_seconds": 604800.0, "retained_expiry_seconds": 0.0, "max_retained": 100000.0,
		"max_connections": 0.0, "max_subscriptions": 0.0, "max_sessions": 0.0, "connect_rate": 0.0,
		"publish_rate": 0.0, "publish_bytes": 0.0, "fanout_bytes": 0.0, "api_rate": 0.0,
		"max_topic_levels": 0.0, "max_topic_bytes": 0.0, "max_payload": 0.0,
		"log_retention_seconds": 604800.0, "log_bytes": 0.0,
	}
	if !reflect.DeepEqual(app["settings"], any(want)) {
		t.Errorf("a new app has %v", app["settings"])
	}
	changes := []map[string]any{
		{"mounted": true},
		{"session_expiry_seconds": 0.0, "retained_expiry_seconds": 315360000.0},
		{"max_retained": 1e9, "max_connections": 1.0, "max_subscriptions": 2.0, "publish_rate": 3.0, "publish_bytes": 1e12},
		{"max_sessions": 4.0, "connect_rate": 5.0, "fanout_bytes": 1e12, "api_rate": 1e9},
		{"max_topic_levels": 65535.0, "max_topic_bytes": 6.0, "max_payload": 268435455.0},
		{"mounted": false, "max_connections": 0.0, "max_topic_levels": 0.0},
		{"log_retention_seconds": 60.0, "log_bytes": 1e15},
		{},
	}
	for _, change := range changes {
		maps.Copy(want, change)
		got := s.call("PATCH", path, key, map[string]any{"settings": change})
		if app := got.want(t, http.StatusOK); !reflect.DeepEqual(app["settings"], any(want)) || app["name"] != "chat" {
			t.Errorf("after %v: %s", change, got.text)
		}
		read := s.call("GET", path, member, nil)
		if string(read.text) != string(got.text) || read.Header.Get("ETag") != got.Header.Get("ETag") {
			t.Errorf("changed to %s, read %s", got.text, read.text)
		}
	}
	named := s.call("PATCH", path, member, `{"name":"Chat & more"}`, "If-Match", `"8"`).want(t, http.StatusOK)
	if named["name"] != "Chat & more" || !reflect.DeepEqual(named["settings"], any(want)) {
		t.Errorf("renamed: %v", named)
	}
	s.call("PATCH", path, key, `{"name":"x"}`, "If-Match", fresh.Header.Get("ETag")).problem(t, 412, "precondition_failed")
	s.call("PATCH", path, key, `{"name":"x"}`, "If-Match", "what").problem(t, 422, "invalid")
	for _, seconds := range []int{59, 604801} { // the server of the test allows what a new app has
		s.call("PATCH", path, key, map[string]any{"settings": map[string]any{"log_retention_seconds": seconds}}).problem(t, 422, "invalid")
	}
	if kept := s.call("GET", path, member, nil).want(t, http.StatusOK); kept["retention_seconds"] != 60.0 {
		t.Errorf("kept for %v", kept["retention_seconds"])
	}
	page := s.call("GET", "/v1/apps", member, nil).want(t, http.StatusOK)
	if item := page["items"].([]any)[0].(map[string]any); !reflect.DeepEqual(item["settings"], any(want)) {
		t.Errorf("listed as %v", item)
	}
	if want := slices.Repeat([]string{"app.changed acme/chat"}, 1+len(changes)+1); !slices.Equal(s.bus.announced, want) {
		t.Errorf("announced %q", s.bus.announced)
	}
}
