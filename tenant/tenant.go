// Package tenant holds organizations, their people, apps and credentials: the
// types and the rules they obey. It knows no database and no network.
package tenant

import (
	"net/netip"
	"time"
)

// Organization is a tenant. Its slug is the first level of all its topics.
type Organization struct {
	Slug string
	// Shard is the stream of the log that holds the organization's messages;
	// assigned at sign-up, it never changes.
	Shard uint16
	// Plan names its plan, and Limits is what the operator has decided for it
	// alone, in place of the plan's where they are not 0.
	Plan   string
	Limits Limits
	// SuspendedAt is zero unless the organization is suspended: its devices are
	// disconnected and its API answers 403.
	SuspendedAt  time.Time
	SuspendedFor string // the reason, for its members
	// DeletedAt is set while what the organization had is erased: it is as good
	// as gone, and its slug is still taken.
	DeletedAt time.Time
	Version   int64 // grows with every change of the fields above
	CreatedAt time.Time
}

// Suspended says whether the organization is suspended.
func (o Organization) Suspended() bool { return !o.SuspendedAt.IsZero() }

// Holdings are an organization with how much it has.
type Holdings struct {
	Organization
	Apps    int64
	Members int64
}

// Role is what a member may do in an organization.
type Role string

// The roles. Owners may do everything, admins all but what concerns owners and
// the organization as a whole, viewers look.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Viewer Role = "viewer"
)

// Manages says whether a member of this role may give another one the role
// other, or take it: owners concern owners alone.
func (r Role) Manages(other Role) bool {
	return r == Owner || r == Admin && other != Owner
}

// Member is a person who manages an organization.
type Member struct {
	ID           string // "mem_" and a ULID
	Organization string
	Person       string // who it is, in whatever organization: "per_" and a ULID
	Email        string // lower case
	Role         Role
	CreatedAt    time.Time
}

// App is what an organization signs up to push to its users.
type App struct {
	Organization string
	ID           string // slug, unique in the organization
	Name         string
	Shard        uint16 // the organization's
	// Retention is how long the log keeps the app's messages.
	Retention time.Duration
	Settings  Settings
	// Version grows with every change of the name, the settings or the retention.
	Version   int64
	CreatedAt time.Time
}

// TopicPrefix is where the app's own topics live, without a trailing slash.
func (a App) TopicPrefix() string { return a.Organization + "/" + a.ID }

// Mount is what stands in front of the topics of the app's devices without their
// writing it, as in "{org}/{app}/", or "" if the app is not in mounted mode.
func (a App) Mount() string {
	if !a.Settings.Mounted {
		return ""
	}
	return a.TopicPrefix() + "/"
}

// Scope is one thing an API key may do.
type Scope string

// The scopes of API keys.
const (
	ScopePush   Scope = "push"   // publish, push, issue device tokens
	ScopeRead   Scope = "read"   // read the app and its settings
	ScopeManage Scope = "manage" // change the app's settings
)

// APIKey lets an app's backend use the API. Its secret is shown once; only the
// SHA-256 of the whole secret is kept.
type APIKey struct {
	ID           string // "key_" and a ULID
	Organization string
	App          string
	Name         string // for people; may be empty
	Hash         [32]byte
	Scopes       []Scope
	// Addresses are the networks that it may be used from; empty: any.
	Addresses []netip.Prefix
	// Across lets a key of the operator's organization read and publish across
	// organizations.
	Across       bool
	ExpiresAt    time.Time // zero: never
	LastUsedAt   time.Time // zero: never, or not within what is remembered
	LastUsedFrom string    // the address
	ReplacedBy   string    // the id of the key that a rotation has put in its place
	Version      int64     // grows with every change that somebody makes
	CreatedAt    time.Time
	Suspended    bool // its organization is; only where it is read by its hash
}

// Algorithm is a JWS algorithm, pinned to a signing key.
type Algorithm string

// The algorithms (RFC 7518 §3.1, RFC 8037 §3.1): HMAC with SHA-256, and three of
// which only the public key is known here.
const (
	HS256 Algorithm = "HS256"
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA" // Ed25519
)

// SigningKey verifies the JWTs of an app's devices: by a secret or by a public
// key, as its algorithm has it. Secret must be read back, so it is stored sealed
// under the master key.
type SigningKey struct {
	KID          string // globally unique: "sk_" and a ULID
	Organization string
	App          string
	Name         string // for people; may be empty
	Algorithm    Algorithm
	Secret       string    // its UTF-8 bytes are the HMAC key
	PublicKey    []byte    // DER, SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)
	ExpiresAt    time.Time // zero: never
	LastUsedAt   time.Time // zero: never, or not within what is remembered
	ReplacedBy   string    // the kid of the key that a rotation has put in its place
	Version      int64     // grows with every change; not read for an Entry
	CreatedAt    time.Time
}

// KeySet is an address at which an app's issuer publishes its public keys, as a
// JWK Set (RFC 7517 §5).
type KeySet struct {
	ID           string // "ks_" and a ULID
	Organization string
	App          string
	Name         string // for people; may be empty
	URL          string
	Document     string    // the last good answer, as CanonicalKeySet has it
	FetchedAt    time.Time // when that was
	FailedAt     time.Time // when the address last failed since; zero: it has not
	Failure      string    // how
	DueAt        time.Time // when to ask the address again
	LastUsedAt   time.Time // when a token of it was last accepted
	CreatedAt    time.Time
}

// Session is a member's signed-in session: a management bearer token of which
// only the SHA-256 is kept.
type Session struct {
	ID          string // "ses_" and a ULID
	Hash        [32]byte
	MemberID    string
	CreatedAt   time.Time
	ConfirmedAt time.Time // when the password was last given
	Address     string    // where it was signed in from
	UserAgent   string
	ExpiresAt   time.Time
}

// SignIn is a session with whose it is.
type SignIn struct {
	Member    Member
	Session   Session
	Suspended bool // the organization is
}

// Effect is what a matching rule does.
type Effect string

// Action is what a rule is about.
type Action string

// The effects and actions of access rules.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"

	Publish   Action = "publish"
	Subscribe Action = "subscribe"
	All       Action = "all"
)

// Who says whom a rule is for: exactly one of the fields is set.
type Who struct {
	Everyone bool   `json:"everyone,omitempty"`
	User     string `json:"user,omitempty"`
	Tag      string `json:"tag,omitempty"`
	Role     string `json:"role,omitempty"`
}

// Rule is one access rule. Topic is a filter that may hold the placeholders
// ${user} ${device} ${app} ${org}, each standing for one level.
type Rule struct {
	ID     string `json:"id,omitempty"` // "rule_" and a ULID, unique in the app
	Effect Effect `json:"effect"`
	Action Action `json:"action"`
	Topic  string `json:"topic"`
	Who    Who    `json:"who"`
}

// ACL is an app's ordered rules. Version grows with every change and is what
// an ETag is made of.
type ACL struct {
	Rules   []Rule
	Version int64
}

// Entry is all that the edge needs to know of an app to authenticate and
// authorize its devices, read at once so that it is consistent.
type Entry struct {
	App          App
	Suspended    bool   // the organization is
	Limits       Limits // of the organization, from its plan and the operator
	SigningKeys  []SigningKey
	KeySets      []KeySet
	Certificates []Certificate // of the authorities of its devices, the newest first
	ACL          ACL
}
