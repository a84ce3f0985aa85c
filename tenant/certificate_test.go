package tenant_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// authority returns a self-signed certificate in PEM.
func authority(t *testing.T, key crypto.Signer, change ...func(*x509.Certificate)) string {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Devices"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, f := range change {
		f(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestParseAuthority(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := authority(t, ec)
	for name, text := range map[string]string{
		"EC": good, "Ed25519": authority(t, ed), "RSA": authority(t, rsaKey(t, 2048)),
		"text around it":     "Subject: Devices\n" + good + "\n  \n",
		"line ends":          strings.ReplaceAll(good, "\n", "\r\n"),
		"without a key use":  authority(t, ec, func(c *x509.Certificate) { c.KeyUsage = 0 }),
		"with several uses":  authority(t, ec, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }),
		"with a path length": authority(t, ec, func(c *x509.Certificate) { c.MaxPathLenZero = true }),
	} {
		cert, err := tenant.ParseAuthority(text)
		if err != nil || cert.Subject.CommonName != "Devices" {
			t.Errorf("%s: %v", name, err)
		}
	}
	key, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no PEM": "Devices", "cut off": good[:len(good)/2], "two": good + good,
		"a private key":        string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"a key behind it":      good + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"garbage in PEM":       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("garbage")})),
		"empty PEM":            string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"})),
		"a device's":           authority(t, ec, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }),
		"no basic constraints": authority(t, ec, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false }),
		"not for certificates": authority(t, ec, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }),
		"a short RSA key":      authority(t, rsaKey(t, 1024)),
		"an unknown critical": authority(t, ec, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}),
		"a request in its place": strings.ReplaceAll(good, "CERTIFICATE", "CERTIFICATE REQUEST"),
	} {
		if _, err := tenant.ParseAuthority(text); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
