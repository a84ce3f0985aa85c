package auth

import (
	"context"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// watchInterval is how often changes are looked for.
	watchInterval = 3 * time.Second
	// watchPage is how many are read at once.
	watchPage = 1_000
	// commitTime is for how long a change can come up behind others that are seen
	// already: longer than a transaction takes.
	commitTime = 15 * time.Second
	// keptChanges is for how long the source surely has a change.
	keptChanges = 5 * time.Minute
	// sweepInterval is how often the source is asked to take away what is old.
	sweepInterval = time.Minute
	// renewPause is between two records when everything is read again: a thousand
	// a second.
	renewPause = time.Millisecond
)

// ChangeSource tells what has changed of what a Directory keeps.
type ChangeSource interface {
	// Changes returns up to limit changes with a number above after, in the order
	// of their numbers.
	Changes(ctx context.Context, after int64, limit int) ([]tenant.Change, error)
	// Sweep takes away what is old.
	Sweep(ctx context.Context) error
}

// Watch invalidates in a directory what has changed, by looking into the source
// every few seconds: announcements between nodes are faster, and can get lost.
type Watch struct {
	directory *Directory
	src       ChangeSource
	now       func() time.Time
	hurry     chan struct{}

	// The following is Run's.
	seen  map[int64]struct{} // changes above floor that were dealt with
	floor int64              // nothing new comes up at or below it
	marks []watchMark        // what will be the floor, the oldest first
	last  time.Time          // when the source has last answered
}

// watchMark is the highest number that was seen at a time.
type watchMark struct {
	at  time.Time
	seq int64
}

// NewWatch returns a watch that keeps a directory true. It starts nothing.
func NewWatch(dir *Directory, src ChangeSource, now func() time.Time) *Watch {
	return &Watch{directory: dir, src: src, now: now, hurry: make(chan struct{}, 1), seen: make(map[int64]struct{})}
}

// Hurry has the watch look at once: something may have got lost. It does not
// wait.
func (w *Watch) Hurry() {
	select {
	case w.hurry <- struct{}{}:
	default: // it is about to
	}
}

// Run watches until ctx ends. While the source is away it goes on trying.
func (w *Watch) Run(ctx context.Context) error {
	look, sweep := time.NewTicker(watchInterval), time.NewTicker(sweepInterval)
	defer look.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-w.hurry:
		case <-sweep.C:
			_ = w.src.Sweep(ctx) // what it has not taken away it will the next time
		}
		w.look(ctx)
	}
}

// look invalidates what has changed since the last time.
func (w *Watch) look(ctx context.Context) {
	began := w.now()
	highest, err := w.read(ctx)
	if err != nil {
		return // it is looked for again soon
	}
	if !w.last.IsZero() && began.Sub(w.last) > keptChanges {
		w.directory.Renew(ctx) // some may have come and gone
	}
	w.last = began
	w.rise(began, highest)
}

// read deals with all changes above the floor, and returns the highest number.
func (w *Watch) read(ctx context.Context) (highest int64, err error) {
	highest = w.floor
	told := make(map[tenant.Change]struct{}) // without their numbers: of each subject one
	for more := true; more && err == nil; {
		var page []tenant.Change
		page, err = w.page(ctx, highest)
		more = len(page) == watchPage
		for _, c := range page {
			highest = c.Seq
			if _, ok := w.seen[c.Seq]; ok {
				continue
			}
			w.seen[c.Seq] = struct{}{}
			c.Seq = 0
			told[c] = struct{}{}
		}
	}
	for c := range told {
		w.directory.Invalidate(c.Organization, c.Subject)
	}
	return highest, err
}

func (w *Watch) page(ctx context.Context, after int64) ([]tenant.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return w.src.Changes(ctx, after, watchPage)
}

// rise moves the floor to what was seen long enough ago.
func (w *Watch) rise(now time.Time, highest int64) {
	w.marks = append(w.marks, watchMark{now, highest})
	for len(w.marks) > 0 && now.Sub(w.marks[0].at) >= commitTime {
		w.floor = w.marks[0].seq
		w.marks = w.marks[1:]
	}
	for seq := range w.seen {
		if seq <= w.floor {
			delete(w.seen, seq)
		}
	}
}
