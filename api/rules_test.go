package api_test

import (
	"slices"
	"strings"
	"testing"
)

const rulesPath = aclPath + "/rules"

// withoutIDs takes the ids, which the server chooses, out of a list of rules.
func withoutIDs(acl map[string]any) map[string]any {
	list, _ := acl["rules"].([]any)
	for _, rule := range list {
		if rule, ok := rule.(map[string]any); ok {
			delete(rule, "id")
		}
	}
	return acl
}

func ruleAbout(topic string) map[string]any {
	return map[string]any{"effect": "allow", "action": "all", "topic": topic, "who": map[string]any{"everyone": true}}
}

func placed(rule map[string]any, position int) map[string]any {
	rule["position"] = position
	return rule
}

// topics lists the rules' topics in order, and ids their ids by topic.
func (s *server) topics(t *testing.T, token string) (topics []string, ids map[string]string, etag string) {
	t.Helper()
	got := s.call("GET", aclPath, token, nil)
	ids = make(map[string]string)
	for _, rule := range got.want(t, 200)["rules"].([]any) {
		rule := rule.(map[string]any)
		topic := strings.TrimPrefix(rule["topic"].(string), "acme/")
		topics = append(topics, topic)
		ids[topic] = rule["id"].(string)
	}
	return topics, ids, got.Header.Get("ETag")
}

// TestRulesOneByOne: the order is what the caller says, and a rule keeps its id
// over every change.
func TestRulesOneByOne(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	expect := func(want ...string) (ids map[string]string) {
		t.Helper()
		topics, ids, _ := s.topics(t, key)
		if !slices.Equal(topics, want) {
			t.Fatalf("rules %q, want %q", topics, want)
		}
		return ids
	}
	for _, rule := range []map[string]any{ruleAbout("acme/b"), ruleAbout("acme/d"), placed(ruleAbout("acme/a"), 0), placed(ruleAbout("acme/c"), 2)} {
		created := s.call("POST", rulesPath, key, rule)
		if id, _ := created.want(t, 201)["id"].(string); !strings.HasPrefix(id, "rule_") || created.Header.Get("ETag") == "" {
			t.Errorf("created %s", created.text)
		}
	}
	ids := expect("a", "b", "c", "d")
	s.call("POST", rulesPath, key, placed(ruleAbout("acme/x"), 5)).problem(t, 422, "invalid")
	if got := s.call("GET", rulesPath+"/"+ids["c"], key, nil).want(t, 200); got["topic"] != "acme/c" {
		t.Errorf("read %v", got)
	}

	s.call("PUT", rulesPath+"/"+ids["d"], key, placed(ruleAbout("acme/e"), 0)).want(t, 200)
	moved := expect("e", "a", "b", "c")
	s.call("PUT", rulesPath+"/"+ids["a"], key, ruleAbout("acme/f")).want(t, 200)
	again := expect("e", "f", "b", "c")
	if moved["e"] != ids["d"] || again["f"] != ids["a"] {
		t.Errorf("ids %v, then %v, then %v", ids, moved, again)
	}
	s.call("PUT", rulesPath+"/"+ids["a"], key, placed(ruleAbout("acme/f"), 4)).problem(t, 422, "invalid")
	s.call("PUT", rulesPath+"/rule_none", key, ruleAbout("acme/f")).problem(t, 404, "not_found")

	_, _, version := s.topics(t, key)
	s.call("DELETE", rulesPath+"/"+ids["b"], key, nil, "If-Match", version)
	expect("e", "f", "c")
	if got := s.call("DELETE", rulesPath+"/"+ids["c"], key, nil, "If-Match", version); got.problem(t, 412, "precondition_failed") != nil {
		t.Error("fields")
	}
	s.call("DELETE", rulesPath+"/"+ids["b"], key, nil).problem(t, 404, "not_found")
	s.call("GET", rulesPath+"/"+ids["b"], key, nil).problem(t, 404, "not_found")
}

// TestRulesKeepTheirIDs: a list that was read, changed and put back is the same
// rules in another order.
func TestRulesKeepTheirIDs(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	s.call("PUT", aclPath, key, map[string]any{"rules": []any{ruleAbout("acme/a"), ruleAbout("acme/b")}}).want(t, 200)
	_, ids, _ := s.topics(t, key)
	list := s.call("GET", aclPath, key, nil).want(t, 200)["rules"].([]any)
	slices.Reverse(list)
	s.call("PUT", aclPath, key, map[string]any{"rules": append(list, ruleAbout("acme/c"))}).want(t, 200)
	topics, now, _ := s.topics(t, key)
	if !slices.Equal(topics, []string{"b", "a", "c"}) || now["a"] != ids["a"] || now["b"] != ids["b"] || now["c"] == "" {
		t.Errorf("%q %v, before %v", topics, now, ids)
	}
	for _, list := range [][]any{{list[0], list[0]}, {map[string]any{"id": "rule_mine", "effect": "allow", "action": "all", "topic": "acme/a", "who": map[string]any{"everyone": true}}}} {
		got := s.call("PUT", aclPath, key, map[string]any{"rules": list}).problem(t, 422, "invalid")
		if len(got) != 1 || !strings.HasSuffix(got[0], "/id") {
			t.Errorf("fields %q", got)
		}
	}
}

func TestTooManyRules(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	rules := make([]any, 1000)
	for i := range rules {
		rules[i] = ruleAbout("acme/chat/x")
	}
	s.call("PUT", aclPath, key, map[string]any{"rules": rules}).want(t, 200)
	s.call("POST", rulesPath, key, ruleAbout("acme/chat/y")).problem(t, 429, "quota_exceeded")
}
