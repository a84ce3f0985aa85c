// Package estate runs broker/liveness on a node: it looks at the leases every
// second, declares instances dead, and sees to the wills and sessions that they
// have left, as well as to the wills of this node's own clients that wait.
package estate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
	"github.com/fanfare-mq/fanfare/broker/presence"
)

// lookEvery is the time between two looks at the leases: half of the time
// between two renewals.
const lookEvery = time.Second

// Leases are the instances of the cluster.
type Leases interface {
	// Instance is this node's own; it changes when it was declared dead.
	Instance() string
	// Renewed is when its lease was last renewed.
	Renewed() time.Time
	Leases(fn func([]broker.Lease, error))
	DeclareDead(seen broker.Lease, fn func(error))
	Bury(gone broker.Lease, fn func(error))
}

// Store keeps what instances leave.
type Store interface {
	Wills(instance string, fn func([]*broker.Will, error))
	Will(instance, key string, fn func(*broker.Will, error))
	TakeWill(instance, key string, revision uint64, fn func(error))
	Orphans(instance string, fn func(keys []string, err error))
	Load(key string, fn func(broker.Stored, error))
	Save(key string, r *broker.Record, revision uint64, fn func(revision uint64, err error))
}

// Outlet takes what is published and told.
type Outlet interface {
	Publish(m *broker.Message, ack broker.Acknowledger, tag uint64) error
	Emit(e broker.Event)
}

// Claims know who is connected.
type Claims interface {
	Holder(key string, fn func(presence.Holder, error))
}

// Bus is the part of the bus that an estate needs.
type Bus interface {
	Leases
	Store
	Outlet
}

// Config is what can be set.
type Config struct {
	// Period of two of which a lease must have stood still; 0 means
	// liveness.Period.
	Period time.Duration
	// Linger is liveness.Config's.
	Linger time.Duration
	// Silent says whether nothing more is to be published in the name of a
	// session, by its key: its organization is suspended, or its app is gone. It
	// must not wait for long. nil: there are none.
	Silent func(key string) bool
	// Logger receives deaths; nil discards them.
	Logger *slog.Logger
}

// Estate is a node's. It works while Run does, and is safe for concurrent use.
type Estate struct {
	cfg    Config
	bus    Bus
	claims Claims
	log    *slog.Logger

	mu    sync.Mutex // guards mail; nothing is called under it
	mail  []func(now time.Time)
	rung  chan struct{}
	stats *stats

	complained atomic.Int64 // when a will that has to wait was last logged, Unix ns

	// The rest belongs to Run's goroutine.
	instance string
	watch    *liveness.Watch
	core     *liveness.Estate
	looking  bool
}

var _ broker.Acknowledger = (*Estate)(nil)

// New returns an estate; Run starts it.
func New(cfg Config, bus Bus, claims Claims) (*Estate, error) {
	if bus == nil || claims == nil {
		return nil, errors.New("estate: bus and claims are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	instance := bus.Instance()
	return &Estate{
		cfg: cfg, bus: bus, claims: claims, log: cfg.Logger, rung: make(chan struct{}, 1), stats: newStats(),
		instance: instance, watch: liveness.NewWatch(instance, cfg.Period),
		core: liveness.NewEstate(liveness.Config{Instance: instance, Linger: cfg.Linger}),
	}, nil
}

// Keep publishes a will of this instance when it is Due, unless its client is
// back by then, and removes it from the store if it has a Revision. One that
// waits when Run ends is published by another instance. fn, if not nil, is
// called from any goroutine when all is done, and must not block.
func (e *Estate) Keep(w *broker.Will, fn func()) {
	e.post(func(now time.Time) {
		e.core.Doubt(e.watch.Doubtful(e.bus.Renewed(), now))
		e.core.Keep(w, ref(fn), now)
	})
}

// Forget says that the client of key is back on this node before its will was
// due. Who says so removes the will from the store.
func (e *Estate) Forget(key string) {
	e.post(func(now time.Time) { e.core.Forget(key, now) })
}

// Rouse publishes the will that waits for the session of key, left by a
// connection of instance, as the session has ended. fn is called as Keep's,
// when the will is safe or if there is none.
func (e *Estate) Rouse(instance, key string, fn func()) {
	e.post(func(now time.Time) { e.core.Rouse(instance, key, ref(fn), now) })
}

// ref keeps a nil function from being one that is not nil.
func ref(fn func()) any {
	if fn == nil {
		return nil
	}
	return fn
}

// post has something done by Run's goroutine.
func (e *Estate) post(do func(now time.Time)) {
	e.mu.Lock()
	e.mail = append(e.mail, do)
	e.mu.Unlock()
	select {
	case e.rung <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. What is not done then, another instance does, or
// this node's next start.
func (e *Estate) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	e.look(time.Now())
	for {
		e.carryOut()
		if at := e.core.Deadline(); !at.IsZero() {
			timer.Reset(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return nil
		case now := <-look.C:
			e.look(now)
		case now := <-timer.C:
			e.core.Tick(now)
		case <-e.rung:
			e.read()
		}
	}
}

// read does what was posted.
func (e *Estate) read() {
	e.mu.Lock()
	mail := e.mail
	e.mail = nil
	e.mu.Unlock()
	now := time.Now()
	for _, do := range mail {
		do(now)
	}
	e.stats.kept.Set(float64(e.core.Kept()))
}
