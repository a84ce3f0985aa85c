package edge

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// tlsConfig is that of MQTTS and WSS. Versions before 1.2 are broken; the rest
// of Go's defaults are what one would choose.
func tlsConfig(certs *certificates) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: certs.get,
		// Asked for, not demanded, and of any issuer: whether it is worth
		// something is known when CONNECT has named the app.
		ClientAuth: tls.RequestClientCert,
	}
}

// certificates holds a key pair and reads it again when its files change, so
// that a renewed certificate needs no restart.
type certificates struct {
	certFile, keyFile string
	recheck           time.Duration
	log               *slog.Logger

	mu      sync.Mutex // guards the fields below
	pair    *tls.Certificate
	stamp   [2]fileStamp // of the files when pair was read
	checked time.Time
}

// fileStamp tells one state of a file from another.
type fileStamp struct {
	modified time.Time
	size     int64
}

// recheck is how often the files are looked at, at most.
const recheck = 10 * time.Second

func newCertificates(cfg Config, log *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: cfg.CertFile, keyFile: cfg.KeyFile, recheck: cfg.CertRecheck, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	c.checked = time.Now()
	return c, nil
}

func (c *certificates) load() error {
	stamp, err := c.stampOf()
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

func (c *certificates) stampOf() ([2]fileStamp, error) {
	var stamp [2]fileStamp
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return stamp, nil
}

// get implements tls.Config.GetCertificate. While new files cannot be read,
// for instance because only one of them is written yet, the old pair serves.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= c.recheck {
		c.checked = now
		c.renew()
	}
	return c.pair, nil
}

// renew reads the files if they have changed; else, it is tried again at the
// next check.
func (c *certificates) renew() {
	stamp, err := c.stampOf()
	if err == nil && stamp == c.stamp {
		return
	}
	if err == nil {
		err = c.load()
	}
	if err != nil {
		c.log.Warn("new TLS certificate is not usable, the old one stays", slog.Any("error", err))
		return
	}
	c.log.Info("new TLS certificate is in use", slog.Time("not_after", c.pair.Leaf.NotAfter))
}
