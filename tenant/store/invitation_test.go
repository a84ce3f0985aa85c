package store_test

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func newInvitation(by tenant.Member, email string, role tenant.Role) tenant.Invitation {
	id := tenant.NewID("inv")
	return tenant.Invitation{
		ID: id, Organization: by.Organization, Email: email, Role: role, Hash: sha256.Sum256([]byte(id)),
		InvitedBy: by.Email, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

func anyRole(tenant.Role, tenant.Invitation) error { return nil }

// invite adds an invitation that lasts an hour from now.
func invite(t *testing.T, s *store.Store, by tenant.Member, email string, role tenant.Role) tenant.Invitation {
	t.Helper()
	i := newInvitation(by, email, role)
	must(t, s.CreateInvitation(t.Context(), by.ID, i, anyRole))
	return i
}

// acceptance is the member that an invitation makes.
func acceptance(i tenant.Invitation, person string) tenant.Member {
	return tenant.Member{
		ID: tenant.NewID("mem"), Organization: i.Organization, Person: person, Email: i.Email, Role: i.Role, CreatedAt: now,
	}
}

func accept(t *testing.T, s *store.Store, i tenant.Invitation, person, hash string) (tenant.Member, error) {
	t.Helper()
	m := acceptance(i, person)
	return m, s.AcceptInvitation(t.Context(), i.Hash, m, hash, newSession(m, m.ID))
}

func testInvitation(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	first := invite(t, s, ana, "bo@acme.example", tenant.Viewer)
	want := invite(t, s, ana, "bo@acme.example", tenant.Admin)
	other := invite(t, s, eve, "bo@acme.example", tenant.Viewer) // another organization's
	_, err := s.InvitationByHash(t.Context(), first.Hash, now)
	wantCode(t, err, fault.NotFound) // the second has taken its place
	for _, i := range []tenant.Invitation{want, other} {
		if got, err := s.InvitationByHash(t.Context(), i.Hash, i.ExpiresAt.Add(-time.Microsecond)); err != nil || got != i {
			t.Errorf("got %+v, %v; want %+v", got, err, i)
		}
	}
	_, err = s.InvitationByHash(t.Context(), want.Hash, want.ExpiresAt)
	wantCode(t, err, fault.NotFound)

	err = s.CreateInvitation(t.Context(), ana.ID, newInvitation(ana, ana.Email, tenant.Admin), anyRole)
	wantCode(t, err, fault.Conflict)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != "/email" {
		t.Errorf("got %+v, want it at /email", f)
	}
	wantCode(t, s.CreateInvitation(t.Context(), eve.ID, newInvitation(ana, "cy@acme.example", tenant.Viewer), anyRole), fault.Forbidden)
	wantCode(t, s.DeleteInvitation(t.Context(), "globex", eve.ID, want.ID, anyRole), fault.NotFound)
	must(t, s.DeleteInvitation(t.Context(), "acme", ana.ID, want.ID, anyRole))
	wantCode(t, s.DeleteInvitation(t.Context(), "acme", ana.ID, want.ID, anyRole), fault.NotFound)
	_, err = s.InvitationByHash(t.Context(), want.Hash, now)
	wantCode(t, err, fault.NotFound)
	_, err = accept(t, s, want, "", "hash")
	wantCode(t, err, fault.NotFound)
	if _, err := s.InvitationByHash(t.Context(), other.Hash, now); err != nil {
		t.Errorf("another organization's invitation is gone: %v", err)
	}
	_, err = raw(t, cfg).ExecContext(t.Context(), `UPDATE organizations SET deleted_at = created_at WHERE slug = 'globex'`)
	must(t, err)
	_, err = s.InvitationByHash(t.Context(), other.Hash, now)
	wantCode(t, err, fault.NotFound)
	_, err = accept(t, s, other, "", "hash")
	wantCode(t, err, fault.NotFound)
}

func testInvitations(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	invite(t, s, eve, "spy@acme.example", tenant.Viewer)
	want := map[string]bool{}
	for i := range 5 {
		want[invite(t, s, ana, strconv.Itoa(i)+"@acme.example", tenant.Viewer).ID] = true
	}
	after := ""
	for {
		page, err := s.Invitations(t.Context(), "acme", now, after, 2)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, i := range page {
			if !want[i.ID] || i.ID <= after {
				t.Errorf("got %+v behind %s", i, after)
			}
			delete(want, i.ID)
			after = i.ID
		}
	}
	if len(want) != 0 {
		t.Errorf("not listed: %v", want)
	}
	if page, err := s.Invitations(t.Context(), "acme", now.Add(time.Hour), "", 10); err != nil || len(page) != 0 {
		t.Errorf("expired ones are listed: %v, %v", page, err)
	}

	copyInvitation(t, cfg, invite(t, s, ana, "more@acme.example", tenant.Viewer), tenant.MaxInvitations-6)
	more := newInvitation(ana, "cy@acme.example", tenant.Viewer)
	wantCode(t, s.CreateInvitation(t.Context(), ana.ID, more, anyRole), fault.QuotaExceeded)
	invite(t, s, ana, "more@acme.example", tenant.Admin) // in place of one
	more.CreatedAt = now.Add(2 * time.Hour)              // when the others have expired
	more.ExpiresAt = more.CreatedAt.Add(time.Hour)
	must(t, s.CreateInvitation(t.Context(), ana.ID, more, anyRole))
}

// copyInvitation adds n invitations as one is, in one transaction.
func copyInvitation(t *testing.T, cfg store.Config, i tenant.Invitation, n int) {
	t.Helper()
	tx, err := raw(t, cfg).BeginTx(t.Context(), nil)
	must(t, err)
	for range n {
		id := tenant.NewID("inv")
		hash := sha256.Sum256([]byte(id))
		_, err := tx.ExecContext(t.Context(),
			`INSERT INTO invitations (id, organization, email, role, hash, invited_by, expires_at, created_at)
			 SELECT $1, organization, $2, role, $3, invited_by, expires_at, created_at FROM invitations WHERE id = $4`,
			id, id+"@acme.example", hash[:], i.ID)
		must(t, err)
	}
	must(t, tx.Commit())
}

// What is asked about an invitation is asked about the one that it replaces, too.
func testInvitationRoles(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana := signUp(t, s, "acme")
	bo := joins(t, s, ana, "bo@acme.example", tenant.Admin)
	owners := invite(t, s, ana, "cy@acme.example", tenant.Owner)
	refused := errors.New("refused")
	check := func(by tenant.Role, i tenant.Invitation) error {
		if !by.Manages(i.Role) {
			return refused
		}
		return nil
	}
	for _, err := range []error{
		s.CreateInvitation(t.Context(), bo.ID, newInvitation(bo, "di@acme.example", tenant.Owner), check),
		s.CreateInvitation(t.Context(), bo.ID, newInvitation(bo, "cy@acme.example", tenant.Viewer), check),
		s.DeleteInvitation(t.Context(), "acme", bo.ID, owners.ID, check),
	} {
		if !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := s.InvitationByHash(t.Context(), owners.Hash, now); err != nil {
		t.Errorf("the owner's invitation is gone: %v", err)
	}
	must(t, s.CreateInvitation(t.Context(), ana.ID, newInvitation(ana, "cy@acme.example", tenant.Viewer), check))
	must(t, s.CreateInvitation(t.Context(), bo.ID, newInvitation(bo, "cy@acme.example", tenant.Admin), check))
}

// Nobody comes back by an invitation of one's own.
func testWithdrawal(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana := signUp(t, s, "acme")
	bo := joins(t, s, ana, "bo@acme.example", tenant.Owner)
	there := addOrganization(t, s, bo, "labs")
	made := map[tenant.Role]tenant.Invitation{}
	for _, role := range []tenant.Role{tenant.Owner, tenant.Admin, tenant.Viewer} {
		made[role] = invite(t, s, bo, string(role)+"s@acme.example", role)
	}
	others := []tenant.Invitation{
		invite(t, s, ana, "cy@acme.example", tenant.Owner), invite(t, s, there, "di@acme.example", tenant.Owner),
	}
	open := func(i tenant.Invitation) bool {
		t.Helper()
		_, err := s.InvitationByHash(t.Context(), i.Hash, now)
		return err == nil
	}
	must(t, setRole(t, s, ana, bo, tenant.Admin))
	if open(made[tenant.Owner]) || !open(made[tenant.Admin]) || !open(made[tenant.Viewer]) {
		t.Error("an admin keeps what admins may give")
	}
	must(t, setRole(t, s, ana, bo, tenant.Viewer))
	if open(made[tenant.Admin]) || open(made[tenant.Viewer]) {
		t.Error("a viewer keeps invitations")
	}
	must(t, setRole(t, s, ana, bo, tenant.Admin))
	again := invite(t, s, bo, "again@acme.example", tenant.Viewer)
	must(t, s.RemoveMember(t.Context(), "acme", ana.ID, bo.ID, anybody))
	if open(again) || !open(others[0]) || !open(others[1]) {
		t.Error("who is removed takes his own invitations along, and no others")
	}
}

func testAcceptance(t *testing.T, cfg store.Config) {
	cfg.Now = func() time.Time { return now }
	s := open(t, cfg)
	ana := signUp(t, s, "acme")
	i := invite(t, s, ana, "bo@acme.example", tenant.Admin)
	for name, m := range map[string]tenant.Member{
		"another role":         {ID: "mem_1", Organization: "acme", Email: i.Email, Role: tenant.Owner, CreatedAt: now},
		"another address":      {ID: "mem_1", Organization: "acme", Email: "eve@acme.example", Role: i.Role, CreatedAt: now},
		"another organization": {ID: "mem_1", Organization: "globex", Email: i.Email, Role: i.Role, CreatedAt: now},
		"too late":             {ID: "mem_1", Organization: "acme", Email: i.Email, Role: i.Role, CreatedAt: i.ExpiresAt},
	} {
		if err := s.AcceptInvitation(t.Context(), i.Hash, m, "hash", newSession(m, "x")); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := accept(t, s, i, "", "hash of bo")
	must(t, err)
	person, hash, err := s.PersonByEmail(t.Context(), "bo@acme.example")
	if err != nil || hash != "hash of bo" {
		t.Errorf("got %q, %v", hash, err)
	}
	m.Person = person.ID
	if got, err := s.Member(t.Context(), "acme", m.ID); err != nil || got != m {
		t.Errorf("got %+v, %v; want %+v", got, err, m)
	}
	if !lives(t, s, newSession(m, m.ID)) {
		t.Error("the member is not signed in")
	}
	_, err = accept(t, s, i, "", "hash")
	wantCode(t, err, fault.NotFound)
}

func testKnownAcceptance(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	i := invite(t, s, ana, eve.Email, tenant.Viewer)
	_, err := accept(t, s, i, "", "hash of somebody new") // who was new when the link was looked at
	wantCode(t, err, fault.Conflict)
	_, err = accept(t, s, i, eve.Person, "another hash")
	wantCode(t, err, fault.Conflict)
	m, err := accept(t, s, i, eve.Person, "hash of globex") // what failed has not used it up
	must(t, err)
	got, err := s.Memberships(t.Context(), eve.Person)
	if err != nil || len(got) != 2 || got[0] != eve && got[1] != eve || got[0] != m && got[1] != m {
		t.Errorf("got %+v, %v", got, err)
	}
}

func testAcceptanceRace(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana, eve := signUp(t, s, "acme"), signUp(t, s, "globex")
	fresh := invite(t, s, ana, "bo@acme.example", tenant.Admin)
	oneWins(t, fault.NotFound, func(int) error {
		_, err := accept(t, s, fresh, "", "hash")
		return err
	})
	known := invite(t, s, ana, eve.Email, tenant.Admin)
	oneWins(t, fault.NotFound, func(int) error {
		_, err := accept(t, s, known, eve.Person, "hash of globex")
		return err
	})
}

func testMemberLimit(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	ana := signUp(t, s, "acme")
	eve := signUp(t, s, "globex")
	database := raw(t, cfg)
	set := func(query string) {
		t.Helper()
		_, err := database.ExecContext(t.Context(), query)
		must(t, err)
	}
	var invitations []tenant.Invitation
	for i := range 8 {
		invitations = append(invitations, invite(t, s, ana, strconv.Itoa(i)+"@acme.example", tenant.Viewer))
	}
	set(`UPDATE plans SET limits = '{"members":1}' WHERE name = 'default'`)
	set(`UPDATE organizations SET limits = '{"members":2}' WHERE slug = 'acme'`)
	oneWins(t, fault.QuotaExceeded, func(i int) error {
		_, err := accept(t, s, invitations[i], "", "hash")
		return err
	})
	for _, by := range []tenant.Member{ana, eve} { // by the limit of its own, and by the plan's
		err := s.CreateInvitation(t.Context(), by.ID, newInvitation(by, "cy@acme.example", tenant.Viewer), anyRole)
		wantCode(t, err, fault.QuotaExceeded)
	}
}
