package jetstream

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

// Sessions lists the sessions of a user by client identifier, behind one, at
// most limit. Those that have ended and whose record is still there are left
// out, and so are those whose client identifier is too long for a subject.
func (b *Bus) Sessions(ctx context.Context, org, app, user, after string, limit int) ([]broker.Kept, error) {
	of := org + "/" + app + "/" + user + "/"
	subject := string(appendEncoded([]byte(bucketPrefix(sessionsBucket)), strings.TrimSuffix(of, "/"))) + ".>"
	page := listing{after: after, limit: limit}
	answered := make(chan error, 1)
	ok := b.scanners.offer(org, func(running context.Context, a *asker) {
		if a == nil {
			answered <- errClosed
			return
		}
		running, cancel := context.WithCancel(running)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		answered <- b.list(running, sessionsBucket, subject, false, func(seq uint64, m *nats.Msg) {
			page.take(b, of, seq, m)
		})
	})
	if !ok {
		return nil, b.refusal()
	}
	select {
	case err := <-answered:
		if err != nil {
			return nil, unavailable(err)
		}
		return page.list, nil
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

// listing is a page of sessions in the order of their client identifiers,
// however many there are.
type listing struct {
	after string
	limit int
	list  []broker.Kept
}

// take enters an entry if it belongs to the page. A later entry of a session
// replaces an earlier one.
func (l *listing) take(b *Bus, of string, seq uint64, m *nats.Msg) {
	key, err := sessionKey(m)
	client, ok := strings.CutPrefix(key, of)
	if err != nil || !ok || client <= l.after {
		return
	}
	i, found := slices.BinarySearchFunc(l.list, client, func(k broker.Kept, id string) int { return cmp.Compare(k.ClientID, id) })
	if found {
		l.list = slices.Delete(l.list, i, i+1)
	}
	s := readEntry(seq, m.Header, m.Data)
	if s.removed || i >= l.limit {
		return
	}
	r, err := b.parseRecord(key, &s)
	if err != nil || !r.Expires.IsZero() && time.Now().After(r.Expires) {
		return
	}
	l.list = slices.Insert(l.list, i, broker.Kept{ClientID: client, Record: r, Connected: m.Header.Get(headerOwner) != ""})
	if len(l.list) > l.limit {
		l.list = l.list[:l.limit]
	}
}
