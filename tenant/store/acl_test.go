package store_test

import (
	"reflect"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

var someRules = []tenant.Rule{
	{Effect: tenant.Allow, Action: tenant.Publish, Topic: "acme/chat/room/${user}/#", Who: tenant.Who{Tag: "staff"}},
	{Effect: tenant.Deny, Action: tenant.Subscribe, Topic: "acme/chat/+/'\"☕", Who: tenant.Who{User: "ana"}},
	{Effect: tenant.Deny, Action: tenant.All, Topic: "acme/chat/x", Who: tenant.Who{Role: "guest"}},
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
	got, err = s.SetACL(t.Context(), "acme", "chat", someRules, store.AnyVersion)
	expect(got, err, want)
	got, err = s.ACL(t.Context(), "acme", "chat")
	expect(got, err, want)
	got, err = s.SetACL(t.Context(), "acme", "chat", nil, store.AnyVersion)
	expect(got, err, tenant.ACL{Rules: []tenant.Rule{}, Version: 2})
}

func testACLVersions(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	set := func(ifVersion int64) (int64, error) {
		acl, err := s.SetACL(t.Context(), "acme", "chat", someRules[:1], ifVersion)
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
	_, err := s.SetACL(t.Context(), "acme", "nothing", nil, 0)
	wantCode(t, err, fault.NotFound)
}

// Of many who change the same version, one wins.
func testACLRace(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	oneWins(t, fault.PreconditionFailed, func(int) error {
		_, err := s.SetACL(t.Context(), "acme", "chat", someRules, 0)
		return err
	})
}
