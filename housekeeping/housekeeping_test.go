package housekeeping_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/housekeeping"
	"github.com/fanfare-mq/fanfare/tenant"
)

// world is a store, a log and a cluster that remember what was done.
type world struct {
	mu       sync.Mutex
	waiting  []tenant.Erasure
	claims   map[tenant.Erasure]time.Time // until when
	entries  int                          // of the audit log that are too old
	asked    []time.Time                  // before when they were to be pruned
	did      []string
	failures int // of the next calls of Expunge
	hang     bool
}

func (w *world) ClaimErasure(_ context.Context, before, until time.Time) (tenant.Erasure, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.waiting {
		if !e.DeletedAt.After(before) && !w.claims[e].After(time.Now()) {
			w.claims[e] = until
			return e, nil
		}
	}
	return tenant.Erasure{}, fault.New(fault.NotFound, "nothing to do")
}

func (w *world) FinishErasure(_ context.Context, e tenant.Erasure) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(o tenant.Erasure) bool { return o == e })
	w.did = append(w.did, "finished "+e.Organization+"/"+e.App)
	return nil
}

func (w *world) PruneAudit(_ context.Context, before time.Time) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, before)
	w.entries = max(0, w.entries-10_000)
	return w.entries > 0, nil
}

func (w *world) Expunge(ctx context.Context, org, app string) error {
	w.mu.Lock()
	hang := w.hang
	w.failures--
	failed := w.failures >= 0
	w.did = append(w.did, "expunged "+org+"/"+app)
	w.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if failed {
		return errors.New("away")
	}
	return nil
}

func (w *world) changed(_ context.Context, org, app string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, "changed "+org+"/"+app)
}

func (w *world) done() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	did := w.did
	w.did = nil
	return did
}

// run starts a worker, and returns what stops it.
func (w *world) run(t *testing.T) (stop func()) {
	t.Helper()
	worker, err := housekeeping.New(housekeeping.Config{AuditFor: 400 * 24 * time.Hour, Changed: w.changed}, w, w)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func newWorld(waiting ...tenant.Erasure) *world {
	return &world{waiting: waiting, claims: make(map[tenant.Erasure]time.Time)}
}

func TestErasing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(
			tenant.Erasure{Organization: "acme", App: "chat", DeletedAt: time.Now()},
			tenant.Erasure{Organization: "globex", DeletedAt: time.Now().Add(time.Hour)},
		)
		defer w.run(t)()
		time.Sleep(housekeeping.DefaultGrace - time.Second)
		synctest.Wait()
		if did := w.done(); len(did) != 0 {
			t.Errorf("within the grace: %q", did)
		}
		time.Sleep(housekeeping.DefaultEvery + time.Second)
		synctest.Wait()
		want := []string{"changed acme/chat", "expunged acme/chat", "finished acme/chat", "changed acme/chat"}
		if did := w.done(); !slices.Equal(did, want) {
			t.Errorf("did %q", did)
		}
	})
}

// TestErasingAgain: what fails is tried again, and not finished before.
func TestErasingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(tenant.Erasure{Organization: "acme", DeletedAt: time.Now().Add(-time.Hour)})
		w.failures = 2
		defer w.run(t)()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := []string{"changed acme/", "expunged acme/", "expunged acme/", "expunged acme/", "finished acme/", "changed acme/"}
		if did := w.done(); !slices.Equal(did, want) {
			t.Errorf("did %q", did)
		}
	})
}

// TestAnotherGoesOn: a worker hangs, or has died, and when its claim is over
// another one does it.
func TestAnotherGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(tenant.Erasure{Organization: "acme", DeletedAt: time.Now().Add(-time.Hour)})
		w.hang = true
		first := w.run(t)
		synctest.Wait()
		first() // in the middle of it
		if did := w.done(); slices.Contains(did, "finished acme/") {
			t.Errorf("did %q", did)
		}
		w.hang = false
		defer w.run(t)()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if did := w.done(); len(did) != 0 {
			t.Errorf("while it was claimed: %q", did)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if did := w.done(); !slices.Contains(did, "finished acme/") {
			t.Errorf("did %q", did)
		}
	})
}

func TestPruning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.entries = 25_000
		began := time.Now()
		defer w.run(t)()
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.asked) != 4 || w.entries != 0 || !w.asked[0].Equal(began.Add(-400*24*time.Hour)) {
			t.Errorf("asked %v, left %d", w.asked, w.entries)
		}
	})
}
