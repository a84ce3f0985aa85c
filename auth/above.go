package auth

import (
	"context"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// AboveSource is what Above reads and writes.
type AboveSource interface {
	Organization(ctx context.Context, slug string) (tenant.Organization, error)
	KeepAudit(ctx context.Context, entries []tenant.AuditEntry) error
}

// Above serves the operator's credentials that are above the wall: API keys and
// super-clients that reach other organizations. It tells where those keep their
// messages, and accounts for each use. It is safe for concurrent use.
type Above struct {
	*Crossings

	home          string
	organizations *cache[string, tenant.Organization]
}

// NewAbove returns one for the credentials of an organization, the operator's.
func NewAbove(src AboveSource, home string, log *slog.Logger, now func() time.Time) *Above {
	a := &Above{
		Crossings: NewCrossings(src, home, log), home: home,
		organizations: newCache[string, tenant.Organization](maxCached, maxAge, now),
	}
	a.organizations.read = func(ctx context.Context, slug string) (*tenant.Organization, error) {
		org, err := src.Organization(ctx, slug)
		if err == nil && !org.DeletedAt.IsZero() {
			err = fault.New(fault.NotFound, "the organization is being deleted")
		}
		if err != nil {
			return nil, err
		}
		return &org, nil
	}
	return a
}

// Home is the operator's organization.
func (a *Above) Home() string { return a.home }

// Invalidate is called when an organization was changed.
func (a *Above) Invalidate(org string) { a.organizations.invalidate(org) }

// Shard returns the stream of the log that holds an organization's messages, or
// fault.NotFound, or fault.Suspended: nothing is published to it then.
func (a *Above) Shard(ctx context.Context, org string) (uint16, error) {
	if !couldBeSlug(org) {
		return 0, fault.New(fault.NotFound, "there is no such organization")
	}
	r, err := a.organizations.get(ctx, org)
	if err != nil {
		return 0, err
	}
	of := r.current()
	if of.Suspended() {
		return 0, suspended()
	}
	return of.Shard, nil
}
