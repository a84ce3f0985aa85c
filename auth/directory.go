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
	revocationSource
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

	now func() time.Time
	// expiry is when the next signing key of an app in use expires, in Unix
	// nanoseconds; 0: none will. Nobody announces that.
	expiry atomic.Int64
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
	verifiers   verifiers
	// revoked stays the same as long as the app is there.
	revoked *revocations
}

// NewDirectory returns an empty directory over a source.
func NewDirectory(src Source, now func() time.Time) *Directory {
	d := &Directory{
		apps:    newCache[appKey, appState](maxCached, maxAge, now),
		kids:    newCache[string, appKey](maxCached, kidAge, now),
		keys:    newCache[[32]byte, tenant.APIKey](maxCached, maxAge, now),
		logins:  newCache[loginKey, tenant.Login](maxLogins, maxAge, now),
		issuers: newCache[[32]byte, []issuer](maxCached, issuerAge, now),
		now:     now,
	}
	replaced := func() { d.changes.Add(1) }
	d.apps.replaced = replaced
	d.logins.replaced = replaced
	d.apps.merge, d.logins.merge = mergeApp, mergeLogin
	d.apps.gone = closed
	d.apps.read = func(ctx context.Context, key appKey) (*appState, error) {
		state, err := readApp(ctx, src, key)
		if err != nil {
			return nil, err
		}
		d.expectExpiry(state)
		state.revoked = newRevocations(key, src, now, replaced)
		return state, nil
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
	return &appState{
		entry: entry, policy: policy, authorities: authoritiesOf(entry.Certificates), verifiers: verifiersOf(&entry),
	}, nil
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
	entry := tenant.Entry{App: last.entry.App, Suspended: true}
	return &appState{entry: entry, policy: new(Policy), revoked: last.revoked}
}

// mergeApp keeps the policy of the last state if the next one's is the same:
// whoever was granted something by it need not ask again. It keeps its keys,
// too, which connected devices hold on to.
func mergeApp(last, next *appState) (*appState, bool) {
	next.revoked = last.revoked
	if last.policy.org != "" && last.entry.App.Settings.Mounted == next.entry.App.Settings.Mounted &&
		slices.Equal(last.entry.ACL.Rules, next.entry.ACL.Rules) {
		next.policy = last.policy
	}
	if reflect.DeepEqual(last.entry.SigningKeys, next.entry.SigningKeys) &&
		reflect.DeepEqual(last.entry.KeySets, next.entry.KeySets) {
		next.verifiers = last.verifiers
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
	if app.verifiers().own[kid] == nil {
		return nil, fault.New(fault.NotFound, "no such signing key")
	}
	return app, nil
}

// catchUp reads an app again if a signing key of it is newer than what is known
// of it: the first token of a new key may be faster than the announcement.
func (d *Directory) catchUp(ctx context.Context, app *App, kid string) error {
	r, err := d.kids.get(ctx, kid)
	if err != nil || *r.current() != app.record.key {
		return ignoreNotFound(err)
	}
	app.record.due.Store(0)
	if _, err = d.apps.get(ctx, app.record.key); err == nil && app.verifiers().own[kid] == nil {
		d.kids.invalidate(kid) // it is gone, and nobody is to read an app for it again
	}
	return ignoreNotFound(err)
}

// Invalidate is called when the subject of an organization (tenant.Change) has
// changed: an app, its rules, its keys or its certificates; or, with
// "{app}/{login}", one of its logins; or one of its revocations; or, with an
// empty subject, the organization and so all its apps. The next look-up
// reads the source again; what is in use is read at once, and those who hold
// it see the change as soon as it is there.
func (d *Directory) Invalidate(org, subject string) {
	app := subject
	if app == "" {
		d.apps.invalidateIf(func(s *appState) bool { return s.entry.App.Organization == org })
		d.keys.invalidateIf(func(k *tenant.APIKey) bool { return k.Organization == org })
		return
	}
	if app, id, ok := tenant.RevocationOf(subject); ok {
		if state := d.apps.inUse(appKey{org, app}); state != nil {
			state.revoked.changed(id)
		}
		return
	}
	if app, username, ok := strings.Cut(app, "/"); ok {
		d.logins.invalidate(loginKey{org, app, username})
		return
	}
	d.apps.invalidate(appKey{org, app})
	d.keys.invalidateIf(func(k *tenant.APIKey) bool { return k.Organization == org && k.App == app })
}

// Renew has all that is kept read again, whatever it costs, but a thousand
// records a second at most. It returns when that is under way, or ctx has ended.
func (d *Directory) Renew(ctx context.Context) {
	pause := time.NewTicker(renewPause)
	defer pause.Stop()
	wait := func() {
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
	for _, key := range d.apps.keys() {
		d.apps.invalidate(key)
		if state := d.apps.inUse(key); state != nil {
			state.revoked.renew()
		}
		wait()
	}
	for _, key := range d.logins.keys() {
		d.logins.invalidate(key)
		wait()
	}
	for _, key := range d.keys.keys() {
		d.keys.invalidate(key)
		wait()
	}
}

// Changes grows whenever an app, a login or a revocation turns out to have
// changed, or a signing key has expired: what a device that was authenticated before may do
// can be another since. It is cheap and does not wait.
func (d *Directory) Changes() uint64 {
	if at := d.expiry.Load(); at != 0 && d.now().UnixNano() >= at {
		d.expire(at)
	}
	return d.changes.Load()
}

// expire notes that a signing key has expired, and when the next one will.
func (d *Directory) expire(at int64) {
	if !d.expiry.CompareAndSwap(at, 0) {
		return // somebody else does it, or an earlier one has come
	}
	d.apps.each(d.expectExpiry)
	d.changes.Add(1)
}

// expectExpiry has Changes grow when the next signing key of an app expires.
func (d *Directory) expectExpiry(state *appState) {
	next := nextExpiry(state.entry.SigningKeys, d.now())
	if next.IsZero() {
		return
	}
	for at := next.UnixNano(); ; {
		known := d.expiry.Load()
		if known != 0 && known <= at || d.expiry.CompareAndSwap(known, at) {
			return
		}
	}
}

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

// verifiers returns the keys that the app's tokens are verified with.
func (a *App) verifiers() *verifiers { return &a.record.current().verifiers }

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

// revoked says whether what was granted is revoked, as far as is known.
func (a *App) revoked(g *grant) bool { return a.record.current().revoked.revoke(g) }

// unrevoked waits until the app's revocations are known, and fails with
// fault.Unauthenticated if what was granted is revoked.
func (a *App) unrevoked(ctx context.Context, g *grant) error {
	revoked := a.record.current().revoked
	if err := revoked.ready(ctx); err != nil {
		return err
	}
	if revoked.revoke(g) {
		return unauthenticated("the token, or all that its user or its device had, was revoked")
	}
	return nil
}
