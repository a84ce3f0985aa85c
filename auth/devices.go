package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// MaxTokenLifetime is how far ahead a device token's exp may lie.
	MaxTokenLifetime = 30 * 24 * time.Hour
	// leeway is how far the clocks of an issuer and of this server may differ.
	leeway = 30 * time.Second
	// maxToken is the longest token in bytes. The largest that the bounds on
	// its claims allow has about 12 KiB.
	maxToken = 16 << 10
	// maxOwnKID bounds what is looked up among our own keys, and remembered if
	// it does not exist.
	maxOwnKID = 64
)

// Credentials are what a CONNECT says about who is connecting.
type Credentials struct {
	ClientID string // the MQTT client identifier
	// Username is "{org}/{app}", or empty if the token's kid or the certificate
	// names the app; or "{org}/{app}/{login}" for a login.
	Username string
	Password []byte // the token, a JWT, or the login's password
	// Certificates is the chain that the client showed in its TLS handshake,
	// its own first, not verified yet; nil without one.
	Certificates []*x509.Certificate
	// Remote is the client's address without a port, to slow down who fails.
	Remote string

	suspect bool // the address has failed often: others go first
}

// Devices authenticates devices by their tokens, logins or certificates. It is
// safe for concurrent use.
type Devices struct {
	directory *Directory
	now       func() time.Time
	parser    *jwt.Parser
	reader    *jwt.Parser // does not look at the times
	validator *jwt.Validator
	seen      *seenTokens
	passwords *passwords
	refresher Refresher // nil: key sets are what the directory says
	usage     *Usage
}

// NewDevices returns an authenticator of the directory's apps' devices.
func NewDevices(dir *Directory, now func() time.Time) *Devices {
	options := []jwt.ParserOption{
		jwt.WithTimeFunc(now), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
	}
	return &Devices{
		directory: dir,
		now:       now,
		parser:    jwt.NewParser(options...),
		reader:    jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
		validator: jwt.NewValidator(options...),
		seen:      newSeenTokens(),
		passwords: newPasswords(),
	}
}

// Authenticate verifies the credentials of a CONNECT or of a re-authentication:
// a password with the user name of a login, any other password as a token, and
// without a password the certificate. Its faults are Unauthenticated,
// TokenExpired for a token that was right once, Unavailable, and Overloaded if
// too many passwords wait to be checked; their messages are for the log and
// never hold the password.
func (v *Devices) Authenticate(ctx context.Context, c Credentials) (*Device, error) {
	d, err := v.identify(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := d.app.unrevoked(ctx, &d.grant); err != nil {
		return nil, err
	}
	return d, nil
}

// identify says who presents the credentials, whatever was revoked.
func (v *Devices) identify(ctx context.Context, c Credentials) (*Device, error) {
	switch {
	case len(c.Password) > 0 && isLogin(c.Username):
		return v.byLogin(ctx, c)
	case len(c.Password) > 0:
		return v.byToken(ctx, c)
	case len(c.Certificates) > 0:
		return v.byCertificate(ctx, c)
	}
	return nil, unauthenticated("there is no password and no certificate")
}

func (v *Devices) byToken(ctx context.Context, c Credentials) (*Device, error) {
	if len(c.Password) > maxToken {
		return nil, unauthenticated("the token has more than %d bytes", maxToken)
	}
	app, p, err := v.verify(ctx, &c)
	if err != nil {
		return nil, err
	}
	now, claims := v.now(), p.claims
	if err := claims.check(c.ClientID, now); err != nil {
		return nil, err
	}
	of := app.Entry().App
	d := &Device{app: app, Identity: Identity{
		Org: of.Organization, App: of.ID, User: claims.user, ClientID: c.ClientID,
		Tags: slices.Clone(claims.tags), Role: claims.role, Expires: claims.ends(now),
	}}
	v.note(p.by, now)
	// The key is still good: verify has seen it.
	if ends := p.by.expires; !ends.IsZero() && ends.Before(d.Expires) {
		d.Expires = ends
	}
	d.holds = func() bool { return app.verifiers().current(p.by, v.now()) != nil }
	d.grant = d.granted(claims.id, claims.issued())
	if claims.device != nil {
		d.Device = *claims.device
	}
	var wrong *fault.Error
	if d.narrow, wrong = claims.acl.compile(of.Organization, d.Mount()); wrong != nil {
		return nil, unauthenticated("the token's acl%s %v", wrong.Field, wrong)
	}
	return d, nil
}

// note remembers that a token of a key was accepted.
func (v *Devices) note(key *verifier, now time.Time) {
	use := tenant.Use{Kind: tenant.UsedSigningKey, ID: key.kid, At: now}
	if key.set != "" {
		use.Kind, use.ID = tenant.UsedKeySet, key.set
	}
	v.usage.Note(use)
}

// key returns the app that the credentials name and the key to verify the token
// with. The key decides about the algorithm, the token has to agree: this is
// also what refuses "none".
func (v *Devices) key(ctx context.Context, username string, t *jwt.Token) (*App, *verifier, error) {
	kid, err := keyID(t)
	if err != nil {
		return nil, nil, err
	}
	app, err := v.app(ctx, username, kid)
	if err != nil {
		return nil, nil, err
	}
	alg := tenant.Algorithm(t.Method.Alg())
	key := app.verifiers().find(kid, alg)
	if key == nil {
		if key, err = v.newKey(ctx, app, kid, alg); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case key == nil:
		return nil, nil, unauthenticated("%s has no signing key %q, and none of its key sets has it for %s",
			app.Entry().App.TopicPrefix(), kid, alg)
	case alg != key.algorithm:
		return nil, nil, unauthenticated("the token is signed with %s and the key %q is for %s", alg, kid, key.algorithm)
	case key.key == nil:
		return nil, nil, fault.Newf(fault.Internal, "the signing key %q cannot be used", kid)
	}
	return app, key, nil
}

// keyID returns the kid of a token's header.
func keyID(t *jwt.Token) (string, error) {
	if _, ok := t.Header["crit"]; ok {
		return "", unauthenticated("the token demands an extension that this server does not know") // RFC 7515 §4.1.11
	}
	kid, ok := t.Header["kid"].(string)
	if !ok || kid == "" || len(kid) > tenant.MaxKID {
		return "", unauthenticated("the token's header names no signing key; it has to have a kid")
	}
	return kid, nil
}

// app returns the app that the user name, or else the kid of a signing key of
// ours, stands for.
func (v *Devices) app(ctx context.Context, username, kid string) (*App, error) {
	if username == "" {
		if len(kid) > maxOwnKID {
			return nil, unauthenticated("there is no signing key %q", kid)
		}
		app, err := v.directory.AppByKID(ctx, kid)
		if fault.CodeOf(err) == fault.NotFound {
			return nil, unauthenticated("there is no signing key %q", kid)
		}
		return app, err
	}
	return v.namedApp(ctx, username)
}

// namedApp returns the app of a user name "{org}/{app}".
func (v *Devices) namedApp(ctx context.Context, username string) (*App, error) {
	org, id, ok := strings.Cut(username, "/")
	if !ok || !couldBeSlug(org) || !couldBeSlug(id) {
		return nil, unauthenticated("the user name has to be {org}/{app}")
	}
	app, err := v.directory.App(ctx, org, id)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, unauthenticated("there is no app %s", username)
	}
	return app, err
}

// couldBeSlug keeps nonsense away from the source. Whether the slug is a good
// one was decided when it was taken.
func couldBeSlug(s string) bool { return len(s) <= tenant.MaxSlug && validID(s) == nil }

// explain turns what the parser says into a fault.
func explain(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f // of the claims
	}
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return unauthenticated("the token's signature is wrong")
	case errors.Is(err, jwt.ErrTokenExpired):
		return fault.New(fault.TokenExpired, "the token has expired")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return unauthenticated("the token has no exp")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return unauthenticated("the token is not valid yet")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return unauthenticated("the password is not a token")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return unauthenticated("the token's algorithm is unknown")
	}
	return err
}
