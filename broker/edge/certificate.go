package edge

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// certificates holds a key pair and reads it again when its files change, so
// that a renewed certificate needs no restart.
type certificates struct {
	certFile, keyFile string

	mu      sync.Mutex // guards the fields below
	pair    *tls.Certificate
	stamp   time.Time // the files' newest modification time when pair was read
	checked time.Time
}

// recheck is how often the files are looked at, at most.
const recheck = 10 * time.Second

func newCertificates(certFile, keyFile string) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	return c, nil
}

func (c *certificates) load() error {
	stamp, err := c.modified()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}

func (c *certificates) modified() (time.Time, error) {
	var newest time.Time
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return newest, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}

// get implements tls.Config.GetCertificate. While new files cannot be read,
// for instance because only one of them is written yet, the old pair serves.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) > recheck {
		c.checked = now
		if stamp, err := c.modified(); err == nil && !stamp.Equal(c.stamp) {
			_ = c.load() // tried again at the next check
		}
	}
	return c.pair, nil
}

// addressed is a connection with the remote address of the request that it was
// upgraded from.
type addressed struct {
	net.Conn
	remote string
}

// RemoteAddr is the peer's address.
func (a addressed) RemoteAddr() net.Addr { return peer(a.remote) }

// peer is a TCP address in its printed form.
type peer string

// Network is "tcp".
func (p peer) Network() string { return "tcp" }

// String is the address.
func (p peer) String() string { return string(p) }
