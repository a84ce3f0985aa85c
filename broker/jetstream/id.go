package jetstream

import (
	"bufio"
	"crypto/rand"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// ids makes ULIDs that rise strictly within this node, also when its clock
// goes back.
type ids struct {
	mu      sync.Mutex // guards the fields below
	last    uint64     // Unix milliseconds
	entropy *ulid.MonotonicEntropy
}

func newIDs() *ids {
	return &ids{entropy: ulid.Monotonic(bufio.NewReader(rand.Reader), 0)}
}

func (g *ids) next(now time.Time) ulid.ULID {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last, ulid.Timestamp(now))
	for {
		id, err := ulid.New(g.last, g.entropy)
		if err == nil {
			return id
		}
		g.last++ // this millisecond's numbers are used up; rand.Reader never fails
	}
}
