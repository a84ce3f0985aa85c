// Package tenant holds organizations, their people, apps and credentials: the
// types and the rules they obey. It knows no database and no network.
package tenant

import "time"

// Organization is a tenant. Its slug is the first level of all its topics.
type Organization struct {
	Slug string
	// Shard is the stream of the log that holds the organization's messages;
	// assigned at sign-up, it never changes.
	Shard     uint16
	CreatedAt time.Time
}

// Role is what a member may do in an organization.
type Role string

// The roles. (Owners alone exist until members can be invited.)
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Viewer Role = "viewer"
)

// Member is a person who manages an organization.
type Member struct {
	ID           string // "mem_" and a ULID
	Organization string
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
	Hash         [32]byte
	Scopes       []Scope
	CreatedAt    time.Time
}

// Algorithm is a JWS algorithm, pinned to a signing key.
type Algorithm string

// HS256 is HMAC with SHA-256 (RFC 7518 §3.2).
const HS256 Algorithm = "HS256"

// SigningKey verifies the JWTs of an app's devices. Secret must be read back,
// so it is stored sealed under the master key.
type SigningKey struct {
	KID          string // globally unique: "sk_" and a ULID
	Organization string
	App          string
	Algorithm    Algorithm
	Secret       string // its UTF-8 bytes are the HMAC key
	CreatedAt    time.Time
}

// Session is a member's signed-in session: a management bearer token of which
// only the SHA-256 is kept.
type Session struct {
	Hash      [32]byte
	MemberID  string
	ExpiresAt time.Time
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
	SigningKeys  []SigningKey
	Certificates []Certificate // of the authorities of its devices, the newest first
	ACL          ACL
}
