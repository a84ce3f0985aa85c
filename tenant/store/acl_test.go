package store_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

var someRules = []tenant.Rule{
	{ID: "rule_1", Effect: tenant.Allow, Action: tenant.Publish, Topic: "acme/chat/room/${user}/#", Who: tenant.Who{Tag: "staff"}},
	{ID: "rule_2", Effect: tenant.Deny, Action: tenant.Subscribe, Topic: "acme/chat/+/'\"☕", Who: tenant.Who{User: "ana"}},
	{ID: "rule_3", Effect: tenant.Deny, Action: tenant.All, Topic: "acme/chat/x", Who: tenant.Who{Role: "guest"}},
}

// setACL replaces an app's rules.
func setACL(t *testing.T, s *store.Store, org, app string, rules []tenant.Rule, ifVersion int64) (tenant.ACL, error) {
	t.Helper()
	return s.UpdateACL(t.Context(), org, app, ifVersion, func([]tenant.Rule) ([]tenant.Rule, error) { return rules, nil })
}

func testACL(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	expect := func(got tenant.ACL, err error, want tenant.ACL) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	got, err := s.ACL(t.Context(), "acme", "chat")
	expect(got, err, tenant.ACL{Rules: []tenant.Rule{}})
	want := tenant.ACL{Rules: someRules, Version: 1}
	got, err = setACL(t, s, "acme", "chat", someRules, store.AnyVersion)
	expect(got, err, want)
	got, err = s.ACL(t.Context(), "acme", "chat")
	expect(got, err, want)
	_, err = s.UpdateACL(t.Context(), "acme", "chat", store.AnyVersion, func(rules []tenant.Rule) ([]tenant.Rule, error) {
		if !reflect.DeepEqual(rules, someRules) {
			t.Errorf("to be changed: %+v", rules)
		}
		return nil, fault.New(fault.NotFound, "no such rule")
	})
	wantCode(t, err, fault.NotFound)
	got, err = s.ACL(t.Context(), "acme", "chat")
	expect(got, err, want)
	got, err = setACL(t, s, "acme", "chat", []tenant.Rule{{Effect: tenant.Allow, Action: tenant.All, Topic: "acme/#", Who: tenant.Who{Everyone: true}}}, store.AnyVersion)
	if err != nil || !strings.HasPrefix(got.Rules[0].ID, "rule_") || len(got.Rules[0].ID) != 31 {
		t.Errorf("a rule without an id: %+v, %v", got, err)
	}
	again, err := s.ACL(t.Context(), "acme", "chat")
	expect(again, err, got)
	got, err = setACL(t, s, "acme", "chat", []tenant.Rule{}, store.AnyVersion)
	expect(got, err, tenant.ACL{Rules: []tenant.Rule{}, Version: 3})
}

func testACLVersions(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	set := func(ifVersion int64) (int64, error) {
		acl, err := setACL(t, s, "acme", "chat", someRules[:1], ifVersion)
		return acl.Version, err
	}
	for _, c := range []struct {
		ifVersion, version int64
		code               fault.Code
	}{
		{1, 0, fault.PreconditionFailed},
		{0, 1, ""},
		{0, 0, fault.PreconditionFailed},
		{1, 2, ""},
		{store.AnyVersion, 3, ""},
	} {
		version, err := set(c.ifVersion)
		wantCode(t, err, c.code)
		if version != c.version {
			t.Errorf("if version %d: got %d, want %d", c.ifVersion, version, c.version)
		}
	}
	_, err := setACL(t, s, "acme", "nothing", nil, 0)
	wantCode(t, err, fault.NotFound)
}

// Of many who change the same version, one wins.
func testACLRace(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	oneWins(t, fault.PreconditionFailed, func(int) error {
		_, err := setACL(t, s, "acme", "chat", someRules, 0)
		return err
	})
}
