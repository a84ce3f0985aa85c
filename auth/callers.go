package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// Caller is who uses the API: a member of an organization, an app's backend
// with an API key, or the operator.
type Caller struct {
	Organization string          // empty for whoever has the master key
	App          string          // the API key's; empty for members
	Member       *tenant.Member  // nil for API keys
	Session      *tenant.Session // the member's; nil for API keys
	Limits       tenant.Limits   // of a member's organization; those of a key's are in its app's entry
	Key          *tenant.APIKey  // nil for members; not to be changed
	// Operator says that the caller runs the installation: it has the master key
	// (Member is nil then), or is a member of the operator's organization.
	Operator bool
}

// Has says whether the caller may do what a scope stands for. Owners and
// admins may do everything in their organization, viewers look at it.
func (c *Caller) Has(scope tenant.Scope) bool {
	switch {
	case c.Key != nil:
		return slices.Contains(c.Key.Scopes, scope)
	case c.Member == nil:
		return c.Operator
	}
	switch c.Member.Role {
	case tenant.Owner, tenant.Admin:
		return true
	case tenant.Viewer:
		return scope == tenant.ScopeRead
	}
	return false
}

// Callers authenticates the users of the API. It is safe for concurrent use.
type Callers struct {
	directory *Directory
	source    Source
	usage     *Usage // nil: the last use of API keys is not kept
	now       func() time.Time
	operator  *OperatorKey // nil: there is no operator
	operators string       // the operator's organization, or empty
}

// NewCallers returns an authenticator: API keys come from the directory, and
// so work while the source is away; members' sessions always from the source.
func NewCallers(dir *Directory, src Source, usage *Usage, now func() time.Time) *Callers {
	return &Callers{directory: dir, source: src, usage: usage, now: now}
}

// WithOperator lets whoever has the key call as the operator, and the members of
// an organization, if one is named. It is for before the first call.
func (c *Callers) WithOperator(key *OperatorKey, organization string) *Callers {
	c.operator, c.operators = key, organization
	return c
}

// Authenticate says whose a bearer token is that came from an address. What is
// neither a known API key nor a live session is Unauthenticated, an API key
// whose time is over TokenExpired, and one that is not for the address
// Forbidden.
func (c *Callers) Authenticate(ctx context.Context, bearer string, from netip.Addr) (*Caller, error) {
	switch {
	case c.operator != nil && c.operator.Check(bearer, c.now()):
		return &Caller{Operator: true}, nil
	case len(bearer) != secretLength:
	case strings.HasPrefix(bearer, apiKeyPrefix):
		return c.backend(ctx, bearer, from)
	case strings.HasPrefix(bearer, sessionPrefix):
		return c.member(ctx, bearer)
	}
	return nil, fault.New(fault.Unauthenticated, "the bearer token is neither an API key nor a session, or it has expired")
}

func (c *Callers) backend(ctx context.Context, secret string, from netip.Addr) (*Caller, error) {
	hash := HashSecret(secret)
	key, err := c.directory.apiKey(ctx, hash)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, unknownKey()
	}
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(key.Hash[:], hash[:]) != 1 {
		return nil, unknownKey() // the source has answered something else than it was asked
	}
	now := c.now()
	if err := admit(key, from, now); err != nil {
		return nil, err
	}
	c.usage.Note(tenant.Use{Kind: tenant.UsedAPIKey, ID: key.ID, At: now, From: addressText(from)})
	return &Caller{Organization: key.Organization, App: key.App, Key: key}, nil
}

// admit says why a key that is right cannot be used. Whoever has it may know.
func admit(key *tenant.APIKey, from netip.Addr, now time.Time) error {
	switch {
	case key.Suspended:
		return suspended()
	case key.Expired(now):
		return fault.New(fault.TokenExpired, "the API key has expired")
	case !key.Admits(from):
		return fault.Newf(fault.Forbidden, "the API key may not be used from the address %s", cmp.Or(addressText(from), "of this client"))
	}
	return nil
}

// addressText is empty for an address that is not known.
func addressText(from netip.Addr) string {
	if !from.IsValid() {
		return ""
	}
	return from.String()
}

func unknownKey() error {
	return fault.New(fault.Unauthenticated, "the API key is wrong or was revoked")
}

func suspended() error {
	return fault.New(fault.Suspended, "the organization is suspended")
}

func (c *Callers) member(ctx context.Context, token string) (*Caller, error) {
	in, err := c.source.SessionByHash(ctx, HashSecret(token), c.now())
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.New(fault.Unauthenticated, "the session is unknown or has ended; sign in again")
	}
	if err != nil {
		return nil, err
	}
	if in.Suspended {
		return nil, suspended()
	}
	return &Caller{
		Organization: in.Member.Organization, Member: &in.Member, Session: &in.Session, Limits: in.Limits,
		Operator: c.operators != "" && in.Member.Organization == c.operators,
	}, nil
}
