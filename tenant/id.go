package tenant

import (
	"crypto/rand"

	"github.com/oklog/ulid/v2"
)

// entropy makes the ULIDs of one process grow within a millisecond, too.
var entropy = &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(rand.Reader, 0)}

// NewID returns a new globally unique identifier: the prefix, which names the
// kind ("mem", "key", "sk"), an underscore and a ULID, so that identifiers of
// one kind sort by their time of creation, and those of one process by its
// order. It is unique, not secret.
func NewID(prefix string) string {
	// crypto/rand never fails (the program ends instead), so neither does this.
	return prefix + "_" + ulid.MustNew(ulid.Now(), entropy).String()
}
