package tenant

import (
	"crypto/rand"

	"github.com/oklog/ulid/v2"
)

// NewID returns a new globally unique identifier: the prefix, which names the
// kind ("mem", "key", "sk"), an underscore and a ULID, so that identifiers of
// one kind sort by their time of creation. It is unique, not secret.
func NewID(prefix string) string {
	// crypto/rand never fails (the program ends instead), so neither does this.
	return prefix + "_" + ulid.MustNew(ulid.Now(), rand.Reader).String()
}
