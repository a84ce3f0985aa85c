package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// opsKeys and opsLogins are of the operator's organization.
const (
	opsKeys   = "/v1/apps/console/api-keys"
	opsLogins = "/v1/apps/console/logins"
	opsPub    = "/v1/apps/console/publish"
	superBody = `{"username":"watch","password":"a long password","user":"ana","super":true}`
)

// newAbove returns a server whose operator may be above the wall, and the
// account of that.
func newAbove(t *testing.T) (*server, *auth.Above) {
	t.Helper()
	var above *auth.Above
	s := newServer(t, func(_ *api.Config, d *api.Deps) {
		src, ok := d.Store.(auth.AboveSource)
		if !ok {
			t.Fatal("the store has no organizations")
		}
		above = auth.NewAbove(src, "ops", slog.New(slog.DiscardHandler), d.Now)
		d.Above = above
	})
	return s, above
}

func (s *server) audit(t *testing.T, org string) []tenant.AuditEntry {
	t.Helper()
	entries, err := s.store.Audit(t.Context(), tenant.AuditQuery{Organization: org, Action: "across", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestKeysAboveTheWall: they publish to any organization that there is, into its
// own stream, and both organizations' audit logs say so, once.
func TestKeysAboveTheWall(t *testing.T) {
	t.Parallel()
	s, above := newAbove(t)
	ops := s.member("ops", tenant.Owner)
	s.app(ops, "console")
	now := s.clock.Now()
	err := s.store.CreateOrganization(t.Context(), tenant.Organization{Slug: "far", Shard: 11, CreatedAt: now},
		tenant.Member{ID: tenant.NewID("mem"), Organization: "far", Email: "x@far.example", Role: tenant.Owner, CreatedAt: now}, "none")
	if err != nil {
		t.Fatal(err)
	}
	made := s.call("POST", opsKeys, ops, `{"name":"Broadcaster","scopes":["push","manage"],"across":true}`).want(t, http.StatusCreated)
	key, _ := made["secret"].(string)
	id, _ := made["id"].(string)
	if made["across"] != true {
		t.Errorf("created %v", made)
	}
	for range 3 {
		s.call("POST", opsPub, key, `{"topic":"far/chat/broadcast","payload":"hello"}`).want(t, http.StatusAccepted)
	}
	if m := s.bus.last(t); m.Topic != "far/chat/broadcast" || m.Position.Shard != 11 {
		t.Errorf("published %s to shard %d", m.Topic, m.Position.Shard)
	}
	s.call("POST", opsPub, key, `{"topic":"ops/console/x","payload":""}`).want(t, http.StatusAccepted)
	if m := s.bus.last(t); m.Position.Shard != 5 {
		t.Errorf("its own message is in shard %d", m.Position.Shard)
	}
	sent := len(s.bus.messages)
	s.call("POST", opsPub, key, `{"topic":"nobody/chat/x","payload":""}`).problem(t, 404, "not_found")
	for _, topic := range []string{"far", "$SYS/x", "/far/x"} {
		if got := s.call("POST", opsPub, key, `{"topic":"`+topic+`","payload":""}`); got.StatusCode/100 != 4 {
			t.Errorf("%s: %d", topic, got.StatusCode)
		}
	}
	// An ordinary key of the same app stays inside, and no key makes such keys.
	plain := s.call("POST", opsKeys, ops, `{"scopes":["push","manage"]}`).want(t, http.StatusCreated)["secret"].(string)
	s.call("POST", opsPub, plain, `{"topic":"far/chat/x","payload":""}`).problem(t, 403, "outside_wall")
	for _, token := range []string{plain, key} {
		fields := s.call("POST", opsKeys, token, `{"scopes":["push"],"across":true}`).problem(t, 422, "invalid")
		if !slices.Equal(fields, []string{"/across"}) {
			t.Errorf("fields %q", fields)
		}
	}
	s.call("POST", opsKeys+"/"+id+"/rotate", plain, `{}`).problem(t, 403, "forbidden")
	s.call("POST", opsKeys+"/"+id+"/rotate", key, `{}`).problem(t, 403, "forbidden")
	if len(s.bus.messages) != sent {
		t.Error("something was published that must not be")
	}

	if err := above.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	far, own := s.audit(t, "far"), s.audit(t, "ops")
	if len(far) != 1 || len(own) != 1 {
		t.Fatalf("the audit logs have %+v and %+v", far, own)
	}
	if e := far[0]; e.Action != "across.publish" || e.ActorKind != tenant.ActorKey || e.Actor != id || e.ActorName != "Broadcaster" ||
		e.Target != "far/chat/broadcast" || e.Address != "192.0.2.1" || own[0].Actor != id {
		t.Errorf("kept %+v", e)
	}
	// A rotation by an owner keeps it above the wall.
	next := s.call("POST", opsKeys+"/"+id+"/rotate", ops, `{}`).want(t, 201)["api_key"].(map[string]any)
	s.call("POST", opsPub, next["secret"].(string), `{"topic":"far/chat/x","payload":""}`).want(t, http.StatusAccepted)
	if got := s.call("DELETE", opsKeys+"/"+next["id"].(string), ops, nil); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d", got.StatusCode)
	}
	s.call("POST", opsPub, next["secret"].(string), `{"topic":"far/chat/x","payload":""}`).problem(t, 401, "unauthenticated")
}

// raised puts an API key and the login "watch" above the wall, into the store,
// and returns the key's id.
func (s *server) raised(t *testing.T) (id string) {
	t.Helper()
	key := tenant.APIKey{
		ID: tenant.NewID("key"), Organization: "ops", App: "console", Hash: auth.HashSecret(auth.NewAPIKeySecret()), Across: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Scopes: []tenant.Scope{tenant.ScopePush}, CreatedAt: s.clock.Now(),
	}
	login := tenant.Login{
		Organization: "ops", App: "console", Username: "watch", PasswordHash: "x", User: "ana", Enabled: true, Super: true, CreatedAt: s.clock.Now(),
	}
	if err := errors.Join(s.store.CreateAPIKey(t.Context(), key), s.store.CreateLogin(t.Context(), login)); err != nil {
		t.Fatal(err)
	}
	return key.ID
}

// TestOwnersPutCredentialsAboveTheWall: with the password, and nobody else.
func TestOwnersPutCredentialsAboveTheWall(t *testing.T) {
	t.Parallel()
	s, _ := newAbove(t)
	ops, acme := s.member("ops", tenant.Owner), s.member("acme", tenant.Owner)
	s.app(ops, "console")
	s.app(acme, "console")
	for path, c := range map[string][2]string{opsKeys: {`{"scopes":["push"],"across":true}`, "/across"}, opsLogins: {superBody, "/super"}} {
		if fields := s.call("POST", path, acme, c[0]).problem(t, 422, "invalid"); !slices.Equal(fields, []string{c[1]}) {
			t.Errorf("fields %q", fields)
		}
	}
	if got := s.call("POST", opsLogins, ops, superBody).want(t, 201); got["super"] != true {
		t.Errorf("created %v", got)
	}
	s.call("POST", opsLogins, ops, `{"username":"other","password":"a long password","user":"ana"}`).want(t, 201)
	s.clock.Advance(11 * time.Minute)
	s.call("PATCH", opsLogins+"/watch", ops, `{"password":"another long password"}`).problem(t, 403, "step_up_required")
	s.call("PATCH", opsLogins+"/other", ops, `{"super":true}`).problem(t, 403, "step_up_required")
	ops = s.signIn("ops")
	s.call("PATCH", opsLogins+"/watch", ops, `{"password":"another long password"}`).want(t, 200)
	s.call("PATCH", opsLogins+"/other", ops, `{"super":true}`).want(t, 200)
}

// TestOthersDoNotGetAboveTheWall: neither admins nor keys make such credentials,
// or change them so that they could use them. To end one is easy.
func TestOthersDoNotGetAboveTheWall(t *testing.T) {
	t.Parallel()
	s, _ := newAbove(t)
	admin := s.member("ops", tenant.Admin)
	plain := s.key("ops", "console", tenant.ScopePush, tenant.ScopeManage)
	key := s.raised(t)
	s.call("POST", opsLogins, plain, `{"username":"other","password":"a long password","user":"ana"}`).want(t, 201)
	for _, token := range []string{admin, plain} {
		for path, body := range map[string]string{opsKeys: `{"scopes":["push"],"across":true}`, opsLogins: superBody} {
			s.call("POST", path, token, body).problem(t, 422, "invalid")
		}
		for _, c := range [][3]string{
			{"POST", opsKeys + "/" + key + "/rotate", `{}`},
			{"PATCH", opsKeys + "/" + key, `{"addresses":[]}`},
			{"PATCH", opsLogins + "/watch", `{"password":"another long password"}`},
			{"PATCH", opsLogins + "/watch", `{"user":"bo"}`},
		} {
			s.call(c[0], c[1], token, c[2]).problem(t, 403, "forbidden")
		}
		s.call("PATCH", opsLogins+"/other", token, `{"super":true}`).problem(t, 422, "invalid")
	}
	if got := s.call("PATCH", opsLogins+"/watch", plain, `{"super":false}`).want(t, 200); got["super"] != nil {
		t.Errorf("changed to %v", got)
	}
	if got := s.call("DELETE", opsKeys+"/"+key, admin, nil); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d", got.StatusCode)
	}
}

// TestNobodyIsAboveTheWallByDefault: neither new credentials nor old ones.
func TestNobodyIsAboveTheWallByDefault(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ops := s.member("ops", tenant.Owner)
	s.app(ops, "console")
	s.member("acme", tenant.Owner)
	s.call("POST", opsKeys, ops, `{"scopes":["push"],"across":true}`).problem(t, 422, "invalid")
	s.call("POST", opsLogins, ops, superBody).problem(t, 422, "invalid")
	secret := auth.NewAPIKeySecret()
	err := s.store.CreateAPIKey(t.Context(), tenant.APIKey{
		ID: tenant.NewID("key"), Organization: "ops", App: "console", Hash: auth.HashSecret(secret), Across: true,
		Scopes: []tenant.Scope{tenant.ScopePush}, CreatedAt: s.clock.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.call("POST", opsPub, secret, `{"topic":"acme/chat/x","payload":""}`).problem(t, 403, "outside_wall")
}

// TestKeysOfOthersAreNeverAboveTheWall: a mark in the database alone does nothing.
func TestKeysOfOthersAreNeverAboveTheWall(t *testing.T) {
	t.Parallel()
	s, _ := newAbove(t)
	s.app(s.member("acme", tenant.Owner), "chat")
	s.member("globex", tenant.Owner)
	secret := auth.NewAPIKeySecret()
	err := s.store.CreateAPIKey(t.Context(), tenant.APIKey{
		ID: tenant.NewID("key"), Organization: "acme", App: "chat", Hash: auth.HashSecret(secret), Across: true,
		Scopes: []tenant.Scope{tenant.ScopePush}, CreatedAt: s.clock.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.call("POST", pubPath, secret, `{"topic":"globex/chat/x","payload":""}`).problem(t, 403, "outside_wall")
}

// away is an auth.AboveSource that does not answer.
type away struct{}

func (away) Organization(context.Context, string) (tenant.Organization, error) {
	return tenant.Organization{}, fault.New(fault.Unavailable, "the database does not answer")
}

func (away) KeepAudit(context.Context, []tenant.AuditEntry) error {
	return fault.New(fault.Unavailable, "the database does not answer")
}

func TestAboveTheWallWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(_ *api.Config, d *api.Deps) {
		d.Above = auth.NewAbove(away{}, "ops", slog.New(slog.DiscardHandler), d.Now)
	})
	ops := s.member("ops", tenant.Owner)
	s.app(ops, "console")
	key := s.call("POST", opsKeys, ops, `{"scopes":["push"],"across":true}`).want(t, 201)["secret"].(string)
	s.call("POST", opsPub, key, `{"topic":"acme/chat/x","payload":""}`).problem(t, 503, "unavailable")
	if strings.Contains(s.log.String(), key) {
		t.Error("the log has a secret")
	}
}

// TestNothingGoesToTheSuspended: not from above the wall either.
func TestNothingGoesToTheSuspended(t *testing.T) {
	t.Parallel()
	s, above := newAbove(t)
	ops := s.member("ops", tenant.Owner)
	s.app(ops, "console")
	s.member("far", tenant.Owner)
	key, _ := s.call("POST", opsKeys, ops, `{"name":"Broadcaster","scopes":["push"],"across":true}`).want(t, http.StatusCreated)["secret"].(string)
	publish := func() answer { return s.call("POST", opsPub, key, `{"topic":"far/chat/x","payload":"hello"}`) }
	publish().want(t, http.StatusAccepted)
	s.call("POST", "/v1/operator/organizations/far/suspend", s.operator(), `{"reason":"unpaid"}`).want(t, http.StatusOK)
	above.Invalidate("far") // as all nodes do when they hear of it
	publish().problem(t, http.StatusForbidden, "organization_suspended")
	s.call("POST", "/v1/operator/organizations/far/resume", s.operator(), nil).want(t, http.StatusOK)
	above.Invalidate("far")
	publish().want(t, http.StatusAccepted)
}
