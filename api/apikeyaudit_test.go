package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/tenant"
)

// witness is a store that shows what its changes of API keys keep in the audit
// log.
type witness struct {
	api.Store
	kept []tenant.AuditEntry
}

func (w *witness) note(ctx context.Context, err error) {
	if entry := tenant.AuditOf(ctx); err == nil && entry != nil {
		w.kept = append(w.kept, *entry)
	}
}

func (w *witness) CreateAPIKey(ctx context.Context, key tenant.APIKey) error {
	err := w.Store.CreateAPIKey(ctx, key)
	w.note(ctx, err)
	return err
}

func (w *witness) UpdateAPIKey(
	ctx context.Context, org, app, id string, version int64, change func(*tenant.APIKey) error,
) (tenant.APIKey, error) {
	key, err := w.Store.UpdateAPIKey(ctx, org, app, id, version, change)
	w.note(ctx, err)
	return key, err
}

func (w *witness) RotateAPIKey(
	ctx context.Context, org, app, id string, rotate func(*tenant.APIKey) (tenant.APIKey, error),
) (last, next tenant.APIKey, err error) {
	last, next, err = w.Store.RotateAPIKey(ctx, org, app, id, rotate)
	w.note(ctx, err)
	return last, next, err
}

func (w *witness) DeleteAPIKey(ctx context.Context, org, app, id string, allow func(*tenant.APIKey) error) error {
	err := w.Store.DeleteAPIKey(ctx, org, app, id, allow)
	w.note(ctx, err)
	return err
}

func TestAPIKeysAreAudited(t *testing.T) {
	t.Parallel()
	w := &witness{}
	s := newServer(t, func(_ *api.Config, d *api.Deps) { w.Store, d.Store = d.Store, w })
	acme := s.member("acme", tenant.Owner)
	key := s.app(acme, "chat")
	id, _ := s.newKey(t, acme, `{"name":"Billing","scopes":["push","read"]}`)
	s.call("PATCH", keysPath+"/"+id, key, `{"scopes":["push"]}`, "Remote", "[2001:db8::9]:1", "X-Request-Id", "r-1").want(t, 200)
	s.call("PATCH", keysPath+"/"+id, key, `{"scopes":[]}`).problem(t, 422, "invalid") // which is no change
	s.call("POST", keysPath+"/"+id+"/rotate", acme, `{}`).want(t, 201)
	if got := s.call("DELETE", keysPath+"/"+id, acme, nil); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d", got.StatusCode)
	}
	want := []struct {
		action        string
		actor         tenant.ActorKind
		before, after string // what they have
		address, req  string
	}{
		{"api_key.create", tenant.ActorMember, "", `"scopes":["push","read"]`, "192.0.2.1", ""},
		{"api_key.update", tenant.ActorKey, `"scopes":["push","read"]`, `"scopes":["push"]`, "2001:db8::9", "r-1"},
		{"api_key.rotate", tenant.ActorMember, `"name":"Billing"`, `"name":"Billing"`, "192.0.2.1", ""},
		{"api_key.delete", tenant.ActorMember, `"replaced_by":"key_`, "", "192.0.2.1", ""},
	}
	if len(w.kept) != len(want) {
		t.Fatalf("kept %+v", w.kept)
	}
	for i, c := range want {
		e := w.kept[i]
		if e.Action != c.action || e.Target != id || e.Organization != "acme" || e.App != "chat" || e.ActorKind != c.actor || e.Actor == "" ||
			e.Address != c.address || c.req != "" && e.RequestID != c.req || e.ID == "" ||
			!strings.Contains(string(e.Before), c.before) || !strings.Contains(string(e.After), c.after) ||
			(c.before == "") != (e.Before == nil) || (c.after == "") != (e.After == nil) {
			t.Errorf("entry %d is %+v: %s, %s", i, e, e.Before, e.After)
		}
		if strings.Contains(string(e.Before)+string(e.After), "ffk_") {
			t.Errorf("%s keeps a secret", e.Action)
		}
	}
}
