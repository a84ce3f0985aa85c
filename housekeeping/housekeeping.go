// Package housekeeping is the work of a cluster that no request waits for: it
// erases what was deleted, and prunes the audit log. Every node with the role
// worker does it; the database sees to it that no two erase the same.
package housekeeping

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// DefaultGrace is how long what was deleted rests before it is erased: until
	// then every node has heard of it, at the latest when it reads the app again,
	// a minute later, and what was under way has come to its end, half a minute
	// after that.
	DefaultGrace = 2 * time.Minute
	// DefaultEvery is the time between two looks for something to do.
	DefaultEvery = 10 * time.Second
	// claimFor is how long one worker has for one erasure. If it dies another one
	// begins anew.
	claimFor = 5 * time.Minute
	// againAfter is the time between two tries within a claim.
	againAfter = 2 * time.Second
	// pruneEvery is the time between two looks at the audit log.
	pruneEvery = time.Hour
)

// Store keeps what is to be done.
type Store interface {
	ClaimErasure(ctx context.Context, before, until time.Time) (tenant.Erasure, error)
	FinishErasure(ctx context.Context, e tenant.Erasure) error
	PruneAudit(ctx context.Context, before time.Time) (more bool, err error)
}

// Log is where messages and sessions are kept.
type Log interface {
	// Expunge erases all that is kept of an app, or with an empty one of the
	// organization.
	Expunge(ctx context.Context, org, app string) error
}

// Config is what can be set.
type Config struct {
	Grace time.Duration // 0 means DefaultGrace
	Every time.Duration // 0 means DefaultEvery
	// AuditFor is how long entries of the audit log are kept; 0: for ever.
	AuditFor time.Duration
	// Changed tells all nodes that an app, or with an empty one an organization,
	// is another than they may think.
	Changed func(ctx context.Context, org, app string)
	Logger  *slog.Logger
}

// Worker does the work while Run runs.
type Worker struct {
	cfg    Config
	store  Store
	log    Log
	logger *slog.Logger
}

// New returns a worker; Run starts it.
func New(cfg Config, store Store, log Log) (*Worker, error) {
	if store == nil || log == nil || cfg.Changed == nil {
		return nil, errors.New("housekeeping: a dependency is missing")
	}
	if cfg.Grace <= 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.Every <= 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{cfg: cfg, store: store, log: log, logger: cfg.Logger}, nil
}

// Run works until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	var pruned time.Time
	for {
		w.eraseAll(ctx)
		if now := time.Now(); now.Sub(pruned) >= pruneEvery {
			pruned = now
			w.prune(ctx, now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// eraseAll erases one after the other what there is.
func (w *Worker) eraseAll(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		e, err := w.store.ClaimErasure(ctx, now.Add(-w.cfg.Grace), now.Add(claimFor))
		if err != nil {
			if fault.CodeOf(err) != fault.NotFound && ctx.Err() == nil {
				w.logger.Warn("what is to be erased is not known now", slog.Any("error", err))
			}
			return
		}
		w.erase(ctx, e)
	}
}

// erase tries until it is done or the claim ends.
func (w *Worker) erase(ctx context.Context, e tenant.Erasure) {
	logger := w.logger.With(slog.String("organization", e.Organization), slog.String("app", e.App))
	claimed, cancel := context.WithTimeout(ctx, claimFor)
	defer cancel()
	w.cfg.Changed(claimed, e.Organization, e.App) // for nodes that were cut off
	for {
		err := w.log.Expunge(claimed, e.Organization, e.App)
		if err == nil {
			err = w.store.FinishErasure(claimed, e)
		}
		if err == nil {
			logger.Info("what was deleted is erased")
			w.cfg.Changed(claimed, e.Organization, e.App) // the name is free again
			return
		}
		if claimed.Err() != nil {
			if ctx.Err() == nil {
				logger.Error("what was deleted is not erased yet, and somebody will try again", slog.Any("error", err))
			}
			return
		}
		logger.Warn("what was deleted is not erased yet", slog.Any("error", err))
		wait(claimed, againAfter)
	}
}

// prune erases entries of the audit log that are too old.
func (w *Worker) prune(ctx context.Context, now time.Time) {
	for more := w.cfg.AuditFor > 0; more; {
		var err error
		if more, err = w.store.PruneAudit(ctx, now.Add(-w.cfg.AuditFor)); err != nil {
			if ctx.Err() == nil {
				w.logger.Warn("the audit log is not pruned yet", slog.Any("error", err))
			}
			return
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
