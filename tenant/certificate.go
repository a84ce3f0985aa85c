package tenant

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

// UserFrom says which part of a device's certificate names its user.
type UserFrom string

// The parts there are. The device's certificate has exactly one of it.
const (
	UserFromCN    UserFrom = "cn"        // the subject's common name
	UserFromDNS   UserFrom = "san_dns"   // the DNS name among the alternative names
	UserFromEmail UserFrom = "san_email" // the e-mail address among them
	UserFromURI   UserFrom = "san_uri"   // the URI among them; only one without slashes is a user id
)

// Certificate is the certificate of an authority that signs the certificates
// of an app's devices.
type Certificate struct {
	ID           string // "ca_" and a ULID
	Organization string
	App          string
	DER          []byte
	Fingerprint  [32]byte // SHA-256 of DER, unique across tenants
	SubjectHash  [32]byte // SHA-256 of the raw subject
	UserFrom     UserFrom
	Tags         []string // of every user who has a certificate from it
	Role         string
	CreatedAt    time.Time
}

// MaxCertificates is how many authorities an app may have: a rotation or two.
// All of them are tried for a device whose user name names the app.
const MaxCertificates = 16

// minRSABits is the least size of an authority's RSA key.
const minRSABits = 2048

// ParseAuthority reads the certificate of an authority from PEM: exactly one
// block, of a certificate that may sign others, with a key that is strong
// enough.
func ParseAuthority(text string) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fault.New(fault.Invalid, "must be a certificate in PEM")
	}
	if strings.TrimSpace(string(rest)) != "" {
		return nil, fault.New(fault.Invalid, "must be one certificate; register each on its own")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "is no X.509 certificate that can be read", err)
	}
	if !cert.BasicConstraintsValid || !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fault.New(fault.Invalid, "must be the certificate of an authority: basic constraints CA:TRUE, and key usage Certificate Sign if it has any")
	}
	if len(cert.UnhandledCriticalExtensions) > 0 {
		return nil, fault.New(fault.Invalid, "has a critical extension that this server does not know")
	}
	return cert, checkKey(cert)
}

func checkKey(cert *x509.Certificate) error {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return fault.Newf(fault.Invalid, "has an RSA key of %d bits; it must have %d at least", key.N.BitLen(), minRSABits)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return fault.New(fault.Invalid, "must have an RSA, EC or Ed25519 key")
	}
	return nil
}

// SubjectHash is what an authority is found by: what it has signed names it as
// its issuer.
func SubjectHash(rawName []byte) [32]byte { return sha256.Sum256(rawName) }
