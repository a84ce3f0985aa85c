package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keyPair writes a certificate and its key into a temporary folder.
func keyPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// The settings of the listeners reach them.
func TestListenerSettings(t *testing.T) {
	t.Parallel()
	certFile, keyFile := keyPair(t)
	s := serve(t, serveArgs(t.TempDir(), "--mqtts-addr", "127.0.0.1:0", "--wss-addr", "127.0.0.1:0",
		"--tls-cert", certFile, "--tls-key", keyFile, "--proxy-from", "127.0.0.0/8", "--max-connections", "2")...)
	dial := func(place string) net.Conn {
		u, err := url.Parse(s.places[place])
		if err != nil {
			t.Fatal(err)
		}
		nc, err := net.DialTimeout("tcp", u.Host, patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		return nc
	}
	for _, place := range []string{"MQTTS", "MQTT/WSS"} {
		nc := dial(place)
		if _, err := io.WriteString(nc, "PROXY TCP4 192.0.2.7 127.0.0.1 40000 8883\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
			t.Errorf("%s: %v", place, err)
		}
	}
	if n, err := dial("MQTT").Read(make([]byte, 1)); err == nil {
		t.Errorf("a third connection is open: %d", n)
	}
}
