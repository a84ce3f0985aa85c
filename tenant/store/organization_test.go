package store_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func testOrganization(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	_, err := s.Organization(t.Context(), "acme")
	wantCode(t, err, fault.NotFound)

	want := tenant.Organization{Slug: "acme", Shard: 65535, Plan: tenant.DefaultPlan, CreatedAt: now}
	must(t, s.CreateOrganization(t.Context(), want, tenant.Member{
		ID: tenant.NewID("mem"), Email: "ana@acme.example", Role: tenant.Owner, CreatedAt: now,
	}, "hash"))
	got, err := s.Organization(t.Context(), "acme")
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func testOrganizations(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	for _, slug := range []string{"acme", "acme-labs", "globex"} {
		signUp(t, s, slug)
	}
	addApp(t, s, "acme", "chat")
	for _, c := range []struct {
		query, after string
		limit        int
		want         []string
	}{
		{"", "", 10, []string{"acme", "acme-labs", "globex"}},
		{"", "", 2, []string{"acme", "acme-labs"}},
		{"", "acme", 10, []string{"acme-labs", "globex"}},
		{"labs", "", 10, []string{"acme-labs"}},
		{"c%l", "", 10, []string{}},
		{"acme_labs", "", 10, []string{}},
		{`\`, "", 10, []string{}},
	} {
		found, err := s.Organizations(t.Context(), c.query, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, h := range found {
			got = append(got, h.Slug)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q", c, got)
		}
	}
	h, err := s.Holdings(t.Context(), "acme")
	if err != nil || h.Apps != 1 || h.Members != 1 || h.Plan != tenant.DefaultPlan {
		t.Errorf("got %+v, %v", h, err)
	}
	_, err = s.Holdings(t.Context(), "nobody")
	wantCode(t, err, fault.NotFound)
}

func testOrganizationConflicts(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	for _, c := range []struct{ slug, email, field string }{
		{"acme", "new@acme.example", "/organization"},
		{"acme", "owner@acme.example", "/organization"},
		{"globex", "owner@acme.example", "/email"},
		{"globex", " Owner@ACME.example ", "/email"},
	} {
		err := s.CreateOrganization(t.Context(), tenant.Organization{Slug: c.slug, CreatedAt: now}, tenant.Member{
			ID: tenant.NewID("mem"), Email: c.email, Role: tenant.Owner, CreatedAt: now,
		}, "another hash")
		wantCode(t, err, fault.Conflict)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != c.field {
			t.Errorf("%+v: %+v, want it at %s", c, f, c.field)
		}
	}
	_, err := s.Organization(t.Context(), "globex")
	wantCode(t, err, fault.NotFound) // nothing of a failed sign-up remains
	if _, hash, err := s.PersonByEmail(t.Context(), "owner@acme.example"); err != nil || hash != "hash of acme" {
		t.Errorf("got %q, %v", hash, err)
	}
}

func testSignupRace(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	oneWins(t, fault.Conflict, func(i int) error {
		return s.CreateOrganization(t.Context(), tenant.Organization{Slug: "acme", CreatedAt: now}, tenant.Member{
			ID: tenant.NewID("mem"), Email: strconv.Itoa(i) + "@acme.example", Role: tenant.Owner, CreatedAt: now,
		}, "hash")
	})
}
