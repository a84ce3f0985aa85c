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
	CreatedAt time.Time
}

// Settings are what an app's owner decides about its devices. A limit of 0
// means that only the node's own limits apply.
type Settings struct {
	// Mounted lets devices use bare topics: the edge puts "{org}/{app}/" in
	// front of what they say and takes it from what they hear.
	Mounted bool `json:"mounted,omitempty"`
	// SessionExpiry is how long a session outlives its connection: all of
	// MQTT 3.1 and 3.1.1 with clean session 0, and at most what an MQTT 5.0
	// client asks for. Whole seconds.
	SessionExpiry time.Duration `json:"session_expiry,omitempty"`
	// RetainedExpiry is how long a retained message is kept unless it expires
	// earlier by itself; 0 means until it is replaced.
	RetainedExpiry time.Duration `json:"retained_expiry,omitempty"`
	// MaxRetained is how many retained messages the app may have.
	MaxRetained int `json:"max_retained,omitempty"`
	// MaxConnections and MaxSubscriptions bound what is open on one node.
	MaxConnections   int `json:"max_connections,omitempty"`
	MaxSubscriptions int `json:"max_subscriptions,omitempty"`
	// PublishRate and PublishBytes bound what the app's devices publish on one
	// node, in messages and in payload bytes a second.
	PublishRate  int `json:"publish_rate,omitempty"`
	PublishBytes int `json:"publish_bytes,omitempty"`
}

// DefaultSettings are those of a new app.
func DefaultSettings() Settings {
	return Settings{
		SessionExpiry: 7 * 24 * time.Hour, // a phone that was off over a week's holiday resumes
		MaxRetained:   100_000,
	}
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
	App         App
	SigningKeys []SigningKey
	ACL         ACL
}
