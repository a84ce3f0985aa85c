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
	if a.cfg.SignupClosed {
		return nil, fault.New(fault.SignupClosed, "this server does not accept new organizations")
	}
	err := a.signUps.take("too many sign-ups from your address", exchangeOf(ctx).address)
	if err != nil {
		return nil, err
	}
	body := request.Body
	email := tenant.NormalizeEmail(body.Email)
	err = errors.Join(
		at(tenant.ValidSlug(body.Organization), "/organization"),
		at(tenant.ValidEmail(email), "/email"),
		at(tenant.CheckPassword(body.Password, email, body.Organization), "/password"),
	)
	if err != nil {
		return nil, err
	}
	if body.Organization == a.cfg.OperatorOrganization {
		return nil, fault.New(fault.Conflict, "the organization's name is taken").At("/organization")
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

func (a *API) createOrganization(ctx context.Context, slug, email, password string) (tenant.Member, error) {
	hash, err := auth.HashPassword(password)
	if err != nil {
		return tenant.Member{}, err
	}
	org, err := a.newOrganization(slug)
	if err != nil {
		return tenant.Member{}, err
	}
	member := tenant.Member{
		ID: tenant.NewID("mem"), Organization: slug, Email: email, Role: tenant.Owner, CreatedAt: org.CreatedAt,
	}
	ctx, entry := a.audited(ctx, "", "organization.create", slug)
	by(entry, member)
	entry.After = jsonOf(memberView(member))
	return member, a.deps.Store.CreateOrganization(ctx, org, member, hash)
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
	token, expires = auth.NewSessionToken(), a.timestamp().Add(sessionLifetime)
	now := a.timestamp()
	err = a.deps.Store.CreateSession(ctx, tenant.Session{
		ID: tenant.NewID("ses"), Hash: auth.HashSecret(token), MemberID: member.ID, CreatedAt: now, ConfirmedAt: now,
		Address: exchangeOf(ctx).address, ExpiresAt: expires,
	})
	return token, expires, err
}

// timestamp is the time as answers show it and databases keep it.
func (a *API) timestamp() time.Time { return a.now().UTC().Truncate(time.Millisecond) }

func memberView(m tenant.Member) spec.Member {
	return spec.Member{ID: m.ID, Email: m.Email, Role: spec.MemberRole(m.Role)}
}
