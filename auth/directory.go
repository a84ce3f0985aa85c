package auth

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// maxCached is how many apps, and as many API keys and signing keys, the
	// directory keeps that nobody is using at the moment.
	maxCached = 10_000
	// maxLogins is the same for logins, of which an app may have as many as
	// devices; one takes about 400 bytes.
	maxLogins = 100_000
	// maxAge is how long a change can go unnoticed whose invalidation got lost.
	maxAge = time.Minute
	// issuerAge is how long it is believed which authorities have a name: nobody
	// announces a new one by its name.
	issuerAge = 10 * time.Second
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
	Login(ctx context.Context, org, app, username string) (tenant.Login, error)
	CertificatesBySubject(ctx context.Context, hash [32]byte) ([]tenant.Certificate, error)
	SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (tenant.SignIn, error)
}

// Directory keeps the apps and API keys in use in memory, so that connects and
// requests need no database, also while it is away. It is safe for concurrent
// use.
type Directory struct {
	apps *cache[appKey, appState]
	kids *cache[string, appKey]
	keys *cache[[32]byte, tenant.APIKey]
	// A login is read when its device connects: an app may have very many.
	logins  *cache[loginKey, tenant.Login]
	issuers *cache[[32]byte, []issuer] // by the hash of their subject
	changes atomic.Uint64
}

// appKey names an app.
type appKey struct{ org, app string }

// loginKey names a login.
type loginKey struct{ org, app, username string }

// issuer is an authority and where to find it.
type issuer struct {
	app         appKey
	fingerprint [32]byte
}

// appState is what one read brought of an app.
type appState struct {
	entry  tenant.Entry
	policy *Policy
	// authorities are the entry's certificates, in the same order.
	authorities []*authority
}

// NewDirectory returns an empty directory over a source.
func NewDirectory(src Source, now func() time.Time) *Directory {
	d := &Directory{
		apps:    newCache[appKey, appState](maxCached, maxAge, now),
		kids:    newCache[string, appKey](maxCached, kidAge, now),
		keys:    newCache[[32]byte, tenant.APIKey](maxCached, maxAge, now),
		logins:  newCache[loginKey, tenant.Login](maxLogins, maxAge, now),
		issuers: newCache[[32]byte, []issuer](maxCached, issuerAge, now),
	}
	d.apps.replaced = func() { d.changes.Add(1) }
	d.logins.replaced = d.apps.replaced
	d.apps.merge, d.logins.merge = mergeApp, mergeLogin
	d.apps.gone = closed
	d.apps.read = func(ctx context.Context, key appKey) (*appState, error) { return readApp(ctx, src, key) }
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
	d.logins.gone = func(*tenant.Login) *tenant.Login { return new(tenant.Login) } // not enabled
	d.logins.read = func(ctx context.Context, key loginKey) (*tenant.Login, error) {
		login, err := src.Login(ctx, key.org, key.app, key.username)
		if err != nil {
			return nil, err
		}
		return &login, nil
	}
	d.issuers.read = func(ctx context.Context, hash [32]byte) (*[]issuer, error) { return readIssuers(ctx, src, hash) }
	return d
}

func readApp(ctx context.Context, src Source, key appKey) (*appState, error) {
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
	return &appState{entry: entry, policy: policy, authorities: authoritiesOf(entry.Certificates)}, nil
}

func readIssuers(ctx context.Context, src Source, hash [32]byte) (*[]issuer, error) {
	certificates, err := src.CertificatesBySubject(ctx, hash)
	if err != nil {
		return nil, err
	}
	issuers := make([]issuer, len(certificates))
	for i := range certificates {
		c := &certificates[i]
		issuers[i] = issuer{app: appKey{c.Organization, c.App}, fingerprint: c.Fingerprint}
	}
	return &issuers, nil
}

// closed is the state of an app that is gone, for the devices it still has:
// no key verifies anything, the policy allows nothing, and they are told to go
// as if they were suspended.
func closed(last *appState) *appState {
	return &appState{entry: tenant.Entry{App: last.entry.App, Suspended: true}, policy: new(Policy)}
}

// mergeApp keeps the policy of the last state if the next one's is the same:
// whoever was granted something by it need not ask again.
func mergeApp(last, next *appState) (*appState, bool) {
	if last.policy.org != "" && last.entry.App.Settings.Mounted == next.entry.App.Settings.Mounted &&
		slices.Equal(last.entry.ACL.Rules, next.entry.ACL.Rules) {
		next.policy = last.policy
	}
	return next, !reflect.DeepEqual(last.entry, next.entry)
}

func mergeLogin(last, next *tenant.Login) (*tenant.Login, bool) {
	return next, !reflect.DeepEqual(last, next)
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

// Invalidate is called when an app, its rules, its keys or its certificates
// were changed; or, with "{app}/{login}", one of its logins; or, with an empty
// app, the organization and so all its apps. The next look-up
// reads the source again; what is in use is read at once, and those who hold
// it see the change as soon as it is there.
func (d *Directory) Invalidate(org, app string) {
	if app == "" {
		d.apps.invalidateIf(func(s *appState) bool { return s.entry.App.Organization == org })
		d.keys.invalidateIf(func(k *tenant.APIKey) bool { return k.Organization == org })
		return
	}
	if app, username, ok := strings.Cut(app, "/"); ok {
		d.logins.invalidate(loginKey{org, app, username})
		return
	}
	d.apps.invalidate(appKey{org, app})
	d.keys.invalidateIf(func(k *tenant.APIKey) bool { return k.Organization == org && k.App == app })
}

// InvalidatePlan is Invalidate for all organizations that have a plan.
func (d *Directory) InvalidatePlan(plan string) {
	d.apps.invalidateIf(func(s *appState) bool { return s.entry.Plan == plan })
}

// Changes grows whenever an app or a login turns out to have changed: what a
// device that was authenticated before may do can be another since. It is cheap
// and does not wait.
func (d *Directory) Changes() uint64 { return d.changes.Load() }

// apiKey returns the API key whose secret has a hash, or fault.NotFound.
func (d *Directory) apiKey(ctx context.Context, hash [32]byte) (*tenant.APIKey, error) {
	r, err := d.keys.get(ctx, hash)
	if err != nil {
		return nil, err
	}
	return r.current(), nil
}

// login returns a login, or fault.NotFound.
func (d *Directory) login(ctx context.Context, key loginKey) (*record[loginKey, tenant.Login], error) {
	return d.logins.get(ctx, key)
}

// issuersOf returns the authorities, of any app, whose subject has a hash.
func (d *Directory) issuersOf(ctx context.Context, hash [32]byte) ([]issuer, error) {
	r, err := d.issuers.get(ctx, hash)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return *r.current(), nil
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

// authorities returns those who sign the certificates of the app's devices,
// the newest first.
func (a *App) authorities() []*authority { return a.record.current().authorities }

// authority returns one of them by its certificate's fingerprint, or nil.
func (a *App) authority(fingerprint [32]byte) *authority {
	for _, one := range a.authorities() {
		if one.fingerprint == fingerprint {
			return one
		}
	}
	return nil
}
