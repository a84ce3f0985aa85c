package serve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/tenant"
)

// Names in the data folder.
const (
	lockFile     = "lock"
	databaseFile = "fanfare.db"
	logFolder    = "jetstream"
)

// ownerOnly keeps other users of the machine away from keys and messages.
const (
	ownerOnly       fs.FileMode = 0o600
	ownerOnlyFolder fs.FileMode = 0o700
)

// usesFolder reports whether anything is kept on this machine.
func (p *process) usesFolder() bool { return p.cfg.PostgresURL == "" || p.cfg.NATSURL == "" }

// openFolder makes the data folder and locks it against a second process.
func (p *process) openFolder(context.Context) (closer, error) {
	if !p.usesFolder() {
		return nil, nil
	}
	if err := os.MkdirAll(p.cfg.Data, ownerOnlyFolder); err != nil {
		return nil, p.unusable(err)
	}
	f, err := os.OpenFile(filepath.Join(p.cfg.Data, lockFile), os.O_CREATE|os.O_RDWR, ownerOnly)
	if err != nil {
		return nil, p.unusable(err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("another process is using %s (%w); stop it, or set FANFARE_DATA to another folder", p.cfg.Data, err), f.Close())
	}
	return func(context.Context) error { return f.Close() }, nil
}

// unusable says that the data folder is none, in the words of the system.
func (p *process) unusable(err error) error {
	reason := err
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		reason = at.Err // the path is in the sentence already
	}
	return config.Wrong("Data", "is %q: %v; set it to a folder that this process may write", p.cfg.Data, reason)
}

// openKey takes the master key from the configuration or the data folder.
func (p *process) openKey(context.Context) (closer, error) {
	key := p.cfg.Key
	if key == nil {
		var err error
		if key, err = masterKey(p.cfg.Data); err != nil {
			return nil, err
		}
	}
	var sealing, deriving error
	p.sealer, sealing = tenant.NewSealer(key)
	p.operator, deriving = auth.NewOperatorKey(key)
	return nil, errors.Join(sealing, deriving)
}

// masterKey reads the key file, or makes one at the first start.
func masterKey(folder string) ([]byte, error) {
	key, err := config.ReadKey(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return makeMasterKey(filepath.Join(folder, config.KeyFile))
	}
	return key, err
}

// makeMasterKey writes a new key. It is on disk before anything is sealed
// under it, and a crash leaves either no key or a whole one.
func makeMasterKey(path string) ([]byte, error) {
	key := make([]byte, config.KeyBytes)
	_, _ = rand.Read(key) // never fails; the program ends if the system has no randomness
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, ownerOnly) //nolint:gosec // the operator's own data folder
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return key, os.Rename(temporary, path)
}
