package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// maxChain is how many certificates a device may show: its own and three
	// above it.
	maxChain = 4
	// maxTried is how many authorities of the names in it are tried.
	maxTried = 64
)

// authority is who signs the certificates of an app's devices.
type authority struct {
	*tenant.Certificate

	fingerprint [32]byte
	roots       *x509.CertPool // it alone
	// selfSigned is the proof that who registered it, or gave it to them, has
	// its key. Without it, its public key may be somebody else's, put into
	// another certificate.
	selfSigned bool
}

// authoritiesOf returns the authorities that certificates stand for. One that
// cannot be read, which was checked when it came, authenticates nobody.
func authoritiesOf(certificates []tenant.Certificate) []*authority {
	var authorities []*authority
	for i := range certificates {
		cert, err := x509.ParseCertificate(certificates[i].DER)
		if err != nil {
			continue
		}
		a := &authority{
			Certificate: &certificates[i], fingerprint: sha256.Sum256(cert.Raw), roots: x509.NewCertPool(),
			selfSigned: bytes.Equal(cert.RawSubject, cert.RawIssuer) &&
				cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil,
		}
		a.roots.AddCert(cert)
		authorities = append(authorities, a)
	}
	return authorities
}

// verify returns until when a chain, the device's own certificate first, leads
// to the authority.
func (a *authority) verify(chain []*x509.Certificate, now time.Time) (expires time.Time, err error) {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	// A certificate without extended key usages is good for all (RFC 5280 §4.2.1.12).
	paths, err := chain[0].Verify(x509.VerifyOptions{
		Roots: a.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return time.Time{}, err
	}
	for _, cert := range paths[0] {
		if expires.IsZero() || cert.NotAfter.Before(expires) {
			expires = cert.NotAfter
		}
	}
	return expires, nil
}

// proof is an authority that a chain leads to.
type proof struct {
	app       *App
	authority *authority
	expires   time.Time
	shown     bool // the chain itself has the authority's certificate
}

// byCertificate authenticates a device by its client certificate.
func (v *Devices) byCertificate(ctx context.Context, c Credentials) (*Device, error) {
	chain := c.Certificates
	if len(chain) > maxChain {
		return nil, unauthenticated("the client shows more than %d certificates", maxChain)
	}
	if chain[0].IsCA {
		return nil, unauthenticated("the client's own certificate is that of an authority")
	}
	find := v.findAuthority
	if c.Username != "" {
		find = v.namedAuthority
	}
	p, err := find(ctx, c)
	if err != nil {
		return nil, err
	}
	user, err := userOf(chain[0], p.authority.UserFrom)
	if err != nil {
		return nil, err
	}
	of := p.app.Entry().App
	d := &Device{
		app: p.app,
		Identity: Identity{
			Org: of.Organization, App: of.ID, User: user, ClientID: c.ClientID,
			Tags: p.authority.Tags, Role: p.authority.Role, Expires: p.expires,
		},
		holds: func() bool { return p.app.authority(p.authority.fingerprint) != nil },
	}
	d.grant = d.granted("", v.now())
	return d, nil
}

// namedAuthority finds the authority among those of the app that the user name
// names.
func (v *Devices) namedAuthority(ctx context.Context, c Credentials) (*proof, error) {
	app, err := v.namedApp(ctx, c.Username)
	if err != nil {
		return nil, err
	}
	why := unauthenticated("the app %s has no certificates", c.Username)
	for _, a := range app.authorities() {
		expires, err := a.verify(c.Certificates, v.now())
		if err == nil {
			return &proof{app: app, authority: a, expires: expires}, nil
		}
		why = unauthenticated("no authority of %s has signed the client's certificate: %v", c.Username, err)
	}
	return nil, why
}

// findAuthority finds the authority without the help of a user name: by the
// names of issuers in the chain, and of those by who has really signed. An
// authority whose certificate the client shows itself goes before others. One
// that is not self-signed has to be shown; else whoever puts another's name
// and key into a certificate could claim, or disturb, that other's devices.
func (v *Devices) findAuthority(ctx context.Context, c Credentials) (*proof, error) {
	candidates, err := v.candidates(ctx, c.Certificates)
	if err != nil {
		return nil, err
	}
	var best *proof
	ambiguous := false
	why := unauthenticated("the issuer of the client's certificate is unknown here")
	for _, p := range candidates {
		if p.expires, err = p.authority.verify(c.Certificates, v.now()); err != nil {
			why = unauthenticated("no authority has signed the client's certificate: %v", err)
			continue
		}
		switch {
		case best == nil || p.shown && !best.shown:
			best, ambiguous = p, false
		case p.shown != best.shown:
		case p.app.record != best.app.record:
			ambiguous = true
		default:
			best = p // the newer one of the same app, as with a user name
		}
	}
	switch {
	case best == nil:
		return nil, why
	case ambiguous:
		return nil, unauthenticated("the client's certificate is good for more than one app; the user name has to be {org}/{app}")
	}
	return best, nil
}

// candidates returns the authorities that might have signed a chain.
func (v *Devices) candidates(ctx context.Context, chain []*x509.Certificate) ([]*proof, error) {
	shown := make(map[[32]byte]bool, len(chain))
	for _, cert := range chain {
		shown[sha256.Sum256(cert.Raw)] = true
	}
	seen := make(map[[32]byte]bool, len(chain))
	var found []*proof
	for _, cert := range chain {
		hash := tenant.SubjectHash(cert.RawIssuer)
		if seen[hash] {
			continue
		}
		seen[hash] = true
		issuers, err := v.directory.issuersOf(ctx, hash)
		if err != nil {
			return nil, err
		}
		for _, one := range issuers {
			p, err := v.candidate(ctx, one, shown[one.fingerprint])
			if err != nil {
				return nil, err
			}
			if p != nil && len(found) < maxTried {
				found = append(found, p)
			}
		}
	}
	return found, nil
}

// candidate returns an authority if its app still has it and it may be found
// without a user name.
func (v *Devices) candidate(ctx context.Context, one issuer, shown bool) (*proof, error) {
	app, err := v.directory.App(ctx, one.app.org, one.app.app)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	a := app.authority(one.fingerprint)
	if a == nil || !a.selfSigned && !shown {
		return nil, nil //nolint:nilnil // no candidate, and nothing is wrong with it
	}
	return &proof{app: app, authority: a, shown: shown}, nil
}

// oidCommonName is the type of the common name in a subject.
var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// userOf reads the user's id out of a certificate. There has to be exactly one:
// of two, the authority may have checked the other.
func userOf(cert *x509.Certificate, from tenant.UserFrom) (string, error) {
	var names []string
	switch from {
	case tenant.UserFromCN:
		for _, name := range cert.Subject.Names {
			if text, ok := name.Value.(string); ok && name.Type.Equal(oidCommonName) {
				names = append(names, text)
			}
		}
	case tenant.UserFromDNS:
		names = cert.DNSNames
	case tenant.UserFromEmail:
		names = cert.EmailAddresses
	case tenant.UserFromURI:
		for _, uri := range cert.URIs {
			names = append(names, uri.String())
		}
	}
	if len(names) != 1 {
		return "", unauthenticated("the certificate has to have one %s, and has %d", from, len(names))
	}
	if err := ValidUser(names[0]); err != nil {
		return "", unauthenticated("the certificate's %s, which is the user's id, %v", from, err)
	}
	return names[0], nil
}
