package store_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// joins makes somebody new a member, by an invitation.
func joins(t *testing.T, s *store.Store, by tenant.Member, email string, role tenant.Role) tenant.Member {
	t.Helper()
	i := invite(t, s, by, email, role)
	m := tenant.Member{ID: tenant.NewID("mem"), Organization: i.Organization, Email: email, Role: role, CreatedAt: now}
	must(t, s.AcceptInvitation(t.Context(), i.Hash, m, "hash of "+email, newSession(m, "token of "+email)))
	m, err := s.Member(t.Context(), m.Organization, m.ID)
	must(t, err)
	return m
}

// setRole changes a role, whoever asks for it.
func setRole(t *testing.T, s *store.Store, by, m tenant.Member, role tenant.Role) error {
	t.Helper()
	_, err := s.UpdateMember(t.Context(), m.Organization, by.ID, m.ID, func(_ tenant.Role, m *tenant.Member) error {
		m.Role = role
		return nil
	})
	return err
}

func anybody(tenant.Role, tenant.Member) error { return nil }

func testMembers(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	owner, other := signUp(t, s, "acme"), signUp(t, s, "globex")
	want := []tenant.Member{owner}
	for i := range 4 {
		want = append(want, joins(t, s, owner, strconv.Itoa(i)+"@acme.example", tenant.Viewer))
	}
	slices.SortFunc(want[1:], func(a, b tenant.Member) int { // made within one millisecond, they are in any order
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	var got []tenant.Member
	for after := ""; ; after = got[len(got)-1].ID {
		page, err := s.Members(t.Context(), "acme", after, 2)
		must(t, err)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if m, err := s.Member(t.Context(), "acme", owner.ID); err != nil || m != owner {
		t.Errorf("got %+v, %v", m, err)
	}
	// What belongs to somebody else is not there.
	_, err := s.Member(t.Context(), "acme", other.ID)
	wantCode(t, err, fault.NotFound)
	_, err = s.UpdateMember(t.Context(), "acme", owner.ID, other.ID, func(tenant.Role, *tenant.Member) error { return nil })
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.RemoveMember(t.Context(), "acme", owner.ID, other.ID, anybody), fault.NotFound)
	wantCode(t, s.RemoveMember(t.Context(), "globex", owner.ID, other.ID, anybody), fault.Forbidden)
}

func testRoles(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	owner := signUp(t, s, "acme")
	bo := joins(t, s, owner, "bo@acme.example", tenant.Viewer)
	session := newSession(bo, "token of bo@acme.example")
	var by tenant.Role
	got, err := s.UpdateMember(t.Context(), "acme", owner.ID, bo.ID, func(role tenant.Role, m *tenant.Member) error {
		by, m.Role = role, tenant.Admin
		return nil
	})
	bo.Role = tenant.Admin
	if err != nil || got != bo || by != tenant.Owner {
		t.Errorf("got %+v by %s, %v", got, by, err)
	}
	// It holds for the session that is there.
	if in, err := s.SessionByHash(t.Context(), session.Hash, now); err != nil || in.Member != bo {
		t.Errorf("got %+v, %v", in.Member, err)
	}
	// What is refused does not happen.
	refused := errors.New("refused")
	_, err = s.UpdateMember(t.Context(), "acme", bo.ID, owner.ID, func(role tenant.Role, m *tenant.Member) error {
		by, m.Role = role, tenant.Viewer
		return refused
	})
	if !errors.Is(err, refused) || by != tenant.Admin {
		t.Errorf("by %s, %v", by, err)
	}
	err = s.RemoveMember(t.Context(), "acme", bo.ID, owner.ID, func(tenant.Role, tenant.Member) error { return refused })
	if m, missing := s.Member(t.Context(), "acme", owner.ID); !errors.Is(err, refused) || missing != nil || m != owner {
		t.Errorf("got %+v, %v, %v", m, err, missing)
	}
}

// A removed member's sessions end, and who belongs nowhere any more is gone.
func testRemoval(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	owner := signUp(t, s, "acme")
	bo := joins(t, s, owner, "bo@acme.example", tenant.Admin)
	session := newSession(bo, "token of bo@acme.example")
	there := addOrganization(t, s, bo, "labs")
	elsewhere := signIn(t, s, there, "elsewhere")
	must(t, s.RemoveMember(t.Context(), "acme", owner.ID, bo.ID, anybody))
	if lives(t, s, session) || !lives(t, s, elsewhere) {
		t.Error("the sessions in the organization end, and no others")
	}
	wantCode(t, s.RemoveMember(t.Context(), "acme", owner.ID, bo.ID, anybody), fault.NotFound)
	wantCode(t, s.RemoveMember(t.Context(), "acme", bo.ID, owner.ID, anybody), fault.Forbidden)
	wantCode(t, s.CreateSession(t.Context(), newSession(bo, "late")), fault.NotFound)
	if _, _, err := s.PersonByEmail(t.Context(), "bo@acme.example"); err != nil {
		t.Errorf("the person of another organization is gone: %v", err)
	}

	cy := joins(t, s, owner, "cy@acme.example", tenant.Viewer)
	must(t, s.RemoveMember(t.Context(), "acme", cy.ID, cy.ID, anybody))
	_, _, err := s.PersonByEmail(t.Context(), "cy@acme.example")
	wantCode(t, err, fault.NotFound)
}

// However many owners go at once, one stays.
func testLastOwner(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	owners := []tenant.Member{signUp(t, s, "acme")}
	wantCode(t, setRole(t, s, owners[0], owners[0], tenant.Admin), fault.Conflict)
	wantCode(t, s.RemoveMember(t.Context(), "acme", owners[0].ID, owners[0].ID, anybody), fault.Conflict)
	if m, err := s.Member(t.Context(), "acme", owners[0].ID); err != nil || m != owners[0] {
		t.Errorf("got %+v, %v", m, err)
	}
	owners = append(owners, joins(t, s, owners[0], "bo@acme.example", tenant.Owner))
	for range 20 {
		errs := make([]error, len(owners))
		var wait sync.WaitGroup
		for i, m := range owners { // by themselves, so that nobody has lost the right to
			wait.Go(func() { errs[i] = setRole(t, s, m, m, tenant.Viewer) })
		}
		wait.Wait()
		left := ownersOf(t, s)
		if len(left) != 1 || (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("%d owners are left: %v", len(left), errs)
		}
		wantCode(t, errors.Join(errs...), fault.Conflict)
		for _, m := range owners {
			must(t, setRole(t, s, left[0], m, tenant.Owner))
		}
	}
	for i := range 6 {
		owners = append(owners, joins(t, s, owners[0], strconv.Itoa(i)+"@acme.example", tenant.Owner))
	}
	var wait sync.WaitGroup
	for _, m := range owners {
		wait.Go(func() {
			if err := s.RemoveMember(t.Context(), "acme", m.ID, m.ID, anybody); err != nil {
				wantCode(t, err, fault.Conflict)
			}
		})
	}
	wait.Wait()
	if left := ownersOf(t, s); len(left) != 1 {
		t.Errorf("%d owners are left", len(left))
	}
}

func ownersOf(t *testing.T, s *store.Store) []tenant.Member {
	t.Helper()
	members, err := s.Members(t.Context(), "acme", "", 100)
	must(t, err)
	return slices.DeleteFunc(members, func(m tenant.Member) bool { return m.Role != tenant.Owner })
}
