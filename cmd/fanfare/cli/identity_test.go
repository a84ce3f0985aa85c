package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/fanfare-mq/fanfare/api/spec"
)

// authority signs the certificates of an app's devices.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, now := newKey(t), time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// sign makes a user's certificate.
func (a authority) sign(t *testing.T, user string) tls.Certificate {
	t.Helper()
	key, now := newKey(t), time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: user}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// attempt connects once and returns the code of the CONNACK.
func attempt(t *testing.T, url string, change func(*mqtt.ClientOptions)) (mqtt.Client, byte) {
	t.Helper()
	options := mqtt.NewClientOptions().AddBroker(url).SetClientID("device-1").SetProtocolVersion(4).SetAutoReconnect(false)
	change(options)
	c := mqtt.NewClient(options)
	token := c.Connect()
	if !token.WaitTimeout(patience) {
		t.Fatal("no CONNACK")
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c, token.(*mqtt.ConnectToken).ReturnCode()
}

// A device that cannot make a JWT has a login, or a certificate.
func TestLoginsAndCertificates(t *testing.T) {
	t.Parallel()
	certFile, keyFile := keyPair(t)
	s := serve(t, serveArgs(t.TempDir(), "--mqtts-addr", "127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile)...)
	acme := found(t, s, "acme")
	globex := found(t, s, "globex")
	key := acme.api.With(acme.app.APIKey.Secret)

	var ignored json.RawMessage
	if err := key.Post(t.Context(), "/v1/apps/chat/logins", spec.NewLogin{Username: "meter", Password: "correct horse", User: "ana"}, &ignored); err != nil {
		t.Fatal(err)
	}
	plain := strings.Replace(s.places["MQTT"], "mqtt://", "tcp://", 1)
	login := func(username, password string) (mqtt.Client, byte) {
		return attempt(t, plain, func(o *mqtt.ClientOptions) { o.SetUsername(username).SetPassword(password) })
	}
	for _, wrong := range [][2]string{{"acme/chat/meter", "wrong"}, {"acme/chat/other", "correct horse"}, {"globex/chat/meter", "correct horse"}} {
		if _, code := login(wrong[0], wrong[1]); code != 4 {
			t.Errorf("%s: CONNACK %d", wrong[0], code)
		}
	}
	c, code := login("acme/chat/meter", "correct horse")
	if code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	receives(t, c, acme, "with a login")

	ca := newAuthority(t, "Acme Devices")
	if err := key.Post(t.Context(), "/v1/apps/chat/certificates", spec.NewCertificate{CaPem: ca.pem(), UserFrom: "cn"}, &ignored); err != nil {
		t.Fatal(err)
	}
	secure := strings.Replace(s.places["MQTTS"], "mqtts://", "ssl://", 1)
	present := func(cert tls.Certificate, username string) (mqtt.Client, byte) {
		return attempt(t, secure, func(o *mqtt.ClientOptions) {
			o.SetTLSConfig(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}}).SetUsername(username)
		})
	}
	impostor := newAuthority(t, "Acme Devices") // the same name, another key
	if _, code := present(impostor.sign(t, "ana"), "acme/chat"); code != 4 {
		t.Errorf("impostor: CONNACK %d", code)
	}
	if _, code := present(ca.sign(t, "ana"), globex.app.TopicPrefix); code != 4 {
		t.Errorf("another app: CONNACK %d", code)
	}
	for _, username := range []string{"acme/chat", ""} {
		c, code := present(ca.sign(t, "ana"), username)
		if code != 0 {
			t.Fatalf("user name %q: CONNACK %d", username, code)
		}
		receives(t, c, acme, "with a certificate")
		c.Disconnect(0)
	}
}

// receives checks that a client is ana: what is pushed to her arrives.
func receives(t *testing.T, c mqtt.Client, p party, title string) {
	t.Helper()
	arrived := make(chan mqtt.Message, 1)
	if token := c.Subscribe(p.app.TopicPrefix+"/users/ana/#", 1, func(_ mqtt.Client, m mqtt.Message) { arrived <- m }); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	accepted := p.push(t, "ana", title)
	select {
	case m := <-arrived:
		if !strings.Contains(string(m.Payload()), accepted.ID) {
			t.Errorf("got %s", m.Payload())
		}
	case <-time.After(patience):
		t.Fatal("nothing arrived")
	}
}
