package jetstream

import (
	"log/slog"

	"github.com/nats-io/nats.go"
)

// apply makes the subscriptions that are wanted and drops those that are not.
// It returns who waits for that. Where an app changes between single filters
// and the whole, the new comes before the old goes, on one connection, so
// nothing is missed; what comes twice is noticed.
func (t *interests) apply() []waiter {
	t.mu.Lock()
	dirty, waiting := t.dirty, t.waiting
	t.dirty, t.waiting = nil, nil
	t.mu.Unlock()
	for _, in := range dirty {
		switch t.turn(in.app) {
		case stay:
		case widen:
			in.app.whole = t.subscribe(in.app.prefix + "#")
			t.all(in.app, t.drop)
		case narrow:
			whole := in.app.whole
			in.app.whole = nil
			t.all(in.app, t.match)
			t.unsubscribe(whole)
		}
		t.match(in)
	}
	return waiting
}

// What an app's number of filters asks for.
type turning int

const (
	stay turning = iota
	widen
	narrow
)

func (t *interests) turn(g *app) turning {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case g.prefix != "" && len(g.whole) == 0 && g.live > t.wide:
		return widen
	case len(g.whole) > 0 && g.live <= t.thin:
		return narrow
	}
	return stay
}

// all calls f for every filter of an app.
func (t *interests) all(g *app, f func(*interest)) {
	t.mu.Lock()
	filters := make([]*interest, 0, len(g.filters))
	for _, in := range g.filters {
		filters = append(filters, in)
	}
	t.mu.Unlock()
	for _, in := range filters {
		f(in)
	}
}

// match brings one filter's subscription in line with its references.
func (t *interests) match(in *interest) {
	t.mu.Lock()
	wanted := in.refs > 0
	if !wanted {
		t.forget(in)
	}
	t.mu.Unlock()
	switch {
	case !wanted:
		t.drop(in)
	case len(in.subs) == 0 && len(in.app.whole) == 0:
		in.subs = t.subscribe(in.filter)
	}
}

// forget removes an entry, and its app with the last one. Either may have been
// removed before, and one of the same name have come after it.
func (t *interests) forget(in *interest) {
	if in.app.filters[in.filter] == in {
		delete(in.app.filters, in.filter)
	}
	if len(in.app.filters) == 0 && t.apps[in.app.prefix] == in.app {
		delete(t.apps, in.app.prefix)
	}
}

func (t *interests) drop(in *interest) {
	t.unsubscribe(in.subs)
	in.subs = nil
}

// subscribe makes the subscriptions of a filter that was checked before, so
// only a closed connection can fail, and then nobody receives anything.
func (t *interests) subscribe(filter string) []*nats.Subscription {
	subjects, err := liveSubjects(filter)
	subs := make([]*nats.Subscription, 0, len(subjects))
	for _, subject := range subjects {
		s, failed := t.conn.ChanSubscribe(subject, t.inbox)
		if failed != nil {
			err = failed
			break
		}
		subs = append(subs, s)
	}
	if err != nil {
		t.log.Error("no interest in a filter", slog.String("filter", filter), slog.Any("error", err))
	}
	return subs
}

func (t *interests) unsubscribe(subs []*nats.Subscription) {
	for _, s := range subs {
		_ = s.Unsubscribe() // fails only when the connection is closed
	}
}
