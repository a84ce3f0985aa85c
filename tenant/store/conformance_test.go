package store_test

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// conformance is what every database must do. A test gets the configuration
// of a new, empty database.
var conformance = []struct {
	name string
	test func(t *testing.T, cfg store.Config)
}{
	{"open", testOpen},
	{"open twice", testOpenTwice},
	{"open at once", testOpenAtOnce},
	{"master key", testMasterKey},
	{"organization", testOrganization},
	{"organization conflicts", testOrganizationConflicts},
	{"organizations page by page", testOrganizations},
	{"organization by invitation", testFoundOrganization},
	{"suspension", testSuspension},
	{"deletion", testDeletion},
	{"erasure keeps others", testErasureKeepsOthers},
	{"erasures are claimed", testErasureClaims},
	{"audit", testAudit},
	{"audit without a change", testAuditAlone},
	{"audit with its change", testAuditWithItsChange},
	{"one of many sign-ups wins", testSignupRace},
	{"members", testMembers},
	{"roles", testRoles},
	{"a member goes", testRemoval},
	{"the last owner stays", testLastOwner},
	{"person", testPerson},
	{"several organizations", testMemberships},
	{"password change", testPasswordChange},
	{"password change meets log-ins", testPasswordRace},
	{"password reset", testPasswordReset},
	{"one of many redeems a reset", testPasswordResetRace},
	{"invitation", testInvitation},
	{"invitations page by page", testInvitations},
	{"invitations and roles", testInvitationRoles},
	{"invitations of who is removed", testWithdrawal},
	{"accepted by a new person", testAcceptance},
	{"accepted by somebody known", testKnownAcceptance},
	{"one of many accepts", testAcceptanceRace},
	{"members are bounded", testMemberLimit},
	{"sessions", testSessions},
	{"sessions of a person", testPersonSessions},
	{"another organization's session", testSwitch},
	{"expired sessions go away", testSessionHousekeeping},
	{"app", testApp},
	{"app conflicts", testAppConflicts},
	{"app changes", testAppChanges},
	{"app changes at once", testAppChangeRace},
	{"settings of apps from before", testMigratedSettings},
	{"apps page by page", testApps},
	{"tenants do not see each other", testTenancy},
	{"API key", testAPIKey},
	{"API keys", testAPIKeys},
	{"API key changes", testAPIKeyChanges},
	{"API key rotation", testAPIKeyRotation},
	{"API keys are bounded", testAPIKeyQuota},
	{"last uses of credentials", testUses},
	{"login", testLogin},
	{"login changes", testLoginChanges},
	{"logins page by page", testLogins},
	{"certificate", testCertificate},
	{"certificates of one subject", testCertificatesBySubject},
	{"certificates are bounded", testCertificateQuota},
	{"signing keys", testSigningKeys},
	{"signing key changes", testSigningKeyChanges},
	{"signing key rotation", testSigningKeyRotation},
	{"signing keys are bounded", testSigningKeyQuota},
	{"key set", testKeySet},
	{"documents of key sets", testKeySetDocument},
	{"key sets that are due", testKeySetClaims},
	{"entry", testEntry},
	{"entry with certificates", testEntryCertificates},
	{"secrets are sealed", testSealed},
	{"secrets are bound to their key", testSealBinding},
	{"ACL", testACL},
	{"ACL versions", testACLVersions},
	{"ACL race", testACLRace},
	{"revocation", testRevocation},
	{"revocations page by page", testRevocations},
	{"revocations are bounded", testRevocationQuota},
	{"revocations end", testRevocationsEnd},
	{"changes are noted", testChanges},
	{"changes are noted with what has changed", testChangeIsAtomic},
	{"changes go away", testChangesGo},
	{"hostile text", testHostileText},
	{"cancelled", testCancelled},
}

func runConformance(t *testing.T, open func(t *testing.T) store.Config) {
	t.Helper()
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	testenv.Postgres(t) // so that a private server outlives the subtests
	runConformance(t, func(t *testing.T) store.Config {
		t.Helper()
		return store.Config{PostgresURL: testenv.Postgres(t), Sealer: sealer(t, 1)}
	})
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	runConformance(t, func(t *testing.T) store.Config {
		t.Helper()
		// The name has characters that mean something in a database address.
		return store.Config{Path: filepath.Join(t.TempDir(), "fan fare?#%41&.db"), Sealer: sealer(t, 1)}
	})
}

// now is when the tests happen, with a precision that both databases keep.
var now = time.Date(2026, 3, 1, 12, 30, 15, 123456000, time.UTC)

func sealer(t *testing.T, fill byte) *tenant.Sealer {
	t.Helper()
	s, err := tenant.NewSealer(bytes.Repeat([]byte{fill}, tenant.MasterKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Errorf("error %v has the code %q, want %q", err, got, code)
	}
}

// oneWins has many try at once: one succeeds, the others fail with the code.
func oneWins(t *testing.T, code fault.Code, try func(i int) error) {
	t.Helper()
	errs := make([]error, 8)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() { errs[i] = try(i) })
	}
	wait.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, code)
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signUp adds an organization with an owner at owner@{slug}.example.
func signUp(t *testing.T, s *store.Store, slug string) tenant.Member {
	t.Helper()
	m := tenant.Member{
		ID: tenant.NewID("mem"), Organization: slug, Person: tenant.NewID("per"), Email: "owner@" + slug + ".example",
		Role: tenant.Owner, CreatedAt: now,
	}
	must(t, s.CreateOrganization(t.Context(), tenant.Organization{Slug: slug, Shard: 3, CreatedAt: now}, m, "hash of "+slug))
	return m
}

// newApp returns an app with its keys, not yet stored.
func newApp(org, id string) (tenant.App, tenant.APIKey, tenant.SigningKey) {
	secret := "secret of " + org + "/" + id
	app := tenant.App{
		Organization: org, ID: id, Name: "The " + id, Shard: 3, Retention: 72 * time.Hour,
		Settings: tenant.DefaultSettings(), CreatedAt: now,
	}
	key := tenant.APIKey{
		ID: tenant.NewID("key"), Organization: org, App: id, Hash: sha256.Sum256([]byte(secret)),
		Scopes: []tenant.Scope{tenant.ScopePush, tenant.ScopeRead}, CreatedAt: now,
	}
	signing := tenant.SigningKey{
		KID: tenant.NewID("sk"), Organization: org, App: id, Algorithm: tenant.HS256, Secret: secret, CreatedAt: now,
	}
	return app, key, signing
}

// addApp stores a new app.
func addApp(t *testing.T, s *store.Store, org, id string) (tenant.App, tenant.APIKey, tenant.SigningKey) {
	t.Helper()
	app, key, signing := newApp(org, id)
	must(t, s.CreateApp(t.Context(), app, key, signing))
	return app, key, signing
}
