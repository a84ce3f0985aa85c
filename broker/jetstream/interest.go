package jetstream

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

const (
	// wideAbove is how many distinct filters of one app a node holds before it
	// takes everything of the app; it goes back at narrowBelow, so that an app
	// at the edge does not flap.
	wideAbove   = 4096
	narrowBelow = wideAbove * 3 / 4
)

// interests holds one core NATS subscription per distinct filter. Callers only
// note what they want; one goroutine brings NATS in line with it, so that many
// wishes share one flush and no caller waits for the connection.
type interests struct {
	conn  *nats.Conn
	inbox chan *nats.Msg
	log   *slog.Logger
	bell  bell
	wide  int // filters of an app above which its wildcard is taken
	thin  int // and at or below which it is given back

	mu      sync.Mutex // guards the fields below, refs and live
	apps    map[string]*app
	dirty   []*interest
	waiting []waiter
	count   int // filters with references
	closed  bool
}

// app groups the filters that start with "{org}/{app}/". Filters that belong
// to no single app are in the group "", which is never taken as a whole.
type app struct {
	prefix  string
	filters map[string]*interest
	live    int                  // filters with references
	whole   []*nats.Subscription // the goroutine's; not empty: taken as a whole
}

// interest is one filter that somebody here wants.
type interest struct {
	app    *app
	filter string
	refs   int
	subs   []*nats.Subscription // the goroutine's
}

func newInterests(conn *nats.Conn, inbox chan *nats.Msg, log *slog.Logger) *interests {
	return &interests{
		conn:  conn,
		inbox: inbox,
		log:   log,
		bell:  bell{rung: make(chan struct{}, 1)},
		wide:  wideAbove,
		thin:  narrowBelow,
		apps:  make(map[string]*app),
	}
}

// appPrefix returns "{org}/{app}/" of a filter that names both, or "".
func appPrefix(filter string) string {
	org, rest, ok := strings.Cut(filter, "/")
	name, _, inside := strings.Cut(rest, "/")
	if !ok || !inside || name == "+" {
		return ""
	}
	return filter[:len(org)+len(name)+2]
}

// add counts one more reference to filter.
func (t *interests) add(filter string, ready func(error)) {
	if _, err := liveSubjects(filter); err != nil {
		ready(err)
		return
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		ready(errClosed)
		return
	}
	in := t.interest(filter)
	in.refs++
	if in.refs == 1 {
		in.app.live++
		t.count++
		t.dirty = append(t.dirty, in)
	}
	t.waiting = append(t.waiting, newWaiter(ready))
	t.mu.Unlock()
	t.bell.ring()
}

// interest finds or makes the entry of a filter.
func (t *interests) interest(filter string) *interest {
	prefix := appPrefix(filter)
	g := t.apps[prefix]
	if g == nil {
		g = &app{prefix: prefix, filters: make(map[string]*interest)}
		t.apps[prefix] = g
	}
	in := g.filters[filter]
	if in == nil {
		in = &interest{app: g, filter: filter}
		g.filters[filter] = in
	}
	return in
}

// remove takes a reference back.
func (t *interests) remove(filter string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.apps[appPrefix(filter)]
	if g == nil {
		return
	}
	in := g.filters[filter]
	if in == nil || in.refs == 0 {
		return
	}
	in.refs--
	if in.refs == 0 {
		g.live--
		t.count--
		t.dirty = append(t.dirty, in)
		t.bell.ring()
	}
}

func (t *interests) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// run brings NATS in line until ctx ends; those who wait then hear so.
func (t *interests) run(ctx context.Context) {
	for {
		select {
		case <-t.bell.rung:
			t.bell.heard()
		case <-ctx.Done():
			t.dismiss()
			return
		}
		again := flushed(ctx, t.conn, t.apply())
		if len(again) == 0 {
			continue
		}
		t.mu.Lock()
		t.waiting = append(again, t.waiting...)
		t.mu.Unlock()
		if wait(ctx, flushRetry) {
			t.bell.ring()
		}
	}
}

func (t *interests) dismiss() {
	t.mu.Lock()
	waiting := t.waiting
	t.waiting, t.closed = nil, true
	t.mu.Unlock()
	dismissed(waiting)
}
