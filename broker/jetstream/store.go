package jetstream

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
)

// maxDoubts bounds what is remembered of writes that went unanswered. Past it
// an entry of our own that nobody remembers counts as somebody else's.
const maxDoubts = deskErrands

// store keeps session records and wills.
type store struct {
	desk       *desk
	log        *slog.Logger
	counters   *counters
	replicated bool
	// writer names this process in its writes.
	writer string

	mu     sync.Mutex // guards the fields below
	number uint64     // of the last write
	// doubts are the keys with writes that may have been stored, and the first
	// of these.
	doubts map[string]uint64
	// stale are the keys whose entry was not what was read before, so that the
	// next reading had better be the leader's.
	stale map[string]struct{}
}

func newStore(d *desk, writer string, replicated bool, log *slog.Logger, c *counters) *store {
	return &store{
		desk: d, log: log, counters: c, writer: writer, replicated: replicated,
		doubts: make(map[string]uint64), stale: make(map[string]struct{}),
	}
}

// doubted says that an earlier write of ours may have been stored unanswered.
func (s *store) doubted(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.doubts[key]
	return ok
}

// unsettled says that this write of ours is one of those.
func (s *store) unsettled(key string, number uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, ok := s.doubts[key]
	return ok && number >= first
}

func (s *store) doubt(key string, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.doubts[key]; !ok && key != "" && len(s.doubts) < maxDoubts {
		s.doubts[key] = number
	}
}

// settled notes that what is stored under key is known.
func (s *store) settled(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doubts, key)
	if !errors.Is(err, broker.ErrConflict) {
		return
	}
	s.counters.conflicts.Add(1)
	if s.replicated && key != "" && len(s.stale) < maxDoubts {
		s.stale[key] = struct{}{}
	}
}

// begin has a write carried out.
func (s *store) begin(w *write) {
	s.mu.Lock()
	s.number++
	w.number = s.number
	s.mu.Unlock()
	if w.header == nil {
		w.header = make(nats.Header, 3)
	}
	w.store = s
	w.header[headerWrite] = []string{s.writer + "." + strconv.FormatUint(w.number, 10)}
	if w.removal {
		w.header[headerOperation] = []string{operationDelete}
		w.header[headerTTL] = []string{markerTTL.String()}
	}
	s.counters.saves.Add(1)
	s.desk.begin(w)
}

// read has an entry read.
func (s *store) read(bucket, subject, key string, fn func(stored, error)) {
	s.mu.Lock()
	_, stale := s.stale[key]
	delete(s.stale, key)
	s.mu.Unlock()
	s.counters.loads.Add(1)
	s.desk.begin(&load{bucket: bucket, subject: subject, replicated: s.replicated, leader: stale, fn: fn})
}

// openStore makes the connection for buckets and the desk over it, once.
func (b *Bus) openStore(ctx context.Context) error {
	if b.store != nil {
		return nil
	}
	var err error
	if b.drawer, err = b.upstream.lasting(ctx, "store", &b.counters, calm); err != nil {
		return err
	}
	d, err := newDesk(b.drawer)
	if err != nil {
		return err
	}
	b.store = newStore(d, b.writer, b.replicated, b.cfg.Logger, &b.counters)
	return nil
}

// setUpStore prepares what only an instance has, once the streams are there.
func (b *Bus) setUpStore(ctx context.Context, js jetstream.JetStream) error {
	if err := b.generations.open(ctx, js, b.shards, b.Alone()); err != nil {
		return err
	}
	if err := b.openStore(ctx); err != nil {
		return err
	}
	if err := b.openLease(ctx, js); err != nil {
		return err
	}
	return b.readHeads(ctx)
}

// startStore lets those of the buckets run.
func (b *Bus) startStore() {
	var ctx context.Context
	ctx, b.stopStore = context.WithCancel(context.Background())
	b.events = make(chan broker.Event, eventsWaiting)
	b.storing.Go(func() { b.store.desk.run(ctx) })
	b.storing.Go(func() { b.store.desk.watch(ctx) })
	b.storing.Go(func() { b.sendEvents(ctx.Done()) })
	if !b.Alone() {
		b.storing.Go(func() { b.holdLease(ctx) })
		b.storing.Go(func() { b.noteReached(ctx) })
	}
}
