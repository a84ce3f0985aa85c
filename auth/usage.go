package auth

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// maxUses bounds what is remembered while the sink is away: about 200 bytes
	// a credential. The use of another one is forgotten then.
	maxUses = 10_000
	// flushEvery is how old what the sink knows may be.
	flushEvery = 5 * time.Second
	// lastFlush bounds the flush at the end: a stop does not wait long for it.
	lastFlush = 250 * time.Millisecond
)

// Sink keeps when credentials were last used. Of what several nodes tell about
// one of them, the latest holds.
type Sink interface {
	NoteUses(ctx context.Context, uses []tenant.Use) error
}

// Usage remembers when credentials were last used and tells a sink every few
// seconds. Who notes a use waits for no sink, and a sink that is away is told
// later. It is safe for concurrent use. A nil Usage remembers nothing.
type Usage struct {
	sink Sink
	log  *slog.Logger

	// flushing has one flush at a time, so that none puts back what a later one
	// has taken. It comes before mu.
	flushing sync.Mutex

	mu   sync.Mutex // guards what follows; never held while the sink is told
	uses map[useKey]tenant.Use
}

// useKey names a credential.
type useKey struct {
	kind tenant.UseKind
	id   string
}

// NewUsage returns a tracker over a sink. Run has to be running for the sink to
// be told.
func NewUsage(sink Sink, log *slog.Logger) *Usage {
	return &Usage{sink: sink, log: log, uses: make(map[useKey]tenant.Use)}
}

// Note remembers that a credential was used now, if that is later than what is
// remembered. It does no I/O.
func (u *Usage) Note(use tenant.Use) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.note(use)
}

// note is Note with mu held.
func (u *Usage) note(use tenant.Use) {
	key := useKey{use.Kind, use.ID}
	last, known := u.uses[key]
	if known && !use.At.After(last.At) || !known && len(u.uses) >= maxUses {
		return
	}
	u.uses[key] = use
}

// Flush tells the sink all that it does not know yet. What it does not take is
// kept for the next time.
func (u *Usage) Flush(ctx context.Context) error {
	u.flushing.Lock()
	defer u.flushing.Unlock()
	uses := u.take()
	if len(uses) == 0 {
		return nil
	}
	err := u.sink.NoteUses(ctx, uses)
	if err != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, use := range uses {
			u.note(use)
		}
	}
	return err
}

// take returns what is remembered, in an order that all nodes share, and
// forgets it.
func (u *Usage) take() []tenant.Use {
	u.mu.Lock()
	noted := u.uses
	u.uses = make(map[useKey]tenant.Use, len(noted))
	u.mu.Unlock()
	uses := make([]tenant.Use, 0, len(noted))
	for _, use := range noted {
		uses = append(uses, use)
	}
	slices.SortFunc(uses, func(a, b tenant.Use) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return uses
}

// Run tells the sink every few seconds until ctx ends, and then once more. It
// never fails.
func (u *Usage) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	away := false
	for {
		select {
		case <-tick.C:
			err := u.Flush(ctx)
			if failed := err != nil && ctx.Err() == nil; failed != away {
				away = failed
				u.tell(away, err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			if err := u.Flush(last); err != nil {
				u.log.Warn("the last uses of credentials are lost", slog.Any("error", err))
			}
			return nil // a sink that is away is no failure of a stop
		}
	}
}

// tell logs that the sink has failed for the first time, or works again.
func (u *Usage) tell(away bool, err error) {
	if away {
		u.log.Warn("the last uses of credentials cannot be kept now; they will be later", slog.Any("error", err))
		return
	}
	u.log.Info("the last uses of credentials are kept again")
}
