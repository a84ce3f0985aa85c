package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// audited makes a change of acme with an entry in the audit log.
func audited(t *testing.T, s *store.Store, e tenant.AuditEntry) {
	t.Helper()
	_, err := s.UpdateOrganization(tenant.WithAudit(t.Context(), &e), "acme", store.AnyVersion, func(*tenant.Organization) error { return nil })
	must(t, err)
}

func testAudit(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	for i, e := range []tenant.AuditEntry{
		{Organization: "acme", Action: "app.create", Target: "chat", App: "chat", Actor: "mem_1", ActorName: "ana@acme.example", After: []byte(`{"a":1}`)},
		{Organization: "acme", Action: "app.update", Target: "chat", App: "chat", Actor: "key_1", ActorKind: tenant.ActorKey},
		{Organization: "acme", Action: "apple.pick", Target: "x"},
		{Organization: "globex", Action: "app.create", Target: "mail", App: "mail"},
		{Action: "plan.update", Target: "default", ActorKind: tenant.ActorOperator},
	} {
		e.CreatedAt, e.RequestID, e.Address = now.Add(time.Duration(i)*time.Hour), fmt.Sprintf("req_%d", i), "10.0.0.1"
		audited(t, s, e)
	}
	for _, c := range []struct {
		query tenant.AuditQuery
		want  []string
	}{
		{tenant.AuditQuery{}, []string{"req_4", "req_3", "req_2", "req_1", "req_0"}},
		{tenant.AuditQuery{Organization: "acme"}, []string{"req_2", "req_1", "req_0"}},
		{tenant.AuditQuery{Organization: "acme", App: "chat"}, []string{"req_1", "req_0"}},
		{tenant.AuditQuery{Action: "app"}, []string{"req_3", "req_1", "req_0"}},
		{tenant.AuditQuery{Action: "app.create"}, []string{"req_3", "req_0"}},
		{tenant.AuditQuery{Action: "%"}, nil},
		{tenant.AuditQuery{Actor: "key_1"}, []string{"req_1"}},
		{tenant.AuditQuery{Actor: "ana@acme.example"}, []string{"req_0"}},
		{tenant.AuditQuery{Since: now.Add(time.Hour), Until: now.Add(3 * time.Hour)}, []string{"req_2", "req_1"}},
		{tenant.AuditQuery{Organization: "nobody"}, nil},
	} {
		c.query.Limit = 10
		var got []string
		for _, e := range must2(s.Audit(t.Context(), c.query))(t) {
			got = append(got, e.RequestID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q, want %q", c.query, got, c.want)
		}
	}
	all := must2(s.Audit(t.Context(), tenant.AuditQuery{Limit: 2}))(t)
	next := must2(s.Audit(t.Context(), tenant.AuditQuery{Limit: 9, Before: all[1].ID}))(t)
	if len(all) != 2 || len(next) != 3 || next[0].RequestID != "req_2" {
		t.Errorf("pages %+v, %+v", all, next)
	}
	if e := next[2]; string(e.After) != `{"a":1}` || e.Before != nil || !e.CreatedAt.Equal(now) || e.Address != "10.0.0.1" || e.Target != "chat" {
		t.Errorf("got %+v", e)
	}
	if more := must2(s.PruneAudit(t.Context(), now.Add(150*time.Minute)))(t); !more {
		t.Error("nothing was pruned")
	}
	if more := must2(s.PruneAudit(t.Context(), now.Add(150*time.Minute)))(t); more {
		t.Error("there is more than there was")
	}
	if left := must2(s.Audit(t.Context(), tenant.AuditQuery{Limit: 9}))(t); len(left) != 2 {
		t.Errorf("left %+v", left)
	}
}

// testAuditWithItsChange: a change that fails leaves no entry, nor does an entry
// that cannot be kept leave a change.
func testAuditWithItsChange(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	refused := errors.New("refused")
	e := tenant.AuditEntry{Organization: "acme", Action: "x", CreatedAt: now}
	_, err := s.UpdateOrganization(tenant.WithAudit(t.Context(), &e), "acme", store.AnyVersion, func(*tenant.Organization) error { return refused })
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	wantCode(t, s.DeleteOrganization(tenant.WithAudit(t.Context(), &e), "nobody", now), fault.NotFound)
	if got := must2(s.Audit(t.Context(), tenant.AuditQuery{Limit: 9}))(t); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	e.CreatedAt = time.Time{} // which the schema refuses
	_, err = s.UpdateOrganization(tenant.WithAudit(t.Context(), &e), "acme", store.AnyVersion, func(o *tenant.Organization) error {
		o.SuspendedFor = "kept?"
		return nil
	})
	if err == nil {
		t.Error("an entry without a time was kept")
	}
	if org := must2(s.Organization(t.Context(), "acme"))(t); org.SuspendedFor != "" || org.Version != 0 {
		t.Errorf("got %+v", org)
	}
}

// must2 is must for a result.
func must2[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// testAuditAlone keeps entries that come with no change of the store.
func testAuditAlone(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	must(t, s.KeepAudit(t.Context(), nil))
	must(t, s.KeepAudit(t.Context(), []tenant.AuditEntry{
		{Organization: "acme", Action: "across.read", Target: "acme/chat/x", ActorKind: tenant.ActorDevice, Actor: "ops/console/watch", CreatedAt: now},
		{Organization: "ops", Action: "across.read", Target: "acme acme/chat/x", ActorKind: tenant.ActorDevice, Actor: "ops/console/watch", CreatedAt: now},
	}))
	for org, target := range map[string]string{"acme": "acme/chat/x", "ops": "acme acme/chat/x"} {
		got, err := s.Audit(t.Context(), tenant.AuditQuery{Organization: org, Limit: 10})
		if err != nil || len(got) != 1 || got[0].Target != target || got[0].Actor != "ops/console/watch" || !got[0].CreatedAt.Equal(now) || got[0].ID == "" {
			t.Errorf("%s has %+v, %v", org, got, err)
		}
	}
}
