package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// issued is a certificate with its key.
type issued struct {
	*x509.Certificate

	key crypto.Signer
}

// template is a certificate to issue; what is not changed is as it should be
// for a device, a day around noon.
func template(name string, change ...func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    noon.Add(-24 * time.Hour), NotAfter: noon.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// asAuthority makes a template one of an authority.
func asAuthority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign issues a certificate for a key, signed by an authority.
func sign(t testing.TB, by *issued, what *x509.Certificate, key crypto.Signer) *issued {
	t.Helper()
	parent, signer := what, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, what, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{Certificate: cert, key: key}
}

// newAuthority issues a self-signed authority; issue, one below it, and device
// a device's certificate.
func newAuthority(t testing.TB, name string, change ...func(*x509.Certificate)) *issued {
	t.Helper()
	return sign(t, nil, template(name, append([]func(*x509.Certificate){asAuthority}, change...)...), newKey(t))
}

func (i *issued) authority(t testing.TB, name string) *issued {
	t.Helper()
	return sign(t, i, template(name, asAuthority), newKey(t))
}

func (i *issued) device(t testing.TB, name string, change ...func(*x509.Certificate)) *issued {
	t.Helper()
	return sign(t, i, template(name, change...), newKey(t))
}

// register makes the authority one of an app.
func register(s *source, org, app string, i *issued, change ...func(*tenant.Certificate)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := tenant.Certificate{
		ID: tenant.NewID("ca"), Organization: org, App: app, DER: i.Raw, Fingerprint: sha256.Sum256(i.Raw),
		SubjectHash: tenant.SubjectHash(i.RawSubject), UserFrom: tenant.UserFromCN, Tags: []string{"beta"}, Role: "driver",
	}
	for _, f := range change {
		f(&c)
	}
	e := s.entries[org+"/"+app]
	e.Certificates = append([]tenant.Certificate{c}, e.Certificates...)
	s.entries[org+"/"+app] = e
}

func unregister(s *source, org, app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[org+"/"+app]
	e.Certificates = nil
	s.entries[org+"/"+app] = e
}

func parseURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// twoNames gives a certificate two common names.
func twoNames(c *x509.Certificate) {
	oid := asn1.ObjectIdentifier{2, 5, 4, 3}
	c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: oid, Value: "ana"}, {Type: oid, Value: "bob"}}}
}
