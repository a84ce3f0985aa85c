package jetstream

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
)

// shares holds the share groups that have members here, for what is in the log.
// Each is a durable pull consumer of its shard that all nodes share: it knows
// what the group has had, hands each message to one node that asks, and hands
// it out again when that node shows no sign of life.
type shares struct {
	bus    *Bus
	times  shareTimes
	talker *talker
	loans  *loans
	making chan struct{} // bounds the consumers that are made at once

	ctx  context.Context //nolint:containedctx // of what work does
	work sync.WaitGroup

	mu     sync.RWMutex // guards the fields below and refs; nothing else is locked under it
	byKey  map[groupKey]*share
	closed bool
}

// sharePrefix begins the names of the consumers.
const sharePrefix = "share_"

const (
	// defaultAckWait is after what time without a sign of life a message goes to
	// another node: it bounds how long the messages of a node that died wait,
	// and what is held is told to the server three times in it.
	defaultAckWait = 15 * time.Second
	// shareUnacked is how many messages a group's members may hold, all
	// together: as many as 2,000 members with full windows.
	shareUnacked = 1 << 17
	// shareWaiting is how many requests for messages a group's nodes may have.
	shareWaiting = 1 << 10
	// sharePatience bounds the making of a consumer.
	sharePatience = 10 * time.Second
	// makingAtOnce bounds what a restart with many groups asks of JetStream.
	makingAtOnce = 16
	// errMostConsumers is JetStream's code for "maximum consumers limit reached".
	errMostConsumers = 10026
)

// shareTimes are the periods that go with one AckWait.
type shareTimes struct {
	ackWait  time.Duration
	progress time.Duration // between signs of life for a message
	expires  time.Duration // of a request for messages
	beat     time.Duration // of the server while such a request waits
}

func timesOf(ackWait time.Duration) shareTimes {
	return shareTimes{
		ackWait: ackWait, progress: ackWait / 3,
		// Twice the heartbeat is the least that the server takes.
		expires: 4 * ackWait / 3, beat: ackWait / 3,
	}
}

func newShares(ctx context.Context, b *Bus) *shares {
	t := newTalker(b.side)
	return &shares{
		bus: b, ctx: ctx, times: timesOf(b.cfg.GroupAckWait), talker: t,
		loans: newLoans(t, &b.counters), making: make(chan struct{}, makingAtOnce), byKey: make(map[groupKey]*share),
	}
}

// start lets the goroutines run, until the context ends.
func (s *shares) start(running *sync.WaitGroup) {
	if err := s.loans.listen(); err != nil { // the connection is closed, which ends the bus
		s.bus.cfg.Logger.Error("share groups cannot keep messages", slog.Any("error", err))
	}
	running.Go(func() { s.run(s.ctx) })
	running.Go(func() { s.talker.run(s.ctx) })
}

func (s *shares) find(key groupKey) *share {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byKey[key]
}

func (s *shares) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byKey)
}

// join counts one more membership; the first makes the consumer.
func (s *shares) join(group broker.Group, ready func(error)) {
	key := groupKey{group: group.Name, filter: group.Filter}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		ready(errClosed)
		return
	}
	g := s.byKey[key]
	if g == nil {
		g = &share{shares: s, groupKey: key, shard: int(group.Shard), name: sharePrefix + key.digest(), expiry: group.Expiry}
		s.byKey[key] = g
	}
	g.refs++
	s.mu.Unlock()
	g.enter(group.Expiry, ready)
}

// leave takes one membership back. The consumer stays: it is the group.
func (s *shares) leave(key groupKey) {
	s.mu.Lock()
	g, last := s.byKey[key], false
	if g != nil {
		g.refs--
		if last = g.refs == 0; last {
			delete(s.byKey, key)
		}
	}
	s.mu.Unlock()
	if last {
		g.dismiss()
		s.talker.say(word{end: g})
	}
}

// run looks after requests and loans until ctx ends; those who wait for a
// membership then hear so.
func (s *shares) run(ctx context.Context) {
	ticker := time.NewTicker(s.times.progress / 4)
	defer ticker.Stop()
	reconnects := s.bus.side.Stats().Reconnects
	for {
		select {
		case now := <-ticker.C:
			lost := s.bus.side.Stats().Reconnects != reconnects
			reconnects = s.bus.side.Stats().Reconnects
			s.look(now, lost)
			s.loans.look(now, s.times.progress)
		case <-ctx.Done():
			s.close()
			return
		}
	}
}

// look asks again where requests were lost.
func (s *shares) look(now time.Time, lost bool) {
	s.mu.RLock()
	all := make([]*share, 0, len(s.byKey))
	for _, g := range s.byKey {
		all = append(all, g)
	}
	s.mu.RUnlock()
	for _, g := range all {
		g.look(now, lost)
	}
}

func (s *shares) close() {
	s.mu.Lock()
	s.closed = true
	all := s.byKey
	s.byKey = make(map[groupKey]*share)
	s.mu.Unlock()
	for _, g := range all {
		g.dismiss()
		g.hangUp()
	}
	s.work.Wait()
}

// consumer is what a group's consumer must be.
func (s *shares) consumer(g *share, expiry time.Duration) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:           g.name,
		Description:       "Fanfare share group of " + organizationOf(g.filter),
		FilterSubjects:    scanSubjects(g.shard, []string{g.filter}),
		DeliverPolicy:     jetstream.DeliverNewPolicy,
		AckPolicy:         jetstream.AckExplicitPolicy,
		AckWait:           s.times.ackWait,
		MaxDeliver:        -1,
		MaxAckPending:     shareUnacked,
		MaxWaiting:        shareWaiting,
		InactiveThreshold: expiry,
	}
}

// makeConsumer makes the group's consumer, or finds it, and asks again until
// there is an answer or time is up.
func (s *shares) makeConsumer(ctx context.Context, g *share, expiry time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, sharePatience)
	defer cancel()
	for {
		err := s.tryConsumer(ctx, g, expiry)
		if e := (*jetstream.APIError)(nil); errors.As(err, &e) && e.ErrorCode == errMostConsumers {
			return broker.ErrGroups
		}
		if err == nil {
			return nil
		}
		if !wait(ctx, askAgain) {
			s.bus.cfg.Logger.Warn("a share group cannot be had", slog.String("filter", g.filter), slog.Any("error", err))
			return unavailable(err)
		}
	}
}

// tryConsumer is one attempt. Another node may have made the consumer with
// another expiry: the longest counts.
func (s *shares) tryConsumer(ctx context.Context, g *share, expiry time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	stream := streamName(g.shard)
	have, err := s.bus.js.Consumer(ctx, stream, g.name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = s.bus.js.CreateConsumer(ctx, stream, s.consumer(g, expiry))
		return err // if another node was faster, the next attempt finds it
	}
	if err != nil {
		return err
	}
	cfg := have.CachedInfo().Config
	longer := longestExpiry(cfg.InactiveThreshold, expiry)
	if longer == cfg.InactiveThreshold && cfg.AckWait == s.times.ackWait {
		return nil
	}
	cfg.InactiveThreshold, cfg.AckWait = longer, s.times.ackWait
	_, err = s.bus.js.UpdateConsumer(ctx, stream, cfg)
	return err
}

// longestExpiry is the longer of two; 0 is for ever.
func longestExpiry(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// organizationOf is the first level of a filter, which is literal.
func organizationOf(filter string) string {
	for i := range len(filter) {
		if filter[i] == '/' {
			return filter[:i]
		}
	}
	return filter
}

// receive takes a message that the group's consumer has given to this node.
func (g *share) receive(m *nats.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		return // no message of a consumer
	}
	b := g.shares.bus
	out, err := readLogged(m.Subject, m.Data, broker.Position{Shard: uint16(g.shard), Seq: meta.Sequence.Stream}) //nolint:gosec // at most maxShards
	l := g.shares.loans.open(m.Reply)
	if err != nil {
		b.damaged(m.Subject, meta.Sequence.Stream, err)
		l.Done()
		return
	}
	b.counters.shared.Add(1)
	if meta.NumDelivered > 1 {
		b.counters.sharedAgain.Add(1)
	}
	r := b.inlet.receiver.Load()
	if r == nil {
		l.Return()
		return
	}
	(*r).DeliverShared(g.group, g.filter, out, l)
}
