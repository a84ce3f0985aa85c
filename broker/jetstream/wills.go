package jetstream

import (
	"context"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// listPage is how many entries one fetch brings.
const listPage = 512

// willsOf is the prefix of an instance's wills. An instance is one token.
func willsOf(instance string) string { return bucketPrefix(willsBucket) + instance + "." }

// PutWill stores a will under its instance and key, instead of one that was
// there. fn is called once, from any goroutine, and must not block, with the
// entry's revision. w is read before PutWill returns. broker.ErrConflict says
// that another has taken the will away, or that a later one of this node is
// there; after any other error it is not known whether the will was stored.
func (b *Bus) PutWill(w *broker.Will, fn func(revision uint64, err error)) {
	subject, _ := sessionSubject(willsOf(w.Instance), w.Key)
	b.store.begin(&write{
		bucket: willsBucket, subject: subject, blind: true,
		data: appendWill(nil, w), fn: fn,
	})
}

// DropWill removes the will of an instance's session if the stored one is that
// of revision, or whatever there is for revision 0. fn is called as PutWill's;
// it is no error if there is no will any more.
func (b *Bus) DropWill(instance, key string, revision uint64, fn func(error)) {
	subject, _ := sessionSubject(willsOf(instance), key)
	b.store.begin(&write{
		bucket: willsBucket, subject: subject, expected: revision, blind: revision == 0, removal: true,
		fn: func(_ uint64, err error) { fn(err) },
	})
}

// TakeWill is DropWill for who may act on it once only: fn gets
// broker.ErrConflict if another has removed the will.
func (b *Bus) TakeWill(instance, key string, revision uint64, fn func(error)) {
	subject, _ := sessionSubject(willsOf(instance), key)
	b.store.begin(&write{
		bucket: willsBucket, subject: subject, expected: revision, removal: true, strict: true,
		fn: func(_ uint64, err error) { fn(err) },
	})
}

// Will reads the will of an instance's session, nil if there is none, and as
// well if it cannot be read. fn is called as PutWill's.
func (b *Bus) Will(instance, key string, fn func(*broker.Will, error)) {
	subject, _ := sessionSubject(willsOf(instance), key)
	b.store.read(willsBucket, subject, "", func(s stored, err error) {
		if err != nil || !s.there() {
			fn(nil, err)
			return
		}
		fn(b.parseWill(instance, subject, &s), nil)
	})
}

// Wills reads all wills of an instance, in the order they were stored. One that
// cannot be read is logged, left out and left where it is. fn is called once,
// from any goroutine, and must not block.
func (b *Bus) Wills(instance string, fn func([]*broker.Will, error)) {
	ok := b.scanners.offer("", func(ctx context.Context, a *asker) {
		if a == nil {
			fn(nil, errClosed)
			return
		}
		var all []*broker.Will
		err := b.list(ctx, willsBucket, willsOf(instance)+">", false, func(seq uint64, m *nats.Msg) {
			if w := b.readWill(instance, seq, m); w != nil {
				all = append(all, w)
			}
		})
		if err != nil {
			all, err = nil, unavailable(err)
		}
		fn(all, err)
	})
	if !ok {
		fn(nil, b.refusal())
	}
}

// readWill is nil for one that was removed and for one that cannot be read.
func (b *Bus) readWill(instance string, seq uint64, m *nats.Msg) *broker.Will {
	s := readEntry(seq, m.Header, m.Data)
	if s.removed {
		return nil
	}
	return b.parseWill(instance, m.Subject, &s)
}

func (b *Bus) parseWill(instance, subject string, s *stored) *broker.Will {
	w, err := parseWill(s.data)
	if err != nil {
		b.counters.damaged.Add(1)
		b.cfg.Logger.Error("a will cannot be read and is left as it is", slog.String("subject", subject),
			slog.Uint64("revision", s.revision), slog.Int("version", version(s.data)), slog.Any("error", err))
		return nil
	}
	w.Instance, w.Revision = instance, s.revision
	return w
}

// Orphans lists the keys of the records that an instance held when its
// connections ended without being put away: once it is dead nobody holds them.
// It reads the headers of all records, so it is for the dead alone. fn is
// called as Wills'.
func (b *Bus) Orphans(instance string, fn func(keys []string, err error)) {
	ok := b.scanners.offer("", func(ctx context.Context, a *asker) {
		if a == nil {
			fn(nil, errClosed)
			return
		}
		var all []string
		err := b.list(ctx, sessionsBucket, bucketPrefix(sessionsBucket)+">", true, func(_ uint64, m *nats.Msg) {
			if m.Header.Get(headerOwner) != instance {
				return
			}
			key, err := sessionKey(m)
			if err != nil {
				b.damaged(m.Subject, 0, err)
				return
			}
			all = append(all, key)
		})
		if err != nil {
			all, err = nil, unavailable(err)
		}
		fn(all, err)
	})
	if !ok {
		fn(nil, b.refusal())
	}
}

// sessionKey is whose record an entry is.
func sessionKey(m *nats.Msg) (string, error) {
	levels := m.Header.Get(headerKey)
	if levels == "" {
		levels = strings.TrimPrefix(m.Subject, bucketPrefix(sessionsBucket))
	}
	key, err := topicOf(levels)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "the entry belongs to no session", err)
	}
	return key, nil
}

// list hands every entry of a bucket that matches to each, page by page, in
// the order of their sequences. After a loss it goes on behind the last one.
func (b *Bus) list(ctx context.Context, bucket, filter string, headers bool, each func(seq uint64, m *nats.Msg)) error {
	last := uint64(0)
	var err error
	for tries := 0; tries < listTries; tries++ {
		before := last
		var drained bool
		drained, err = b.listFrom(ctx, bucket, filter, headers, &last, each)
		if drained {
			return nil
		}
		if last > before {
			tries = 0
		}
		if !wait(ctx, retryDelay) {
			break
		}
	}
	return err
}

// listTries is how often a list is tried that does not get on: 10 seconds.
const listTries = 40

func (b *Bus) listFrom(ctx context.Context, bucket, filter string, headers bool, last *uint64, each func(uint64, *nats.Msg)) (bool, error) {
	opening, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	s, err := openScan(opening, b.js, bucketStream(bucket), jetstream.ConsumerConfig{
		FilterSubject: filter,
		HeadersOnly:   headers,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   *last + 1,
	})
	if err != nil {
		return false, err
	}
	defer s.close()
	for {
		drained, err := s.fetch(ctx, listPage, func(seq uint64, m *nats.Msg) {
			*last = seq
			each(seq, m)
		})
		if drained || err != nil {
			return drained, err
		}
	}
}
