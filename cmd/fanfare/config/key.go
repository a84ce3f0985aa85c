package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyFile is the name of the master key's file in the data folder.
const KeyFile = "master.key"

// ReadKey returns the master key of a data folder, or fs.ErrNotExist if it has
// none.
func ReadKey(folder string) ([]byte, error) {
	path := filepath.Join(folder, KeyFile)
	text, err := os.ReadFile(path) //nolint:gosec // the operator's own data folder
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != KeyBytes {
		return nil, fmt.Errorf("%s does not hold %d bytes in base64; restore it from a backup", path, KeyBytes)
	}
	return key, nil
}

// Installation is where the operator's commands find the master key, which they
// prove to have. The settings are the server's own: see Settings.
type Installation struct {
	// The server's own data folder, which holds the key unless it is set.
	Data string `name:"data" var:"FANFARE_DATA" default:"./data" kind:"folder" group:"Client" help:"Data folder of the server."`
	// Whoever has it is the operator.
	MasterKey string `name:"master-key" var:"FANFARE_MASTER_KEY" kind:"key" empty:"the one in the data folder" group:"Client" help:"Master key of the installation."`
}

// Key is the master key.
func (i Installation) Key() ([]byte, error) {
	if i.MasterKey != "" {
		return base64.StdEncoding.DecodeString(i.MasterKey)
	}
	key, err := ReadKey(i.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Wrong("MasterKey", "is not set, and %q has none; operators need the installation's master key: set it, or FANFARE_DATA to the data folder of the server", i.Data)
	}
	return key, err
}
