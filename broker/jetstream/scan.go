package jetstream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

const (
	// scanFilters is how many filters a consumer is given; more are read as
	// what they have in common.
	scanFilters = 64
	// scanIdle is when the server drops a consumer that was left behind.
	scanIdle = time.Minute
)

// scan reads a stream in order through a consumer of its own, which is 46 KB
// of the server's memory: few at once, and deleted at once.
type scan struct {
	js     jetstream.JetStream
	conn   *nats.Conn
	stream string
	name   string
	inbox  string
	sub    *nats.Subscription
	taken  uint64 // messages so far
	bytes  int    // what one fetch may bring
}

// openScan makes a consumer. Subjects must not overlap.
func openScan(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig) (*scan, error) {
	cfg.AckPolicy = jetstream.AckNonePolicy
	cfg.MemoryStorage = true
	cfg.Replicas = 1
	cfg.InactiveThreshold = scanIdle
	s := &scan{js: js, conn: js.Conn(), stream: stream, bytes: pageBytes}
	s.inbox = s.conn.NewInbox()
	consumer, err := js.CreateConsumer(ctx, stream, cfg)
	if err != nil {
		return nil, fmt.Errorf("jetstream: scan of %s: %w", stream, err)
	}
	s.name = consumer.CachedInfo().Name
	if s.sub, err = s.conn.SubscribeSync(s.inbox); err != nil {
		s.close()
		return nil, fmt.Errorf("jetstream: scan of %s: %w", stream, err)
	}
	return s, s.sub.SetPendingLimits(-1, -1) // a fetch is bounded
}

// fetch asks for at most n messages and hands them to each. drained says that
// the stream's replica has no more.
func (s *scan) fetch(ctx context.Context, n int, each func(seq uint64, m *nats.Msg)) (drained bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	want := fmt.Sprintf(`{"batch":%d,"no_wait":true,"max_bytes":%d}`, n, s.bytes)
	err = s.conn.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+s.stream+"."+s.name, s.inbox, []byte(want))
	for got := 0; got < n && err == nil; got++ {
		var m *nats.Msg
		if m, err = s.sub.NextMsgWithContext(ctx); err != nil {
			break
		}
		switch status := m.Header.Get(headerStatus); {
		case status == statusNone:
			return true, nil
		case status == "409" && got > 0: // as many bytes as were asked for
			return false, nil
		case status != "":
			return false, fmt.Errorf("%w: %s %s", errAnswer, status, m.Header.Get("Description"))
		}
		var meta *nats.MsgMetadata
		if meta, err = m.Metadata(); err != nil {
			break
		}
		if meta.Sequence.Consumer != s.taken+1 {
			return false, errAnswer // something is missing
		}
		s.taken++
		each(meta.Sequence.Stream, m)
	}
	return false, err
}

// reached is the sequence up to which the consumer has looked, on the replica
// it reads.
func (s *scan) reached(ctx context.Context) (uint64, error) {
	c, err := s.js.Consumer(ctx, s.stream, s.name)
	if err != nil {
		return 0, fmt.Errorf("jetstream: scan of %s: %w", s.stream, err)
	}
	return c.CachedInfo().Delivered.Stream, nil
}

// close deletes the consumer without waiting for it; what does not arrive is
// deleted by the server in time.
func (s *scan) close() {
	if s.sub != nil {
		_ = s.sub.Unsubscribe() // fails only when the connection is closed
	}
	_ = s.conn.Publish("$JS.API.CONSUMER.DELETE."+s.stream+"."+s.name, nil)
}

// scanInstead queues a query that a probe cannot answer.
func (b *Bus) scanInstead(q broker.Query, fn func(broker.Page, error)) {
	ok := b.scanners.offer(func(ctx context.Context, a *asker) {
		if a == nil {
			fn(broker.Page{}, errClosed)
			return
		}
		b.counters.scans.Add(1)
		page, err := b.scanPage(ctx, q)
		if err != nil {
			page, err = broker.Page{}, unavailable(err)
		}
		fn(page, err)
	})
	if !ok {
		fn(broker.Page{}, b.refusal())
	}
}

// scanPage reads one page through a consumer, and tries again when the
// consumer or its server was lost.
func (b *Bus) scanPage(ctx context.Context, q broker.Query) (broker.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for {
		p, err := b.scanPart(ctx, q)
		if err == nil || len(p.messages) > 0 {
			return broker.Page{Messages: p.messages, UpTo: p.upTo, More: p.more}, nil
		}
		if !wait(ctx, askAgain) {
			return broker.Page{}, err
		}
	}
}

// scanPart is one attempt. What it has when it fails is good up to p.upTo.
func (b *Bus) scanPart(ctx context.Context, q broker.Query) (*part, error) {
	p := &part{upTo: q.After, more: true}
	c := &collector{bus: b, shard: q.Shard, filters: q.Filters, now: time.Now()}
	s, err := openScan(ctx, b.js, streamName(int(q.Shard)), jetstream.ConsumerConfig{
		FilterSubjects: scanSubjects(int(q.Shard), q.Filters),
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    q.After + 1,
	})
	if err != nil {
		return p, err
	}
	defer s.close()
	for !p.full(limit(q.Limit)) {
		drained, err := s.fetch(ctx, limit(q.Limit)-len(p.messages), func(seq uint64, m *nats.Msg) {
			c.take(p, m.Subject, seq, m.Data)
			p.upTo = max(p.upTo, seq)
		})
		if err != nil {
			return p, err
		}
		if !drained {
			continue
		}
		p.more = false
		// After the fetch: the consumer has looked this far and found no more.
		reached, err := s.reached(ctx)
		p.upTo = max(p.upTo, reached)
		return p, err
	}
	return p, nil
}

// scanSubjects are subjects of a shard that hold all that filters match and do
// not overlap, which a consumer could not have. They may hold more.
func scanSubjects(shard int, filters []string) []string {
	prefix := logPrefix + strconv.Itoa(shard) + ".*."
	filters = uncovered(filters)
	if len(filters) > scanFilters || overlap(filters) {
		return []string{prefix + commonLevels(filters) + ">"}
	}
	subjects := make([]string, 0, len(filters))
	for _, f := range filters {
		levels, err := logLevels(f)
		if err != nil {
			continue // it was refused before
		}
		subjects = append(subjects, prefix+levels)
	}
	return subjects
}

// uncovered leaves out filters that another covers.
func uncovered(filters []string) []string {
	if len(filters) > 8*scanFilters {
		return filters // quadratic, and too many in any case
	}
	var kept []string
	for i, f := range filters {
		covered := false
		for j, g := range filters {
			covered = covered || i != j && topic.Covers(g, f) && (j < i || !topic.Covers(f, g))
		}
		if !covered {
			kept = append(kept, f)
		}
	}
	return kept
}

func overlap(filters []string) bool {
	for i, f := range filters {
		for _, g := range filters[:i] {
			if topic.Intersects(f, g) {
				return true
			}
		}
	}
	return false
}

// commonLevels are the literal levels that all filters begin with, encoded,
// with a dot behind each.
func commonLevels(filters []string) string {
	common := strings.Split(filters[0], "/")
	for _, f := range filters {
		levels := strings.Split(f, "/")
		n := 0
		for n < len(common) && n < len(levels) && common[n] == levels[n] && levels[n] != "+" && levels[n] != "#" {
			n++
		}
		common = common[:n]
	}
	var s []byte
	for _, level := range common {
		s = append(appendEncoded(s, level), '.')
	}
	return string(s)
}
