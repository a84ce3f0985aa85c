// Package ownership decides which connection holds a session: the newest, on
// this node and among all nodes. It is what a node does between a CONNECT and
// its CONNACK, and between a connection's end and the moment at which the
// session is free for the next. It does no I/O: what others say comes in by
// method, what is to be done comes out as Effects. DESIGN.md has the picture.
package ownership

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// Config is what a table has to know.
type Config struct {
	// Instance is this node's, as records, wills and leases name it.
	Instance string
	// Seed of the table's random delays.
	Seed uint64
	// Alone says that there is no other node: nothing is announced or asserted.
	Alone bool
	// Patience is how long a connection waits for its session; then it is
	// refused. Zero means 10 seconds.
	Patience time.Duration
	// Handover is how long a connection's end waits for its last publishes to
	// be acknowledged, and how long a former owner is waited for. Zero means 2
	// seconds.
	Handover time.Duration
	// AssertEvery is the period of assertions. Zero means a minute.
	AssertEvery time.Duration
}

func (c Config) filled() Config {
	if c.Patience == 0 {
		c.Patience = 10 * time.Second // a NATS election takes 5 to 9 (DESIGN of broker/jetstream)
	}
	if c.Handover == 0 {
		c.Handover = 2 * time.Second
	}
	if c.AssertEvery == 0 {
		c.AssertEvery = time.Minute
	}
	return c
}

// Table knows the sessions that connections of one instance hold, want or have
// just left; a node may spread its keys over several. It is not safe for
// concurrent use and never reads the clock. After each call its driver takes
// Effects and looks at Deadline.
type Table struct {
	cfg     Config
	random  *rand.Rand
	places  map[uint64]*place // by Hash of the key; those of one hash are chained
	wakes   wakes
	effects []Effect

	operation uint32 // number of the last one
	seats     int
	unsaved   int
	assert    time.Time // when to assert next; zero: nothing was ever held
}

// New returns a table without sessions.
func New(cfg Config) *Table {
	return &Table{
		cfg:    cfg.filled(),
		random: rand.New(rand.NewPCG(cfg.Seed, cfg.Seed)), //nolint:gosec // it scatters work, and must be replayable
		places: make(map[uint64]*place),
	}
}

// Hash tells keys apart in assertions, and may spread keys over tables. Nobody
// can make two keys that share it at will.
func Hash(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.LittleEndian.Uint64(sum[:])
}

// Request is what a CONNECT asks for.
type Request struct {
	// Clean ends the session that there was.
	Clean bool
	// Durable sessions outlive their connections, by Expiry (0: for ever).
	Durable bool
	Expiry  time.Duration
	// Will of the connection; nil: none. The table sets its Instance, Key and
	// Epoch before it is stored.
	Will *broker.Will
}

// End is how a connection leaves a session it had entered.
type End struct {
	// Record is what goes on of the session; nil: it is over.
	Record *broker.Record
	// Will is the connection's will if that has to be published: when Due says
	// so, which may be now. Nil: it is discarded.
	Will *broker.Will
	// Settled says that none of the connection's publishes waits for the log;
	// else Settled is called when that is so.
	Settled bool
}

// Instance is whose table it is.
func (t *Table) Instance() string { return t.cfg.Instance }

// Len is how many connections hold a session or want one.
func (t *Table) Len() int { return t.seats }

// Unsaved is how many sessions are not yet put away as their connections left
// them.
func (t *Table) Unsaved() int { return t.unsaved }

// Effects drains what the driver has to do, in order. The slice is the
// caller's.
func (t *Table) Effects() []Effect {
	effects := t.effects
	t.effects = nil
	return effects
}

func (t *Table) emit(e Effect) { t.effects = append(t.effects, e) }
