package api_test

import (
	"reflect"
	"testing"
)

// TestAccessTester asks what devices may do, and for the rule that says so.
func TestAccessTester(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	s.call("PUT", "/v1/apps/chat/acl", key, `{"rules":[`+
		`{"effect":"deny","action":"all","topic":"acme/chat/room/secret/#","who":{"everyone":true}},`+
		`{"effect":"allow","action":"subscribe","topic":"acme/chat/room/#","who":{"tag":"beta"}},`+
		`{"effect":"allow","action":"publish","topic":"acme/chat/in/${user}/${device}","who":{"role":"driver"}}]}`).want(t, 200)
	rules := s.call("GET", "/v1/apps/chat/acl", key, nil).want(t, 200)["rules"].([]any)
	rule := func(allowed bool, index int, filter, relation string) map[string]any {
		return map[string]any{
			"allowed": allowed, "decided_by": "rule", "rule_index": float64(index), "rule": rules[index],
			"filter": filter, "relation": relation,
		}
	}
	for _, c := range []struct {
		question string
		want     map[string]any
	}{
		{
			`{"user":"ana","action":"publish","topic":"acme/chat/room/secret/1"}`,
			rule(false, 0, "acme/chat/room/secret/#", "matches"),
		},
		{
			`{"user":"ana","tags":["beta"],"action":"subscribe","topic":"acme/chat/room/#"}`,
			rule(false, 0, "acme/chat/room/secret/#", "intersects"),
		},
		{
			`{"user":"ana","tags":["beta"],"action":"subscribe","topic":"$share/g/acme/chat/room/1"}`,
			rule(true, 1, "acme/chat/room/#", "covers"),
		},
		{
			`{"user":"ana","device":"d1","role":"driver","action":"publish","topic":"acme/chat/in/ana/d1"}`,
			rule(true, 2, "acme/chat/in/ana/d1", "matches"),
		},
		{
			`{"user":"ana","role":"driver","action":"publish","topic":"acme/chat/in/ana/d1"}`,
			map[string]any{"allowed": false, "decided_by": "nothing"},
		},
		{
			`{"user":"ana","action":"subscribe","topic":"acme/chat/users/ana/#"}`,
			map[string]any{"allowed": true, "decided_by": "default_grant", "filter": "acme/chat/users/ana/#", "relation": "covers"},
		},
		{
			`{"user":"ana","action":"subscribe","topic":"#"}`,
			map[string]any{"allowed": false, "decided_by": "wall"},
		},
		{
			`{"user":"ana","action":"publish","topic":"globex/chat/x"}`,
			map[string]any{"allowed": false, "decided_by": "wall"},
		},
	} {
		got := s.call("POST", "/v1/apps/chat/acl/test", key, c.question).want(t, 200)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.question, got, c.want)
		}
	}
}

// TestAccessTesterRefuses what no device could ask.
func TestAccessTesterRefuses(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	for question, field := range map[string]string{
		`{"user":"a/b","action":"publish","topic":"acme/chat/x"}`:                   "/user",
		`{"user":"ana","device":"+","action":"publish","topic":"acme/chat/x"}`:      "/device",
		`{"user":"ana","tags":["a","#"],"action":"publish","topic":"acme/chat/x"}`:  "/tags/1",
		`{"user":"ana","role":"a/b","action":"publish","topic":"acme/chat/x"}`:      "/role",
		`{"user":"ana","action":"publish","topic":"acme/chat/+"}`:                   "/topic",
		`{"user":"ana","action":"subscribe","topic":"acme/#/x"}`:                    "/topic",
		`{"user":"ana","action":"subscribe","topic":"$share/acme"}`:                 "/topic",
		`{"user":"ana","action":"all","topic":"acme/chat/x"}`:                       "/action",
		`{"user":"ana","action":"publish","topic":"acme/chat/x","client_id":"one"}`: "/client_id",
	} {
		fields := s.call("POST", "/v1/apps/chat/acl/test", key, question).problem(t, 422, "invalid")
		if !reflect.DeepEqual(fields, []string{field}) {
			t.Errorf("%s: faults at %v, want %s", question, fields, field)
		}
	}
}
