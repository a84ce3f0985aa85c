package api_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/tenant"
)

// keptSessions are those of one user.
type keptSessions struct {
	org, app, user string
	list           []broker.Kept // by client identifier
	err            error
}

func (k *keptSessions) Sessions(_ context.Context, org, app, user, after string, limit int) ([]broker.Kept, error) {
	if k.err != nil || org != k.org || app != k.app || user != k.user {
		return nil, k.err
	}
	i, _ := slices.BinarySearchFunc(k.list, after+"\x00", func(s broker.Kept, id string) int {
		if s.ClientID < id {
			return -1
		}
		return 1
	})
	return k.list[i:min(i+limit, len(k.list))], nil
}

func TestSessions(t *testing.T) {
	expires := time.Date(2031, 5, 6, 7, 8, 9, 10, time.UTC)
	kept := &keptSessions{org: "acme", app: "chat", user: "ana"}
	for _, id := range []string{"!", "phone +/#", "phone 2", "你好"} {
		kept.list = append(kept.list, broker.Kept{ClientID: id, Connected: id == "!", Record: &broker.Record{
			Subscriptions: []broker.Subscription{{Filter: "acme/chat/users/ana/#", QoS: 2}},
			Inflight:      []broker.Flight{{PacketID: 7, Seq: 9, QoS: 1}},
		}})
	}
	kept.list[1].Record.Expires, kept.list[1].Record.Truncated = expires, expires
	s := newServer(t, func(_ *api.Config, deps *api.Deps) { deps.Sessions = kept })
	key := s.app(s.member("acme", "owner"), "chat")

	const path = "/v1/apps/chat/users/ana/sessions"
	if got := pages(t, s, path, key, "client_id"); !slices.Equal(got, []string{"!", "phone +/#", "phone 2", "你好"}) {
		t.Errorf("listed %q", got)
	}
	items := s.call("GET", path, key, nil).want(t, http.StatusOK)["items"].([]any)
	first, second := items[0].(map[string]any), items[1].(map[string]any)
	if first["connected"] != true || first["truncated"] != false || first["expires_at"] != nil || first["inflight"] != 1.0 {
		t.Errorf("connected: %v", first)
	}
	if second["connected"] != false || second["truncated"] != true ||
		second["truncated_at"] != "2031-05-06T07:08:09Z" || second["expires_at"] != "2031-05-06T07:08:09Z" {
		t.Errorf("away: %v", second)
	}
	sub := first["subscriptions"].([]any)[0].(map[string]any)
	if sub["filter"] != "acme/chat/users/ana/#" || sub["qos"] != 2.0 {
		t.Errorf("subscription %v", sub)
	}

	// Only within the organization and the app, with the right to read.
	if items := s.call("GET", "/v1/apps/chat/users/bob/sessions", key, nil).want(t, http.StatusOK)["items"].([]any); len(items) != 0 {
		t.Errorf("another user has %v", items)
	}
	other := s.app(s.member("globex", "owner"), "chat")
	if items := s.call("GET", path, other, nil).want(t, http.StatusOK)["items"].([]any); len(items) != 0 {
		t.Errorf("another organization sees %v", items)
	}
	pusher := s.key("acme", "mail", tenant.ScopePush)
	s.call("GET", "/v1/apps/mail/users/ana/sessions", pusher, nil).want(t, http.StatusForbidden)
	s.call("GET", path, "", nil).want(t, http.StatusUnauthorized)
	s.call("GET", "/v1/apps/none/users/ana/sessions", key, nil).want(t, http.StatusNotFound)
	s.call("GET", path+"?cursor=*", key, nil).want(t, http.StatusUnprocessableEntity)
	s.call("GET", "/v1/apps/chat/users/a+b/sessions", key, nil).want(t, http.StatusUnprocessableEntity)
	kept.err = broker.ErrUnavailable
	s.call("GET", path, key, nil).want(t, http.StatusServiceUnavailable)
}
