package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// maxCached is how many apps, and as many API keys and signing keys, the
	// directory keeps that nobody is using at the moment.
	maxCached = 10_000
	// maxAge is how long a change can go unnoticed whose invalidation got lost.
	maxAge = time.Minute
	// kidAge is how long it is believed which app a signing key belongs to:
	// that never changes, and whether the app still has the key is asked anew.
	kidAge = time.Hour
)

// Source is where apps and credentials are kept. What it does not have is
// fault.NotFound; any other error means that it is away.
type Source interface {
	Entry(ctx context.Context, org, app string) (tenant.Entry, error)
	EntryByKID(ctx context.Context, kid string) (tenant.Entry, error)
	APIKeyByHash(ctx context.Context, hash [32]byte) (tenant.APIKey, error)
	SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (tenant.Member, error)
}

// Directory keeps the apps and API keys in use in memory, so that connects and
// requests need no database, also while it is away. It is safe for concurrent
// use.
type Directory struct {
	apps *cache[appKey, appState]
	kids *cache[string, appKey]
	keys *cache[[32]byte, tenant.APIKey]
}

// appKey names an app.
type appKey struct{ org, app string }

// appState is what one read brought of an app.
type appState struct {
	entry  tenant.Entry
	policy *Policy
}

// NewDirectory returns an empty directory over a source.
func NewDirectory(src Source, now func() time.Time) *Directory {
	d := &Directory{
		apps: newCache[appKey, appState](maxCached, maxAge, now),
		kids: newCache[string, appKey](maxCached, kidAge, now),
		keys: newCache[[32]byte, tenant.APIKey](maxCached, maxAge, now),
	}
	d.apps.gone = closed
	d.apps.read = func(ctx context.Context, key appKey) (*appState, error) {
		entry, err := src.Entry(ctx, key.org, key.app)
		if err != nil {
			return nil, err
		}
		policy, err := Compile(entry.App, entry.ACL)
		if err != nil {
			// The rules were checked when they were set. Without them, or
			// with some, a device could do more than it should.
			return nil, fmt.Errorf("rules of %s/%s: %w", key.org, key.app, internal(err))
		}
		return &appState{entry: entry, policy: policy}, nil
	}
	d.kids.read = func(ctx context.Context, kid string) (*appKey, error) {
		entry, err := src.EntryByKID(ctx, kid)
		if err != nil {
			return nil, err
		}
		return &appKey{entry.App.Organization, entry.App.ID}, nil
	}
	d.keys.read = func(ctx context.Context, hash [32]byte) (*tenant.APIKey, error) {
		key, err := src.APIKeyByHash(ctx, hash)
		if err != nil {
			return nil, err
		}
		return &key, nil
	}
	return d
}

// closed is the state of an app that is gone, for the devices it still has:
// no key verifies anything and the policy allows nothing.
func closed(last *appState) *appState {
	return &appState{entry: tenant.Entry{App: last.entry.App}, policy: new(Policy)}
}

// internal takes a fault's code away: it is not for whoever asks now.
func internal(err error) error { return fault.Wrap(fault.Internal, "cannot be compiled", err) }

// App returns an app, or fault.NotFound.
func (d *Directory) App(ctx context.Context, org, app string) (*App, error) {
	r, err := d.apps.get(ctx, appKey{org, app})
	if err != nil {
		return nil, err
	}
	return &App{record: r}, nil
}

// AppByKID returns the app that a signing key belongs to, or fault.NotFound.
func (d *Directory) AppByKID(ctx context.Context, kid string) (*App, error) {
	r, err := d.kids.get(ctx, kid)
	if err != nil {
		return nil, err
	}
	key := r.current()
	app, err := d.App(ctx, key.org, key.app)
	if err != nil {
		return nil, err
	}
	if app.signingKey(kid) == nil {
		return nil, fault.New(fault.NotFound, "no such signing key")
	}
	return app, nil
}

// Invalidate is called when an app, its rules or its keys were changed. The
// next look-up reads the source again; an app in use is read at once, and
// those who hold it see the change as soon as it is there.
func (d *Directory) Invalidate(org, app string) {
	d.apps.invalidate(appKey{org, app})
	d.keys.invalidateIf(func(k *tenant.APIKey) bool { return k.Organization == org && k.App == app })
}

// apiKey returns the API key whose secret has a hash, or fault.NotFound.
func (d *Directory) apiKey(ctx context.Context, hash [32]byte) (*tenant.APIKey, error) {
	r, err := d.keys.get(ctx, hash)
	if err != nil {
		return nil, err
	}
	return r.current(), nil
}

// App is an app as the directory knows it: always its newest known state, for
// as long as anybody holds it. It is safe for concurrent use.
type App struct {
	record *record[appKey, appState]
}

// Entry returns the app's newest known state, which must not be changed.
func (a *App) Entry() *tenant.Entry { return &a.record.current().entry }

// Policy returns the app's newest known policy.
func (a *App) Policy() *Policy { return a.record.current().policy }

// signingKey returns one of the app's signing keys, or nil.
func (a *App) signingKey(kid string) *tenant.SigningKey {
	keys := a.Entry().SigningKeys
	for i := range keys {
		if keys[i].KID == kid {
			return &keys[i]
		}
	}
	return nil
}
