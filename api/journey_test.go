package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestJourney goes the way of a newcomer, from sign-up to a push.
func TestJourney(t *testing.T) {
	s := newServer(t)
	signedUp := s.call("POST", "/v1/signup", "", map[string]any{
		"organization": "acme", "email": "Ana@Example.com", "password": "correct horse battery",
	}).want(t, http.StatusCreated)
	if signedUp["organization"] != "acme" {
		t.Errorf("signed up %v", signedUp)
	}
	member, _ := signedUp["member"].(map[string]any)
	if member["email"] != "ana@example.com" || member["role"] != "owner" {
		t.Errorf("member %v", member)
	}
	loggedIn := s.call("POST", "/v1/login", "", map[string]any{
		"email": "ana@example.com", "password": "correct horse battery",
	}).want(t, http.StatusOK)
	token, _ := loggedIn["token"].(string)
	if !strings.HasPrefix(token, "ffs_") || len(loggedIn) != 2 {
		t.Errorf("logged in %v", loggedIn)
	}
	for _, token := range []any{signedUp["token"], loggedIn["token"]} {
		me := s.call("GET", "/v1/me", token.(string), nil).want(t, http.StatusOK)
		if me["organization"] != "acme" || me["member"].(map[string]any)["id"] != member["id"] || me["api_key"] != nil {
			t.Errorf("me %v", me)
		}
	}
	created := s.call("POST", "/v1/apps", token, map[string]any{"id": "chat", "name": "Chat"}).want(t, http.StatusCreated)
	checkCreated(t, created)
	key := created["api_key"].(map[string]any)["secret"].(string)
	me := s.call("GET", "/v1/me", key, nil).want(t, http.StatusOK)
	if me["app"] != "chat" || me["member"] != nil || me["api_key"].(map[string]any)["id"] != created["api_key"].(map[string]any)["id"] {
		t.Errorf("me with a key: %v", me)
	}

	issued := s.call("POST", "/v1/apps/chat/tokens", key, map[string]any{
		"user": "ana", "device": "phone-1", "tags": []string{"beta"}, "ttl_seconds": 600,
	}).want(t, http.StatusCreated)
	if jwt, _ := issued["token"].(string); strings.Count(jwt, ".") != 2 {
		t.Errorf("issued %v", issued)
	}
	expires, err := time.Parse(time.RFC3339, issued["expires_at"].(string))
	if left := expires.Sub(s.clock.Now()); err != nil || left < 598*time.Second || left > 601*time.Second {
		t.Errorf("the token lives %v, %v", left, err)
	}

	pushed := s.call("POST", "/v1/apps/chat/push", key, map[string]any{
		"to": map[string]any{"user": "ana"}, "notification": map[string]any{"title": "Hi", "body": "there", "data": map[string]any{"n": 7}, "sound": "ding"},
		"ttl_seconds": 60,
	}).want(t, http.StatusAccepted)
	m := s.bus.last(t)
	if pushed["topic"] != "acme/chat/users/ana" || pushed["id"] != m.ID.String() || len(pushed) != 2 {
		t.Errorf("pushed %v", pushed)
	}
	var payload map[string]any
	if err := json.Unmarshal(m.Payload, &payload); err != nil || payload["id"] != m.ID.String() || payload["title"] != "Hi" || payload["sound"] != "ding" {
		t.Errorf("payload %s, %v", m.Payload, err)
	}
	if m.QoS != 1 || m.Topic != "acme/chat/users/ana" || m.Position.Shard > 15 || m.Expires != s.clock.Now().Add(time.Minute).UnixMilli() {
		t.Errorf("message %+v", m)
	}
}

func checkCreated(t *testing.T, created map[string]any) {
	t.Helper()
	if created["id"] != "chat" || created["organization"] != "acme" || created["topic_prefix"] != "acme/chat" {
		t.Errorf("created %v", created)
	}
	key, _ := created["api_key"].(map[string]any)
	signing, _ := created["signing_key"].(map[string]any)
	endpoints, _ := created["endpoints"].(map[string]any)
	if secret, _ := key["secret"].(string); !strings.HasPrefix(secret, "ffk_") || len(key["scopes"].([]any)) != 3 {
		t.Errorf("API key %v", key)
	}
	if secret, _ := signing["secret"].(string); signing["alg"] != "HS256" || len(secret) < 32 || signing["kid"] == "" {
		t.Errorf("signing key %v", signing)
	}
	if endpoints["mqtt"] != "mqtt://push.example.com:1883" || endpoints["api"] != "http://push.example.com" || endpoints["ws"] == "" {
		t.Errorf("endpoints %v", endpoints)
	}
}

func TestTargets(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	for want, to := range map[string]string{
		"acme/chat/users/ana":         `{"user":"ana"}`,
		"acme/chat/devices/phone-1":   `{"device":"phone-1"}`,
		"acme/chat/topics/news/sport": `{"topic":"news/sport"}`,
		"acme/chat/broadcast":         `{"everyone":true}`,
	} {
		got := s.call("POST", "/v1/apps/chat/push", key, `{"to":`+to+`,"notification":{"title":"x","body":""},"qos":0}`).want(t, http.StatusAccepted)
		if m := s.bus.last(t); got["topic"] != want || m.Topic != want || m.QoS != 0 || m.Expires != 0 || m.Position.Shard != 5 {
			t.Errorf("%s: %v, %+v", to, got, m)
		}
	}
}

func TestPublish(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	s.call("POST", "/v1/apps/chat/publish", key,
		`{"topic":"acme/other/x","payload":"AAECAw==","encoding":"base64","qos":0,"retain":true,"content_type":"image/png"}`).want(t, http.StatusAccepted)
	if m := s.bus.last(t); m.Topic != "acme/other/x" || string(m.Payload) != "\x00\x01\x02\x03" || m.QoS != 0 || m.UTF8 || m.ContentType != "image/png" || !m.Retain {
		t.Errorf("message %+v", m)
	}
	got := s.call("POST", "/v1/apps/chat/publish", key, `{"topic":"acme/chat/x","payload":"grüß"}`).want(t, http.StatusAccepted)
	if m := s.bus.last(t); string(m.Payload) != "grüß" || m.QoS != 1 || !m.UTF8 || got["id"] != m.ID.String() || m.Position.Shard != 5 {
		t.Errorf("message %+v, answer %v", m, got)
	}
	s.call("POST", "/v1/apps/chat/publish", key, `{"topic":"acme/chat/x","payload":"","collapse_key":"score"}`).want(t, http.StatusAccepted)
	if m := s.bus.last(t); m.CollapseKey != "score" {
		t.Errorf("message %+v", m)
	}
	s.call("POST", "/v1/apps/chat/push", key, `{"to":{"user":"ana"},"notification":{"title":"x","body":""},"collapse_key":"chat 1"}`).want(t, http.StatusAccepted)
	if m := s.bus.last(t); m.CollapseKey != "chat 1" {
		t.Errorf("message %+v", m)
	}
	large := strings.Repeat("x", 256<<10)
	s.call("POST", "/v1/apps/chat/publish", key, map[string]any{"topic": "acme/chat/x", "payload": large}).want(t, http.StatusAccepted)
}

func TestLists(t *testing.T) {
	s := newServer(t)
	token := s.member("acme", "owner")
	for _, id := range []string{"d", "b", "a", "c", "e"} {
		s.app(token, id)
	}
	var ids []string
	for next := "?limit=2"; next != ""; {
		page := s.call("GET", "/v1/apps"+next, token, nil).want(t, http.StatusOK)
		for _, item := range page["items"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		next = ""
		if cursor, ok := page["next_cursor"].(string); ok {
			next = "?limit=2&cursor=" + cursor
		}
	}
	if got := strings.Join(ids, ""); got != "abcde" {
		t.Errorf("listed %s", got)
	}
	app := s.call("GET", "/v1/apps/b", token, nil).want(t, http.StatusOK)
	if app["api_key"] != nil || app["signing_key"] != nil || app["retention_seconds"] != float64(7*24*3600) {
		t.Errorf("app %v", app)
	}
	other := s.member("globex", "owner")
	if page := s.call("GET", "/v1/apps", other, nil).want(t, http.StatusOK); len(page["items"].([]any)) != 0 || page["next_cursor"] != nil {
		t.Errorf("another organization sees %v", page)
	}
}
