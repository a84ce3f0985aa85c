package jetstream

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// recordMargin is how much longer than its session a record is kept, for
// clocks that differ. Whoever resumes looks at Record.Expires.
const recordMargin = 30 * time.Second

// maxTTL is about a hundred years: longer is for ever.
const maxTTL = 100 * 365 * 24 * time.Hour

// Load reads the record of a session key; see broker.SessionKey. fn is called
// once, from any goroutine, and must not block. Without a record it gets the
// revision of its removal, or 0. An error is broker.ErrRecord if there is a
// record that this program cannot read, which then stays as it is, or
// broker.ErrUnavailable or broker.ErrOverloaded.
//
// The record may be older than the newest, which Save and Erase find out; that
// there is none is certain. A record may be past its Expires.
func (b *Bus) Load(key string, fn func(broker.Stored, error)) {
	subject, _ := sessionSubject(bucketPrefix(sessionsBucket), key)
	b.store.read(sessionsBucket, subject, key, func(s stored, err error) {
		switch {
		case err != nil:
			fn(broker.Stored{}, err)
		case !s.there():
			fn(broker.Stored{Revision: s.revision}, nil)
		default:
			r, err := b.parseRecord(key, &s)
			fn(broker.Stored{Record: r, Revision: s.revision}, err)
		}
	})
}

func (b *Bus) parseRecord(key string, s *stored) (*broker.Record, error) {
	stored, r, err := parseRecord(s.data)
	if err == nil && stored != key {
		err = errRecordKey
	}
	if err == nil {
		return r, nil
	}
	b.counters.damaged.Add(1)
	b.cfg.Logger.Error("a session record cannot be read and is left as it is", slog.String("key", key),
		slog.Uint64("revision", s.revision), slog.Int("version", version(s.data)), slog.Any("error", err))
	return nil, fault.Wrap(broker.ErrRecord.Code, broker.ErrRecord.Message, err)
}

// version is the first byte; -1 if there is none.
func version(data []byte) int {
	if len(data) == 0 {
		return -1
	}
	return int(data[0])
}

// Save writes the record of a key if the stored one is that of revision, 0 for
// none that ever was. fn is called as Load's, with the record's new revision.
// r is read before Save returns. broker.ErrConflict says that somebody else has
// written, perhaps upon this very record, if its answer was lost; after any other error it is not known whether the record was
// stored, and saving again with the same revision settles it. A record with
// Expires ends by itself.
//
// Writes of one key must not be under way at the same time.
func (b *Bus) Save(key string, r *broker.Record, revision uint64, fn func(revision uint64, err error)) {
	subject, digest := sessionSubject(bucketPrefix(sessionsBucket), key)
	header := make(nats.Header, 4)
	if digest {
		header[headerKey] = []string{string(appendEncoded(nil, key))}
	}
	if r.Expires.IsZero() {
		header[headerOwner] = []string{r.Owner}
	} else {
		left := min(time.Until(r.Expires), maxTTL) + recordMargin
		header[headerTTL] = []string{strconv.FormatInt(wholeSeconds(left.Milliseconds()), 10)}
	}
	b.store.begin(&write{
		bucket: sessionsBucket, subject: subject, key: key, expected: revision,
		header: header, data: appendRecord(nil, key, r), fn: fn,
	})
}

// Erase removes the record of a key if the stored one is that of revision. fn
// is called as Save's; it is no error if there is no record any more.
func (b *Bus) Erase(key string, revision uint64, fn func(error)) {
	subject, _ := sessionSubject(bucketPrefix(sessionsBucket), key)
	b.store.begin(&write{
		bucket: sessionsBucket, subject: subject, key: key, expected: revision, removal: true,
		fn: func(_ uint64, err error) { fn(err) },
	})
}
