package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// crossingSpan is how long one entry of the audit log stands for all uses of
	// its kind.
	crossingSpan = time.Hour
	// maxCrossings bounds what is remembered of them: about 500 bytes each.
	maxCrossings = 10_000
)

// CrossingKeeper keeps entries of the audit log.
type CrossingKeeper interface {
	KeepAudit(ctx context.Context, entries []tenant.AuditEntry) error
}

// Crossings accounts for what credentials do in organizations that are not
// theirs: in the audit log of that organization, and in that of their own, an
// entry for the first use of a kind in an hour. Who notes a use waits for
// nothing. It is safe for concurrent use.
type Crossings struct {
	keeper CrossingKeeper
	home   string // the credentials' own organization
	log    *slog.Logger

	flushing sync.Mutex // one flush at a time; comes before mu

	mu      sync.Mutex // guards what follows; never held while the keeper is told
	noted   map[crossing]time.Time
	waiting []tenant.AuditEntry
	lost    int // entries that found no room
}

// crossing is a kind of use.
type crossing struct {
	kind                        tenant.ActorKind
	actor, organization, action string
}

// NewCrossings returns an account of the credentials of the organization home.
// Run has to be running for the keeper to be told.
func NewCrossings(keeper CrossingKeeper, home string, log *slog.Logger) *Crossings {
	return &Crossings{keeper: keeper, home: home, log: log, noted: make(map[crossing]time.Time)}
}

// Note remembers a use: the entry is that of the organization that was reached.
func (c *Crossings) Note(e tenant.AuditEntry) {
	key := crossing{e.ActorKind, e.Actor, e.Organization, e.Action}
	c.mu.Lock()
	defer c.mu.Unlock()
	if first, known := c.noted[key]; known && e.CreatedAt.Sub(first) < crossingSpan {
		return
	}
	if len(c.waiting) >= maxCrossings {
		c.lost++
		return
	}
	if len(c.noted) >= maxCrossings {
		c.forget(e.CreatedAt)
	}
	c.noted[key] = e.CreatedAt
	c.waiting = append(c.waiting, e)
}

// forget makes room: rather an entry too many later than one too few. mu is
// held.
func (c *Crossings) forget(now time.Time) {
	for key, first := range c.noted {
		if now.Sub(first) >= crossingSpan {
			delete(c.noted, key)
		}
	}
	if len(c.noted) >= maxCrossings {
		clear(c.noted)
	}
}

// Flush keeps what was noted, and what could not be kept for the next time.
func (c *Crossings) Flush(ctx context.Context) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.mu.Lock()
	waiting, lost := c.waiting, c.lost
	c.waiting, c.lost = nil, 0
	c.mu.Unlock()
	if lost > 0 {
		c.log.Error("uses above the wall are missing in the audit log", slog.Int("count", lost))
	}
	if len(waiting) == 0 {
		return nil
	}
	both := make([]tenant.AuditEntry, 0, 2*len(waiting))
	for _, e := range waiting {
		own := e
		own.Organization = c.home
		own.Target = e.Organization + " " + e.Target
		both = append(both, e, own)
	}
	err := c.keeper.KeepAudit(ctx, both)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		room := max(0, maxCrossings-len(c.waiting))
		c.lost += max(0, len(waiting)-room)
		c.waiting = append(waiting[:min(room, len(waiting))], c.waiting...)
	}
	return err
}

// Run keeps what was noted every few seconds until ctx ends, and then once
// more. It never fails.
func (c *Crossings) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := c.Flush(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("uses above the wall cannot be audited now; they will be later", slog.Any("error", err))
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			if err := c.Flush(last); err != nil {
				c.log.Error("uses above the wall are missing in the audit log", slog.Any("error", err))
			}
			return nil
		}
	}
}
