package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
)

// when reads a time of an answer.
func when(t *testing.T, v any) time.Time {
	t.Helper()
	text, _ := v.(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("%v is no time: %v", v, err)
	}
	return at
}

// lift takes a revocation of acme/chat away.
func (s *server) lift(token, id string) {
	s.t.Helper()
	if got := s.call("DELETE", revokePath+"/"+id, token, nil); got.StatusCode != http.StatusNoContent {
		s.t.Errorf("lifting %s: %d %s", id, got.StatusCode, got.text)
	}
}

func TestRevocations(t *testing.T) {
	s := newServer(t)
	// The second is nearly over, which the answers wait for.
	s.clock.Advance(s.clock.Now().Truncate(time.Second).Add(1990 * time.Millisecond).Sub(s.clock.Now()))
	key := s.app(s.member("acme", "owner"), "chat")
	s.bus.announced = nil
	now := s.clock.Now()
	for _, user := range []string{"ana", "50%", "a b", "ñandú"} {
		made := s.call("POST", revokePath, key, map[string]any{"user": user}).want(t, http.StatusCreated)
		if made["kind"] != "user" || made["subject"] != user || when(t, made["issued_before"]).Sub(now).Abs() > time.Millisecond ||
			when(t, made["expires_at"]).Before(now.Add(auth.MaxTokenLifetime)) {
			t.Errorf("made %v", made)
		}
		read := s.call("GET", revokePath+"/user/"+url.PathEscape(user), key, nil).want(t, http.StatusOK)
		if read["subject"] != user {
			t.Errorf("read %v", read)
		}
	}
	// What clients choose for themselves can be any text, a slash too.
	for _, device := range []string{"mosq/1", "a/../b", "%2F"} {
		s.call("POST", revokePath, key, map[string]any{"device": device}).want(t, http.StatusCreated)
		s.call("GET", revokePath+"/device/"+url.PathEscape(device), key, nil).want(t, http.StatusOK)
	}
	var listed []string
	for cursor := ""; ; {
		page := s.call("GET", revokePath+"?limit=2&cursor="+url.QueryEscape(cursor), key, nil)
		if cursor == "" {
			page = s.call("GET", revokePath+"?limit=2", key, nil)
		}
		answer := page.want(t, http.StatusOK)
		for _, item := range answer["items"].([]any) {
			listed = append(listed, item.(map[string]any)["subject"].(string))
		}
		next, ok := answer["next_cursor"].(string)
		if !ok {
			break
		}
		cursor = next
	}
	if want := []string{"%2F", "a/../b", "mosq/1", "50%", "a b", "ana", "ñandú"}; !slices.Equal(listed, want) {
		t.Errorf("listed %q", listed)
	}
	s.lift(key, "device/a%2F..%2Fb")
	s.call("GET", revokePath+"/device/a%2F..%2Fb", key, nil).problem(t, 404, "not_found")
	s.call("DELETE", revokePath+"/device/a%2F..%2Fb", key, nil).problem(t, 404, "not_found")
	if last := s.bus.announced[len(s.bus.announced)-1]; last != "app.changed acme/chat//device/a/../b" || len(s.bus.announced) != 8 {
		t.Errorf("announced %q", s.bus.announced)
	}
}

// TestRevokeTokens: by name, or whole; a whole one has to be the app's, and goes
// nowhere.
func TestRevokeTokens(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	key, other := s.app(member, "chat"), s.app(member, "shop")
	issue := func(app, key string) (jwt, jti string, expires time.Time) {
		made := s.call("POST", "/v1/apps/"+app+"/tokens", key, `{"user":"ana","ttl_seconds":60}`).want(t, http.StatusCreated)
		return made["token"].(string), made["jti"].(string), when(t, made["expires_at"])
	}
	jwt, jti, expires := issue("chat", key)
	made := s.call("POST", revokePath, key, map[string]any{"token": map[string]any{"jwt": jwt}}).want(t, http.StatusCreated)
	until := when(t, made["expires_at"])
	if made["kind"] != "token" || made["subject"] != jti || until.Before(expires) || until.After(expires.Add(2*time.Minute)) {
		t.Errorf("made %v of a token until %v", made, expires)
	}
	foreign, _, _ := issue("shop", other)
	for name, text := range map[string]string{"another app's": foreign, "forged": jwt[:len(jwt)-4] + "AAAA"} {
		got := s.call("POST", revokePath, key, map[string]any{"token": map[string]any{"jwt": text}})
		if fields := got.problem(t, 422, "invalid"); !slices.Equal(fields, []string{"/token/jwt"}) || strings.Contains(string(got.text), text) {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	s.clock.Advance(2 * time.Minute)
	s.call("POST", revokePath, key, map[string]any{"token": map[string]any{"jwt": jwt}}).problem(t, 422, "invalid")
	s.call("POST", revokePath, key, map[string]any{"token": map[string]any{"jti": "theirs"}}).want(t, http.StatusCreated)
	ends := s.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	made = s.call("POST", revokePath, key, map[string]any{"token": map[string]any{"jti": "short", "expires_at": ends}}).want(t, http.StatusCreated)
	if until := when(t, made["expires_at"]); until.Before(when(t, ends)) || until.After(when(t, ends).Add(2*time.Minute)) {
		t.Errorf("made %v", made)
	}
	for _, text := range []string{jwt, foreign} {
		if strings.Contains(s.log.String(), text) {
			t.Error("the log holds a token")
		}
	}
}

// TestTokensAfterARevocation: the answer comes when what is issued after it is
// good, also to who signs tokens without asking.
func TestTokensAfterARevocation(t *testing.T) {
	s := newServer(t, func(_ *api.Config, d *api.Deps) { d.Now = time.Now })
	key := s.app(s.member("acme", "owner"), "chat")
	made := s.call("POST", revokePath, key, `{"user":"ana"}`).want(t, http.StatusCreated)
	before := when(t, made["issued_before"])
	if now := time.Now(); now.Unix() <= before.Unix() {
		t.Errorf("answered at %v: what is issued now counts as before %v", now, before)
	}
	ahead := time.Now().Add(50 * time.Second).UTC().Format(time.RFC3339)
	begun := time.Now()
	s.call("POST", revokePath, key, `{"device":"phone-1","issued_before":"`+ahead+`"}`).want(t, http.StatusCreated)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	// An earlier one takes nothing back.
	made = s.call("POST", revokePath, key, `{"device":"phone-1","issued_before":"`+before.Format(time.RFC3339)+`"}`).want(t, http.StatusCreated)
	if !when(t, made["issued_before"]).Equal(when(t, ahead)) {
		t.Errorf("it holds until %v", made["issued_before"])
	}
}

// TestRevocationsWantAPassword of a member, given of late.
func TestRevocationsWantAPassword(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	key := s.app(member, "chat")
	s.call("POST", revokePath, member, `{"token":{"jti":"one"}}`).want(t, http.StatusCreated)
	s.clock.Advance(11 * time.Minute)
	s.call("POST", revokePath, member, `{"token":{"jti":"two"}}`).problem(t, 403, "step_up_required")
	s.call("DELETE", revokePath+"/token/one", member, nil).problem(t, 403, "step_up_required")
	s.call("GET", revokePath, member, nil).want(t, http.StatusOK)
	s.lift(key, "token/one")
}

// TestTokenACL: a token's own rules are answered and told of.
func TestTokenACL(t *testing.T) {
	s := newServer(t)
	key := s.app(s.member("acme", "owner"), "chat")
	s.call("POST", tokenPath, key, `{"user":"ana","acl":{"publish":[],"subscribe":["acme/chat/topics/news"]}}`).want(t, http.StatusCreated)
	for topic, want := range map[string][2]any{
		"acme/chat/topics/news": {true, "default_grant"}, "acme/chat/topics/#": {false, "token"}, "acme/chat/room": {false, "nothing"},
	} {
		got := s.call("POST", aclPath+"/test", key, map[string]any{
			"user": "ana", "action": tenant.Subscribe, "topic": topic,
			"acl": map[string]any{"subscribe": []string{"acme/chat/topics/news", "acme/chat/room"}},
		}).want(t, http.StatusOK)
		if got["allowed"] != want[0] || got["decided_by"] != want[1] {
			t.Errorf("%s: %v", topic, got)
		}
	}
}
