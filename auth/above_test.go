package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// ground is an auth.AboveSource in memory that fails on demand.
type ground struct {
	mu      sync.Mutex
	orgs    map[string]tenant.Organization
	reads   int
	kept    []tenant.AuditEntry
	failure error
}

var _ auth.AboveSource = (*ground)(nil)

func (g *ground) Organization(_ context.Context, slug string) (tenant.Organization, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reads++
	org, ok := g.orgs[slug]
	switch {
	case g.failure != nil:
		return tenant.Organization{}, g.failure
	case !ok:
		return tenant.Organization{}, fault.New(fault.NotFound, "no such organization")
	}
	return org, nil
}

func (g *ground) KeepAudit(_ context.Context, entries []tenant.AuditEntry) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure == nil {
		g.kept = append(g.kept, entries...)
	}
	return g.failure
}

func (g *ground) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failure = err
}

// told returns what was kept since the last call, in words.
func (g *ground) told() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var words []string
	for _, e := range g.kept {
		words = append(words, fmt.Sprintf("%s: %s %s %s", e.Organization, e.Actor, e.Action, e.Target))
	}
	g.kept = nil
	return strings.Join(words, "; ")
}

func TestShardsOfOthers(t *testing.T) {
	t.Parallel()
	now := atNoon()
	g := &ground{orgs: map[string]tenant.Organization{
		"acme": {Slug: "acme", Shard: 7}, "going": {Slug: "going", Shard: 3, DeletedAt: now},
	}}
	a := auth.NewAbove(g, "ops", slog.New(slog.DiscardHandler), func() time.Time { return now })
	for range 3 {
		if shard, err := a.Shard(t.Context(), "acme"); err != nil || shard != 7 {
			t.Errorf("got %d, %v", shard, err)
		}
	}
	for _, slug := range []string{"nobody", "going", "", "#", "Acme", strings.Repeat("x", 100)} {
		_, err := a.Shard(t.Context(), slug)
		wantFault(t, err, fault.NotFound)
	}
	if g.reads != 4 { // "acme" once, and of the others those that could be one
		t.Errorf("%d reads", g.reads)
	}
	g.fail(errAway)
	if shard, err := a.Shard(t.Context(), "acme"); err != nil || shard != 7 {
		t.Errorf("known, while the source is away: %d, %v", shard, err)
	}
	_, err := a.Shard(t.Context(), "globex")
	wantFault(t, err, fault.Unavailable)
}

func crossed(org, action, topic string, at time.Time) tenant.AuditEntry {
	return tenant.AuditEntry{
		Organization: org, ActorKind: tenant.ActorKey, Actor: "key_1", Action: action, Target: topic, CreatedAt: at,
	}
}

// TestCrossingsAreTold: the first use of a kind in an hour, to both sides.
func TestCrossingsAreTold(t *testing.T) {
	t.Parallel()
	g, at := &ground{}, atNoon()
	c := auth.NewCrossings(g, "ops", slog.New(slog.DiscardHandler))
	flush := func(want string) {
		t.Helper()
		if err := c.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if got := g.told(); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	flush("")
	for i := range 100 {
		c.Note(crossed("acme", "across.publish", fmt.Sprintf("acme/chat/%d", i), at.Add(time.Duration(i)*time.Second)))
	}
	flush("acme: key_1 across.publish acme/chat/0; ops: key_1 across.publish acme acme/chat/0")
	c.Note(crossed("acme", "across.publish", "acme/x", at.Add(time.Hour-1)))
	flush("")
	c.Note(crossed("acme", "across.read", "acme/x", at))
	c.Note(crossed("globex", "across.publish", "globex/x", at))
	other := crossed("acme", "across.publish", "acme/y", at)
	other.Actor = "key_2"
	c.Note(other)
	flush("acme: key_1 across.read acme/x; ops: key_1 across.read acme acme/x; " +
		"globex: key_1 across.publish globex/x; ops: key_1 across.publish globex globex/x; " +
		"acme: key_2 across.publish acme/y; ops: key_2 across.publish acme acme/y")
	g.fail(errAway)
	c.Note(crossed("acme", "across.publish", "acme/z", at.Add(time.Hour)))
	if err := c.Flush(t.Context()); err == nil {
		t.Error("the keeper's error is lost")
	}
	c.Note(crossed("globex", "across.publish", "globex/z", at.Add(time.Hour)))
	g.fail(nil)
	flush("acme: key_1 across.publish acme/z; ops: key_1 across.publish acme acme/z; " +
		"globex: key_1 across.publish globex/z; ops: key_1 across.publish globex globex/z")
}

// TestCrossingsAreBounded: what cannot be kept for long is missing, and said to
// be.
func TestCrossingsAreBounded(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	g, at := &ground{failure: errAway}, atNoon()
	c := auth.NewCrossings(g, "ops", slog.New(slog.NewTextHandler(&log, nil)))
	for i := range 10_005 {
		c.Note(crossed(fmt.Sprintf("org%d", i), "across.read", "x", at))
	}
	if err := c.Flush(t.Context()); err == nil {
		t.Error("the keeper's error is lost")
	}
	g.fail(nil)
	if err := c.Flush(t.Context()); err != nil || len(g.kept) != 20_000 {
		t.Errorf("kept %d, %v", len(g.kept), err)
	}
	if !strings.Contains(log.String(), "count=5") {
		t.Errorf("the log: %s", &log)
	}
}
