// Package keyset asks the addresses at which apps' issuers publish their public
// keys (JWK Sets, RFC 7517 §5), and keeps the answers in the store: so all nodes
// share them, and they serve while an address does not answer.
//
// A set is asked before its document grows old, by one node of the cluster, and
// at once when a token names a key that it does not have. Only a good document
// takes keys away; a failure never does.
package keyset

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/egress"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// askAgain is how long a set is left alone after it was asked, by this node:
	// anybody can make up a kid.
	askAgain = 10 * time.Second
	// patience is how long an address has for its answer.
	patience = 5 * time.Second
	// keepPatience is how long the store has to keep one.
	keepPatience = 5 * time.Second
	// maxFlights is how many sets are asked at once, a document being 256 KiB
	// at most, and maxOrgFlights how many of one organization: its slow
	// addresses do not take the place of others'.
	maxFlights    = 128
	maxOrgFlights = 8
	// lookEvery is how often a node looks for sets that are due, and lease how
	// long it has for those that it finds before another node takes them.
	lookEvery = 2 * time.Second
	lease     = 30 * time.Second
)

// Store keeps the sets.
type Store interface {
	// ClaimKeySets returns sets that are due, and makes them due at until.
	ClaimKeySets(ctx context.Context, now, until time.Time, limit int) ([]tenant.KeySet, error)
	SaveKeySet(ctx context.Context, org, app, id, document string, asked, due time.Time) (changed bool, err error)
	FailKeySet(ctx context.Context, org, app, id, failure string, at, due time.Time) error
}

// Config is what a keeper works with.
type Config struct {
	Store  Store
	Client *egress.Client
	// Changed is told that an app's sets have other keys than before.
	Changed func(ctx context.Context, org, app string)
	Logger  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Keeper keeps sets fresh. It is safe for concurrent use.
type Keeper struct {
	cfg Config
	now func() time.Time

	mu      sync.Mutex // guards the following
	flights map[string]*flight
	orgs    map[string]int // flights under way of each organization
	total   int            // of all
}

// flight is one question to a set's address, for all who wait for its answer.
// It is kept for a while, so that the next one does not come too soon.
type flight struct {
	began time.Time
	done  chan struct{}
	err   error // written before done is closed
}

// New returns a keeper. It starts nothing.
func New(cfg Config) *Keeper {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Keeper{cfg: cfg, now: cfg.Now, flights: make(map[string]*flight), orgs: make(map[string]int)}
}

// Check refuses an address that no set may be at, as far as it can be seen
// before it is asked.
func (k *Keeper) Check(address string) error {
	if err := tenant.CheckKeySetURL(address, k.cfg.Client.Private()); err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil {
		return fault.Wrap(fault.Invalid, "must be a URL", err)
	}
	if host, err := netip.ParseAddr(u.Hostname()); err == nil && !k.cfg.Client.Permits(host) {
		return fault.New(fault.Invalid, "leads to an address that is not public")
	}
	return nil
}

// Run asks sets before their documents grow old, until ctx ends, and returns
// when those that it was asking have answered or been given up.
func (k *Keeper) Run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	for {
		for _, set := range k.due(ctx) {
			asking.Go(func() { _ = k.Refresh(ctx, []tenant.KeySet{set}) })
		}
		k.forget()
		// Nodes that were started together do not look together.
		timer := time.NewTimer(lookEvery/2 + rand.N(lookEvery)) //nolint:gosec // nobody gains by guessing it
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// due takes as many of the sets that are due as there is room for.
func (k *Keeper) due(ctx context.Context) []tenant.KeySet {
	k.mu.Lock()
	room := (maxFlights - k.total) / 2 // the other half is for unknown keys
	k.mu.Unlock()
	if room <= 0 {
		return nil
	}
	now := k.now()
	sets, err := k.cfg.Store.ClaimKeySets(ctx, now, now.Add(lease), room)
	if err != nil && ctx.Err() == nil {
		k.cfg.Logger.Debug("no key set can be refreshed", slog.Any("error", err)) // the store's own check says that it is away
	}
	return sets
}

// Refresh has those sets of one app asked that were not in the last seconds, and
// returns when they have answered or ctx ends. It fails if one of them does not
// answer, now or when it was last asked.
func (k *Keeper) Refresh(ctx context.Context, sets []tenant.KeySet) error {
	flights := make([]*flight, len(sets))
	for i := range sets {
		flights[i] = k.launch(ctx, sets[i])
	}
	var failed error
	for _, f := range flights {
		select {
		case <-f.done:
			if f.err != nil {
				failed = f.err
			}
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, "a key set does not answer in time", ctx.Err())
		}
	}
	return failed
}

// launch asks a set, unless that is under way or was a moment ago. The question
// belongs to nobody in particular, so it goes on when ctx ends.
func (k *Keeper) launch(ctx context.Context, set tenant.KeySet) *flight {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if f := k.flights[set.ID]; f != nil && (!f.landed() || now.Sub(f.began) < askAgain) {
		return f
	}
	f := &flight{began: now, done: make(chan struct{})}
	if k.total >= maxFlights || k.orgs[set.Organization] >= maxOrgFlights {
		f.err = fault.New(fault.Overloaded, "too many key sets are being asked")
		close(f.done)
		return f
	}
	k.flights[set.ID] = f
	k.total++
	k.orgs[set.Organization]++
	go func() {
		f.err = k.ask(context.WithoutCancel(ctx), set, f.began)
		k.land(set.Organization, f)
	}()
	return f
}

func (k *Keeper) land(org string, f *flight) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total--
	if k.orgs[org]--; k.orgs[org] == 0 {
		delete(k.orgs, org)
	}
	close(f.done)
}

func (f *flight) landed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// forget drops flights that keep nobody from asking any more.
func (k *Keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for id, f := range k.flights {
		if f.landed() && now.Sub(f.began) >= askAgain {
			delete(k.flights, id)
		}
	}
}
