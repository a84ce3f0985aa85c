package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// allow gives the organization acme limits of its own.
func (s *server) allow(limits string) {
	s.t.Helper()
	s.call("PATCH", "/v1/operator/organizations/acme", s.operator(), `{"limits":`+limits+`}`).want(s.t, http.StatusOK)
}

// set changes settings of the app chat.
func (s *server) set(member, settings string) {
	s.t.Helper()
	s.call("PATCH", appPath, member, `{"settings":`+settings+`}`).want(s.t, http.StatusOK)
}

func TestRequestRates(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Owner)
	key := s.app(member, "chat")
	if got := s.call("GET", appPath, key, nil); got.Header.Get("RateLimit-Limit") != "" {
		t.Errorf("without a limit: %v", got.Header)
	}
	s.set(member, `{"api_rate":3}`)
	for _, left := range []string{"2", "1", "0"} {
		got := s.call("GET", appPath, key, nil)
		got.want(t, http.StatusOK)
		h := got.Header
		if h.Get("RateLimit-Limit") != "3" || h.Get("RateLimit-Policy") != "3;w=1" || h.Get("RateLimit-Remaining") != left || h.Get("RateLimit-Reset") != "1" {
			t.Errorf("%s left: %v", left, h)
		}
	}
	got := s.call("GET", appPath, key, nil)
	got.problem(t, 429, "too_many_requests")
	if got.Header.Get("Retry-After") != "1" || got.Header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("beyond the limit: %v", got.Header)
	}
	s.call("GET", appPath, member, nil).want(t, http.StatusOK) // the app's limit is for its keys
	s.clock.Advance(334 * time.Millisecond)
	s.call("GET", appPath, key, nil).want(t, http.StatusOK)
	s.call("GET", appPath, key, nil).problem(t, 429, "too_many_requests")
}

func TestRequestRatesOfAnOrganization(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Owner)
	key := s.app(member, "chat")
	other := s.member("globex", tenant.Owner)
	s.allow(`{"api_rate":4}`)
	s.set(member, `{"api_rate":3}`) // takes one of four
	if got := s.call("GET", appPath, key, nil); got.Header.Get("RateLimit-Limit") != "3" && got.Header.Get("RateLimit-Remaining") != "2" {
		t.Errorf("the nearest limit is the app's: %v", got.Header)
	}
	s.call("GET", appPath, member, nil).want(t, http.StatusOK)
	got := s.call("GET", appPath, key, nil)
	got.want(t, http.StatusOK)
	if got.Header.Get("RateLimit-Limit") != "4" || got.Header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("the nearest limit is the organization's: %v", got.Header)
	}
	s.call("GET", appPath, key, nil).problem(t, 429, "too_many_requests")
	s.call("GET", appPath, member, nil).problem(t, 429, "too_many_requests")
	s.call("GET", "/v1/me", other, nil).want(t, http.StatusOK)
	s.call("GET", "/v1/operator/organizations/acme", s.operator(), nil).want(t, http.StatusOK)
}

func TestPublishRates(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Owner)
	key := s.app(member, "chat")
	publish := func(payload string) answer {
		return s.call("POST", pubPath, key, map[string]any{"topic": "acme/chat/x", "payload": payload})
	}
	s.set(member, `{"publish_rate":2}`)
	publish("a").want(t, http.StatusAccepted)
	s.call("POST", pushPath, key, `{"to":{"user":"a"},`+note+`}`).want(t, http.StatusAccepted)
	got := publish("a")
	got.problem(t, 429, "too_many_requests")
	if got.Header.Get("Retry-After") != "1" {
		t.Errorf("the next message may come after %q s", got.Header.Get("Retry-After"))
	}
	s.set(member, `{"publish_rate":0,"publish_bytes":1000}`)
	publish(strings.Repeat("a", 900)).want(t, http.StatusAccepted)
	publish(strings.Repeat("a", 101)).problem(t, 429, "too_many_requests")
	publish(strings.Repeat("a", 100)).want(t, http.StatusAccepted)
	s.set(member, `{"publish_bytes":0}`)
	s.allow(`{"publish_rate":1,"publish_bytes":10}`)
	publish(strings.Repeat("a", 10)).want(t, http.StatusAccepted)
	publish("").problem(t, 429, "too_many_requests")
	s.clock.Advance(time.Second)
	publish(strings.Repeat("a", 10)).want(t, http.StatusAccepted)
	s.clock.Advance(500 * time.Millisecond)
	publish("a").problem(t, 429, "too_many_requests") // five bytes are there and half a message
}

func TestMessageLimits(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", tenant.Owner)
	key := s.app(member, "chat")
	s.set(member, `{"max_payload":100,"max_topic_levels":4,"max_topic_bytes":20}`)
	for _, c := range []struct {
		topic, payload string
		status         int
		field          string
	}{
		{"acme/chat/a/b", strings.Repeat("a", 100), 202, ""},
		{"acme/chat/a/b", strings.Repeat("a", 101), 413, "/payload"},
		{"acme/chat/a/b/c", "", 422, "/topic"},
		{"acme/chat/0123456789", "", 202, ""},
		{"acme/chat/01234567890", "", 422, "/topic"},
	} {
		got := s.call("POST", pubPath, key, map[string]any{"topic": c.topic, "payload": c.payload})
		if got.StatusCode != c.status || c.field != "" && !strings.Contains(string(got.text), `"pointer":"`+c.field+`"`) {
			t.Errorf("%+v: %d %s", c, got.StatusCode, got.text)
		}
	}
	if got := s.call("POST", pushPath, key, `{"to":{"topic":"a/b"},`+note+`}`).problem(t, 422, "invalid"); len(got) != 1 || got[0] != "/to" {
		t.Errorf("too deep a topic: %q", got)
	}
	long := `"notification":{"title":"x","body":"` + strings.Repeat("y", 100) + `"}`
	if got := s.call("POST", pushPath, key, `{"to":{"user":"a"},`+long+`}`).problem(t, 413, "payload_too_large"); len(got) != 1 || got[0] != "/notification" {
		t.Errorf("too long a payload: %q", got)
	}
	s.allow(`{"payload_bytes":10,"topic_levels":3}`)
	s.call("POST", pubPath, key, `{"topic":"acme/chat/a","payload":"01234567890"}`).problem(t, 413, "payload_too_large")
	s.call("POST", pubPath, key, `{"topic":"acme/chat/a/b","payload":""}`).problem(t, 422, "invalid")
	s.set(member, `{"mounted":true}`)
	s.call("POST", pubPath, key, `{"topic":"acme/chat/a/b/c","payload":""}`).want(t, http.StatusAccepted)
}

func TestRetentionOfAnOrganization(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", tenant.Owner), "chat")
	s.allow(`{"log_retention":60}`)
	s.call("POST", pubPath, key, `{"topic":"acme/chat/a","payload":"","ttl_seconds":60}`).want(t, http.StatusAccepted)
	s.call("POST", pubPath, key, `{"topic":"acme/chat/a","payload":"","ttl_seconds":61}`).problem(t, 422, "invalid")
}
