package tenant

import (
	"context"
	"encoding/json"
	"time"
)

// ActorKind says what kind of credentials somebody has acted with.
type ActorKind string

// The kinds of actors.
const (
	ActorMember   ActorKind = "member"
	ActorKey      ActorKind = "api_key"
	ActorOperator ActorKind = "operator" // whoever has the installation's master key
	ActorDevice   ActorKind = "device"
	ActorNobody   ActorKind = "anonymous" // somebody without credentials, as at sign-up
)

// AuditEntry is one change of management: who, when, from where, and what it
// was before and after, without secrets.
type AuditEntry struct {
	ID           string // "aud_" and a ULID, given when it is kept
	Organization string // empty: the installation itself
	App          string // empty: the organization itself
	ActorKind    ActorKind
	Actor        string // the member's or the key's id
	ActorName    string // for people: an e-mail address, a key's name
	Address      string // the network address it came from
	RequestID    string
	Action       string // as in "api_key.create"
	Target       string // what was changed: its id
	// Before and After are JSON; nil where there is nothing to show.
	Before, After json.RawMessage
	CreatedAt     time.Time
}

// AuditQuery says which entries of the audit log are wanted; what is empty does
// not matter.
type AuditQuery struct {
	Organization string // empty: of all, and of the installation itself
	App          string
	Actor        string // an id or a name
	Action       string // as in "api_key.create", or all of "api_key"
	Since, Until time.Time
	Before       string // begin behind this id, towards older ones
	Limit        int
}

type auditKey struct{}

// WithAudit returns a context in which the next change of the store also keeps
// the entry, in the same transaction: none is there without the other. The
// entry may be completed until the change is done.
func WithAudit(ctx context.Context, entry *AuditEntry) context.Context {
	return context.WithValue(ctx, auditKey{}, entry)
}

// AuditOf returns the entry that a change of the store has to keep, or nil.
func AuditOf(ctx context.Context) *AuditEntry {
	entry, _ := ctx.Value(auditKey{}).(*AuditEntry)
	return entry
}
