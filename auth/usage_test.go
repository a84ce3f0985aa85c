package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
)

// sink is an auth.Sink in memory that fails and hangs on demand.
type sink struct {
	mu      sync.Mutex
	batches [][]tenant.Use
	failure error
	hold    chan struct{} // a batch waits until it is closed, if not nil
}

func (s *sink) NoteUses(ctx context.Context, uses []tenant.Use) error {
	s.mu.Lock()
	failure, hold := s.failure, s.hold
	if failure == nil {
		s.batches = append(s.batches, uses)
	}
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return failure
}

func (s *sink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// told returns the batches since the last call.
func (s *sink) told() [][]tenant.Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	batches := s.batches
	s.batches = nil
	return batches
}

var _ auth.Sink = (*sink)(nil)

func use(kind tenant.UseKind, id string, at time.Time) tenant.Use {
	return tenant.Use{Kind: kind, ID: id, At: at, From: "10.0.0." + id}
}

func TestUsageTellsTheLatest(t *testing.T) {
	t.Parallel()
	s, at := &sink{}, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	u := auth.NewUsage(s, slog.New(slog.DiscardHandler))
	if err := u.Flush(t.Context()); err != nil || s.told() != nil {
		t.Errorf("nothing was used, and that was told: %v", err)
	}
	u.Note(use(tenant.UsedSigningKey, "1", at))
	u.Note(use(tenant.UsedAPIKey, "2", at.Add(2*time.Second)))
	u.Note(use(tenant.UsedAPIKey, "2", at.Add(time.Second)))
	u.Note(use(tenant.UsedAPIKey, "1", at))
	want := []tenant.Use{
		use(tenant.UsedAPIKey, "1", at), use(tenant.UsedAPIKey, "2", at.Add(2*time.Second)), use(tenant.UsedSigningKey, "1", at),
	}
	if err := u.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.told(); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if err := u.Flush(t.Context()); err != nil || s.told() != nil {
		t.Errorf("told twice: %v", err)
	}
	var none *auth.Usage
	none.Note(use(tenant.UsedAPIKey, "1", at)) // does nothing
}

// TestUsageOutlivesTheSink: what could not be told is told later, unless
// something newer has come meanwhile, and it is bounded.
func TestUsageOutlivesTheSink(t *testing.T) {
	t.Parallel()
	s, at := &sink{}, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	u := auth.NewUsage(s, slog.New(slog.DiscardHandler))
	s.fail(errAway)
	for i := range 20_000 {
		u.Note(use(tenant.UsedAPIKey, fmt.Sprintf("%05d", i), at))
	}
	if err := u.Flush(t.Context()); err == nil {
		t.Error("the sink's error is lost")
	}
	u.Note(use(tenant.UsedAPIKey, "00000", at.Add(time.Second)))
	s.fail(nil)
	if err := u.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.told()
	if len(got) != 1 || len(got[0]) != 10_000 || got[0][0].At != at.Add(time.Second) || got[0][1].At != at {
		t.Errorf("told %d batches, the first of %d", len(got), len(got[0]))
	}
}

// TestUsageWaitsForNoSink: a use is noted while the sink hangs.
func TestUsageWaitsForNoSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{hold: make(chan struct{})}
		u := auth.NewUsage(s, slog.New(slog.DiscardHandler))
		u.Note(use(tenant.UsedAPIKey, "1", time.Now()))
		flushed := make(chan error)
		go func() { flushed <- u.Flush(t.Context()) }()
		synctest.Wait()
		before := time.Now()
		u.Note(use(tenant.UsedAPIKey, "2", before))
		if waited := time.Since(before); waited != 0 {
			t.Errorf("waited %v", waited)
		}
		close(s.hold)
		if err := <-flushed; err != nil {
			t.Error(err)
		}
	})
}

func TestUsageRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &sink{}
		u := auth.NewUsage(s, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- u.Run(ctx) }()
		step := func(id string, want int) {
			t.Helper()
			u.Note(use(tenant.UsedAPIKey, id, time.Now()))
			time.Sleep(5*time.Second + time.Millisecond)
			synctest.Wait()
			if got := s.told(); len(got) != min(want, 1) || want > 0 && len(got[0]) != want {
				t.Errorf("%s: told %v, want %d", id, got, want)
			}
		}
		step("1", 1)
		s.fail(errAway)
		step("2", 0)
		step("3", 0)
		s.fail(nil)
		step("4", 3)
		u.Note(use(tenant.UsedAPIKey, "5", time.Now()))
		stop()
		if err := <-ended; err != nil || len(s.told()) != 1 {
			t.Errorf("the last uses are lost: %v", err)
		}
		if text := log.String(); strings.Count(text, "level=WARN") != 1 || strings.Count(text, "kept again") != 1 {
			t.Errorf("the log: %s", text)
		}
	})
}
