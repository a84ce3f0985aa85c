package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func addPlan(t *testing.T, s *store.Store, name string, limits tenant.Limits) tenant.Plan {
	t.Helper()
	plan := tenant.Plan{Name: name, Limits: limits, CreatedAt: now}
	must(t, s.CreatePlan(t.Context(), plan))
	return plan
}

// allow gives an organization a plan and limits of its own.
func allow(t *testing.T, s *store.Store, org, plan string, limits tenant.Limits) {
	t.Helper()
	_, err := s.UpdateOrganization(t.Context(), org, store.AnyVersion, func(o *tenant.Organization) error {
		o.Plan, o.Limits = plan, limits
		return nil
	})
	must(t, err)
}

func testPlans(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	all := tenant.Limits{
		Apps: 1, Members: 2, Connections: 3, ConnectRate: 4, PublishRate: 5, PublishBytes: 6, FanoutBytes: 7, Subscriptions: 8,
		Sessions: 9, Retained: 10, TopicLevels: 11, TopicBytes: 12, PayloadBytes: 13, APIRate: 14, LogRetention: 15, LogBytes: 16,
	}
	want := addPlan(t, s, "pro", all)
	if got, err := s.Plan(t.Context(), "pro"); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	wantCode(t, s.CreatePlan(t.Context(), tenant.Plan{Name: "pro", CreatedAt: now}), fault.Conflict)
	_, err := s.Plan(t.Context(), "nothing")
	wantCode(t, err, fault.NotFound)

	addPlan(t, s, "free", tenant.Limits{})
	for _, c := range []struct {
		after string
		limit int
		want  []string
	}{
		{"", 10, []string{"default", "free", "pro"}},
		{"", 2, []string{"default", "free"}},
		{"free", 10, []string{"pro"}},
		{"pro", 10, []string{}},
	} {
		plans, err := s.Plans(t.Context(), c.after, c.limit)
		must(t, err)
		got := []string{}
		for _, p := range plans {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

func testPlanChanges(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	addPlan(t, s, "pro", tenant.Limits{Apps: 3})
	raise := func(p *tenant.Plan) error { p.Limits.Apps++; return nil }
	changed, err := s.UpdatePlan(t.Context(), "pro", 0, raise)
	if err != nil || changed.Version != 1 || changed.Limits.Apps != 4 {
		t.Errorf("changed to %+v, %v", changed, err)
	}
	_, err = s.UpdatePlan(t.Context(), "pro", 0, raise)
	wantCode(t, err, fault.PreconditionFailed)
	_, err = s.UpdatePlan(t.Context(), "nothing", 0, raise)
	wantCode(t, err, fault.NotFound)
	refused := fault.New(fault.Invalid, "no")
	_, err = s.UpdatePlan(t.Context(), "pro", store.AnyVersion, func(*tenant.Plan) error { return refused })
	wantCode(t, err, fault.Invalid)
	if got, err := s.Plan(t.Context(), "pro"); err != nil || got != changed {
		t.Errorf("kept is %+v, %v; want %+v", got, err, changed)
	}

	wantCode(t, s.DeletePlan(t.Context(), tenant.DefaultPlan, store.AnyVersion), fault.Conflict)
	wantCode(t, s.DeletePlan(t.Context(), "nothing", store.AnyVersion), fault.NotFound)
	wantCode(t, s.DeletePlan(t.Context(), "pro", 0), fault.PreconditionFailed)
	signUp(t, s, "acme")
	allow(t, s, "acme", "pro", tenant.Limits{})
	wantCode(t, s.DeletePlan(t.Context(), "pro", store.AnyVersion), fault.Conflict)
	allow(t, s, "acme", tenant.DefaultPlan, tenant.Limits{})
	must(t, s.DeletePlan(t.Context(), "pro", 1))
	_, err = s.Plan(t.Context(), "pro")
	wantCode(t, err, fault.NotFound)
}

func testOrganizationPlan(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	for _, slug := range []string{"acme", "beta", "globex"} {
		signUp(t, s, slug)
	}
	addApp(t, s, "acme", "chat")
	addPlan(t, s, "pro", tenant.Limits{Apps: 3, Connections: 1000})
	_, err := s.UpdateOrganization(t.Context(), "acme", store.AnyVersion, func(o *tenant.Organization) error {
		o.Plan = "nothing"
		return nil
	})
	wantCode(t, err, fault.Invalid)
	allow(t, s, "acme", "pro", tenant.Limits{Connections: 50, Members: 2})
	allow(t, s, "globex", "pro", tenant.Limits{})
	want := tenant.Limits{Apps: 3, Connections: 50, Members: 2}
	if h, err := s.Holdings(t.Context(), "acme"); err != nil || h.Allowed() != want || h.Plan != "pro" || h.Limits != (tenant.Limits{Connections: 50, Members: 2}) {
		t.Errorf("got %+v, %v", h, err)
	}
	if entry, err := s.Entry(t.Context(), "acme", "chat"); err != nil || entry.Limits != want {
		t.Errorf("the app's entry has %+v, %v", entry.Limits, err)
	}
	if p, err := s.Plan(t.Context(), "pro"); err != nil || p.Organizations != 2 {
		t.Errorf("the plan is %+v, %v", p, err)
	}
	before, err := s.Changes(t.Context(), 0, 1000)
	must(t, err)
	_, err = s.UpdatePlan(t.Context(), "pro", store.AnyVersion, func(p *tenant.Plan) error { p.Limits.Apps = 4; return nil })
	must(t, err)
	noted, err := s.Changes(t.Context(), before[len(before)-1].Seq, 1000)
	must(t, err)
	if len(noted) != 2 || noted[0].Organization+noted[0].Subject != "acme" || noted[1].Organization+noted[1].Subject != "globex" {
		t.Errorf("noted is %+v", noted)
	}
}

// testPlanRace: no organization is left with a plan that is gone.
func testPlanRace(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	for i := range 10 {
		name := fmt.Sprintf("plan-%d", i)
		addPlan(t, s, name, tenant.Limits{})
		var deleted, given error
		var both sync.WaitGroup
		both.Go(func() { deleted = s.DeletePlan(context.Background(), name, store.AnyVersion) })
		both.Go(func() {
			_, given = s.UpdateOrganization(context.Background(), "acme", store.AnyVersion, func(o *tenant.Organization) error {
				o.Plan = name
				return nil
			})
		})
		both.Wait()
		if (deleted == nil) == (given == nil) {
			t.Errorf("deleted: %v, given: %v", deleted, given)
		}
	}
}

func testRoomForApps(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	allow(t, s, "acme", tenant.DefaultPlan, tenant.Limits{Apps: 2})
	addApp(t, s, "acme", "one")
	oneWins(t, fault.QuotaExceeded, func(i int) error {
		app, key, signing := newApp("acme", fmt.Sprintf("app-%d", i))
		return s.CreateApp(context.Background(), app, key, signing)
	})
	addApp(t, s, "globex", "one")
	app, key, signing := newApp("nobody", "one")
	wantCode(t, s.CreateApp(t.Context(), app, key, signing), fault.NotFound)
}
