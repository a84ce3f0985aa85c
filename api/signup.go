package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// sessionLifetime is how long a member token lives: a working day and the
// night after it, so that a script started in the morning ends the next.
const sessionLifetime = 24 * time.Hour

// SignUp creates an organization with its owner and signs the owner in.
func (a *API) SignUp(ctx context.Context, request spec.SignUpRequestObject) (spec.SignUpResponseObject, error) {
	if err := a.admitSignUp(ctx); err != nil {
		return nil, err
	}
	body := request.Body
	email := tenant.NormalizeEmail(body.Email)
	err := errors.Join(
		at(tenant.ValidSlug(body.Organization), "/organization"),
		at(tenant.ValidEmail(email), "/email"),
		at(tenant.CheckPassword(body.Password, email, body.Organization), "/password"),
	)
	if err != nil {
		return nil, err
	}
	member, err := a.createOrganization(ctx, body.Organization, email, body.Password)
	if err != nil {
		return nil, err
	}
	token, expires, err := a.signIn(ctx, member)
	if err != nil {
		return nil, err
	}
	return spec.SignUp201JSONResponse{
		Organization: member.Organization, Member: memberView(member), Token: token, ExpiresAt: expires,
	}, nil
}

// admitSignUp refuses new organizations that the operator, or the throttle, does
// not let in.
func (a *API) admitSignUp(ctx context.Context) error {
	if a.cfg.SignupClosed {
		return fault.New(fault.SignupClosed, "this server does not accept new organizations")
	}
	return a.signUps.take("too many sign-ups from your address", exchangeOf(ctx).address)
}

func (a *API) createOrganization(ctx context.Context, slug, email, password string) (tenant.Member, error) {
	org, owner, err := a.newOwned(slug, tenant.Member{Person: tenant.NewID("per"), Email: email})
	if err != nil {
		return tenant.Member{}, err
	}
	hash, err := auth.HashPassword(password)
	if err != nil {
		return tenant.Member{}, err
	}
	ctx, entry := a.auditedAs(ctx, owner, "organization.create", slug)
	entry.After = jsonOf(memberView(owner))
	return owner, a.deps.Store.CreateOrganization(ctx, org, owner, hash)
}

// newOwned is newOrganization for whoever signs it up, with its owner.
func (a *API) newOwned(slug string, owner tenant.Member) (tenant.Organization, tenant.Member, error) {
	if slug == a.cfg.OperatorOrganization {
		return tenant.Organization{}, owner, fault.New(fault.Conflict, "the organization's name is taken").At("/organization")
	}
	org, err := a.newOrganization(slug)
	owner.ID, owner.Organization, owner.Role, owner.CreatedAt = tenant.NewID("mem"), slug, tenant.Owner, org.CreatedAt
	return org, owner, err
}

// newOrganization puts an organization into one of the log's streams.
func (a *API) newOrganization(slug string) (tenant.Organization, error) {
	shard, err := rand.Int(rand.Reader, big.NewInt(int64(a.cfg.Shards())))
	if err != nil {
		return tenant.Organization{}, fmt.Errorf("choose a shard: %w", err)
	}
	return tenant.Organization{Slug: slug, Shard: uint16(shard.Uint64()), CreatedAt: a.timestamp()}, nil //nolint:gosec // below Shards
}

// signIn creates a session and returns its token, which is kept nowhere.
func (a *API) signIn(ctx context.Context, member tenant.Member) (token string, expires time.Time, err error) {
	token, session := a.newSession(ctx, member)
	return token, session.ExpiresAt, a.deps.Store.CreateSession(ctx, session)
}

// newSession returns a session of somebody who has just given the password, and
// its token.
func (a *API) newSession(ctx context.Context, member tenant.Member) (token string, session tenant.Session) {
	token, now, x := auth.NewSessionToken(), a.timestamp(), exchangeOf(ctx)
	return token, tenant.Session{
		ID: tenant.NewID("ses"), Hash: auth.HashSecret(token), MemberID: member.ID, CreatedAt: now, ConfirmedAt: now,
		Address: x.client.name, UserAgent: x.agent, ExpiresAt: now.Add(sessionLifetime),
	}
}

// timestamp is the time as answers show it and databases keep it.
func (a *API) timestamp() time.Time { return a.now().UTC().Truncate(time.Millisecond) }
