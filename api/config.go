package api

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/tally"
	"github.com/fanfare-mq/fanfare/tenant"
)

// DefaultRetention is how long the log keeps a new app's messages unless the
// operator says otherwise: a phone that was off over a week's holiday still
// gets its messages.
const DefaultRetention = 7 * 24 * time.Hour

// Config is what an operator decides about the API.
type Config struct {
	// Surface says which part of the API is served.
	Surface Surface
	// PublicHTTP is the address that backends are told to use, as a URL.
	PublicHTTP string
	// PublicMQTT, PublicMQTTS, PublicWS and PublicWSS are the addresses that
	// devices are told to use, as URLs. An empty one is not there.
	PublicMQTT, PublicMQTTS, PublicWS, PublicWSS string
	// PublicAdmin is where management is served, if apart from the rest. The
	// default is PublicHTTP.
	PublicAdmin string
	// Proxies are the networks of the reverse proxies whose X-Forwarded-For is
	// believed.
	Proxies []netip.Prefix
	// SignupClosed refuses new organizations.
	SignupClosed bool
	// OperatorOrganization is a slug that nobody may sign up, or empty.
	OperatorOrganization string
	// Shards tells how many streams of the log new organizations are spread
	// over; nil means 1.
	Shards func() int
	// Retention is how long the log keeps a new app's messages. The default is
	// DefaultRetention.
	Retention time.Duration
	// MaxRetention is the longest that an app may have its messages kept. The
	// default is Retention.
	MaxRetention time.Duration
}

// Deps are the parts that the API speaks to.
type Deps struct {
	Store     Store
	Apps      Apps
	Callers   Callers
	Tokens    Tokens
	Above     Above // nil: nobody is above the wall
	Publisher Publisher
	Announcer Announcer
	Sessions  Sessions
	KeySets   KeySets
	// Tally counts requests and knows who makes the most noise; nil: one of this
	// API's own.
	Tally *tally.Tally
	// Checks tell, by the name of a component, whether it answers. They make
	// up the readiness of the node.
	Checks map[string]Check
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// complete says that nothing is missing that has no default.
func (d *Deps) complete() bool {
	return d.Store != nil && d.Apps != nil && d.Callers != nil && d.Tokens != nil && d.Publisher != nil && d.Announcer != nil && d.Sessions != nil &&
		d.KeySets != nil
}

// Store keeps organizations and apps.
type Store interface {
	PeopleStore
	Organizations
	AuditLog
	AppStore
	Credentials
}

// Credentials are what apps' backends and devices prove themselves with.
type Credentials interface {
	KeyStore
	DeviceCredentials
}

// PeopleStore keeps who manages organizations, and how they come in.
type PeopleStore interface {
	Members
	People
	SignIns
	Invitations
}

// Members keeps organizations and the people who manage them.
type Members interface {
	CreateOrganization(ctx context.Context, org tenant.Organization, owner tenant.Member, passwordHash string) error
	AddOrganization(ctx context.Context, org tenant.Organization, owner tenant.Member) error
	Members(ctx context.Context, org, after string, limit int) ([]tenant.Member, error)
	Member(ctx context.Context, org, id string) (tenant.Member, error)
	UpdateMember(ctx context.Context, org, by, id string, change func(by tenant.Role, m *tenant.Member) error) (tenant.Member, error)
	RemoveMember(ctx context.Context, org, by, id string, check func(by tenant.Role, m tenant.Member) error) error
}

// People keeps who signs in, and with what.
type People interface {
	PersonByEmail(ctx context.Context, email string) (p tenant.Person, passwordHash string, err error)
	Memberships(ctx context.Context, person string) ([]tenant.Member, error)
	ChangePassword(ctx context.Context, person, from, to string, keep [32]byte) error
	CreatePasswordReset(ctx context.Context, email string, reset tenant.PasswordReset) error
	PasswordReset(ctx context.Context, hash [32]byte, now time.Time) (tenant.Person, error)
	RedeemPasswordReset(ctx context.Context, person string, hash [32]byte, now time.Time, passwordHash string) error
}

// SignIns keeps the sessions of people.
type SignIns interface {
	CreateSession(ctx context.Context, session tenant.Session) error
	SignIn(ctx context.Context, person, passwordHash string, session tenant.Session) error
	Switch(ctx context.Context, from [32]byte, session tenant.Session) (tenant.Session, error)
	Sessions(ctx context.Context, person string, now time.Time, after string, limit int) ([]tenant.SignIn, error)
	ConfirmSession(ctx context.Context, hash [32]byte, at time.Time) error
	EndSession(ctx context.Context, person, id string) error
}

// Invitations keeps who may become a member.
type Invitations interface {
	CreateInvitation(ctx context.Context, by string, i tenant.Invitation, check func(by tenant.Role, i tenant.Invitation) error) error
	Invitations(ctx context.Context, org string, now time.Time, after string, limit int) ([]tenant.Invitation, error)
	InvitationByHash(ctx context.Context, hash [32]byte, now time.Time) (tenant.Invitation, error)
	DeleteInvitation(ctx context.Context, org, by, id string, check func(by tenant.Role, i tenant.Invitation) error) error
	AcceptInvitation(ctx context.Context, hash [32]byte, m tenant.Member, passwordHash string, session tenant.Session) error
}

// Organizations keeps organizations for the operator.
type Organizations interface {
	Organizations(ctx context.Context, query, after string, limit int) ([]tenant.Holdings, error)
	Holdings(ctx context.Context, slug string) (tenant.Holdings, error)
	FoundOrganization(ctx context.Context, org tenant.Organization, owner tenant.Invitation) error
	UpdateOrganization(ctx context.Context, slug string, ifVersion int64, change func(*tenant.Organization) error) (tenant.Organization, error)
	DeleteOrganization(ctx context.Context, slug string, at time.Time) error
}

// AuditLog keeps who changed what. It is written by the changes themselves; see
// tenant.WithAudit.
type AuditLog interface {
	Audit(ctx context.Context, q tenant.AuditQuery) ([]tenant.AuditEntry, error)
}

// AppStore keeps apps and their access rules.
type AppStore interface {
	CreateApp(ctx context.Context, app tenant.App, key tenant.APIKey, signing tenant.SigningKey) error
	Apps(ctx context.Context, org, after string, limit int) ([]tenant.App, error)
	App(ctx context.Context, org, app string) (tenant.App, error)
	DeleteApp(ctx context.Context, org, app string, at time.Time) error
	UpdateApp(ctx context.Context, org, app string, ifVersion int64, change func(*tenant.App) error) (tenant.App, error)
	ACL(ctx context.Context, org, app string) (tenant.ACL, error)
	UpdateACL(ctx context.Context, org, app string, ifVersion int64, change func([]tenant.Rule) ([]tenant.Rule, error)) (tenant.ACL, error)
}

// KeyStore keeps the keys of apps' backends.
type KeyStore interface {
	CreateAPIKey(ctx context.Context, key tenant.APIKey) error
	APIKeys(ctx context.Context, org, app, after string, limit int) ([]tenant.APIKey, error)
	APIKey(ctx context.Context, org, app, id string) (tenant.APIKey, error)
	UpdateAPIKey(ctx context.Context, org, app, id string, ifVersion int64, change func(*tenant.APIKey) error) (tenant.APIKey, error)
	RotateAPIKey(ctx context.Context, org, app, id string, rotate func(last *tenant.APIKey) (tenant.APIKey, error)) (last, next tenant.APIKey, err error)
	DeleteAPIKey(ctx context.Context, org, app, id string, allow func(*tenant.APIKey) error) error
}

// LoginStore keeps the logins of apps' devices.
type LoginStore interface {
	CreateLogin(ctx context.Context, login tenant.Login) error
	Logins(ctx context.Context, org, app, after string, limit int) ([]tenant.Login, error)
	Login(ctx context.Context, org, app, username string) (tenant.Login, error)
	UpdateLogin(ctx context.Context, org, app, username string, ifVersion int64, change func(*tenant.Login) error) (tenant.Login, error)
	DeleteLogin(ctx context.Context, org, app, username string) error
}

// CertificateStore keeps the authorities of apps' devices' certificates.
type CertificateStore interface {
	CreateCertificate(ctx context.Context, c tenant.Certificate) error
	Certificates(ctx context.Context, org, app, after string, limit int) ([]tenant.Certificate, error)
	Certificate(ctx context.Context, org, app, id string) (tenant.Certificate, error)
	DeleteCertificate(ctx context.Context, org, app, id string) error
}

// DeviceCredentials keeps what apps' devices prove themselves with.
type DeviceCredentials interface {
	LoginStore
	CertificateStore
	SigningKeyStore
	KeySetStore
	RevocationStore
}

// SigningKeyStore keeps the keys of apps' tokens.
type SigningKeyStore interface {
	CreateSigningKey(ctx context.Context, key tenant.SigningKey) error
	SigningKeys(ctx context.Context, org, app, after string, limit int) ([]tenant.SigningKey, error)
	SigningKey(ctx context.Context, org, app, kid string) (tenant.SigningKey, error)
	UpdateSigningKey(
		ctx context.Context, org, app, kid string, ifVersion int64, change func(*tenant.SigningKey) error,
	) (tenant.SigningKey, error)
	RotateSigningKey(
		ctx context.Context, org, app, kid string, rotate func(old *tenant.SigningKey) (tenant.SigningKey, error),
	) (old, next tenant.SigningKey, err error)
	DeleteSigningKey(ctx context.Context, org, app, kid string, last func(*tenant.SigningKey) error) error
}

// KeySetStore keeps the key sets of apps' issuers.
type KeySetStore interface {
	CreateKeySet(ctx context.Context, k tenant.KeySet) error
	KeySets(ctx context.Context, org, app, after string, limit int) ([]tenant.KeySet, error)
	KeySet(ctx context.Context, org, app, id string) (tenant.KeySet, error)
	DeleteKeySet(ctx context.Context, org, app, id string, last func(*tenant.KeySet) error) error
}

// KeySets asks the addresses of key sets.
type KeySets interface {
	// Refresh asks those that were not asked a moment ago, and waits for them.
	Refresh(ctx context.Context, sets []tenant.KeySet) error
	// Check refuses an address that none may be at.
	Check(url string) error
}

// RevocationStore keeps what of apps' credentials is revoked.
type RevocationStore interface {
	Revoke(ctx context.Context, r tenant.Revocation) (tenant.Revocation, error)
	Revocation(ctx context.Context, org, app string, id tenant.RevocationID) (tenant.Revocation, error)
	Revocations(ctx context.Context, org, app string, after tenant.RevocationID, limit int) ([]tenant.Revocation, error)
	Unrevoke(ctx context.Context, org, app string, id tenant.RevocationID) error
}

// Apps is the cached directory of apps, for what must be fast and must go on
// when the store is away.
type Apps interface {
	App(ctx context.Context, org, app string) (*auth.App, error)
	Invalidate(org, app string)
}

// Above serves API keys that are above the wall.
type Above interface {
	// Shard is the stream of the log that holds an organization's messages; or
	// fault.NotFound.
	Shard(ctx context.Context, org string) (uint16, error)
	// Note accounts for a use, and does not wait.
	Note(entry tenant.AuditEntry)
}

// Callers tells whose a bearer token is that came from an address.
type Callers interface {
	Authenticate(ctx context.Context, bearer string, from netip.Addr) (*auth.Caller, error)
}

// Tokens reads devices' tokens.
type Tokens interface {
	// Inspect returns what a token of an app says, or a fault whose message
	// does not hold it.
	Inspect(ctx context.Context, org, app, token string) (auth.Token, error)
}

// Publisher appends a message to the log, or hands it to the live path, and
// returns when it is safe.
type Publisher interface {
	PublishWait(ctx context.Context, m *broker.Message) (broker.Position, error)
}

// Sessions tells of the devices' sessions.
type Sessions interface {
	// Sessions lists those of a user by client identifier, behind one, at most
	// limit.
	Sessions(ctx context.Context, org, app, user, after string, limit int) ([]broker.Kept, error)
}

// Announcer tells all nodes, this one included, that something has changed.
type Announcer interface {
	Announce(subject string, data []byte) error
}

// Check returns nil if a component answers.
type Check func(ctx context.Context) error

// AppChanged is the subject on which nodes learn that an app's settings have
// changed. The data is the organization and the subject of the change, see
// tenant.Change: "org/app", or "org/app/login" if only that login has, or
// "org/app//kind/subject" if a revocation has, or "org" if the organization has.
const AppChanged = "app.changed"
