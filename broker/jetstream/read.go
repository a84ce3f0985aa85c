package jetstream

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// readers is how many probes this node has under way, getters how many
	// questions for messages by their sequences, and scanners how many scans of
	// retained messages, each of which is a consumer on the server.
	readers  = 8
	getters  = 8
	scanners = 8
	// readQueue and scanQueue are how many may wait for their turn.
	readQueue = 8192
	scanQueue = 4096
	// questionSubjects and questionBytes bound one question; more filters are
	// asked for in several.
	questionSubjects = 2048
	questionBytes    = 256 << 10
)

// Read asks for a part of the log and returns at once. fn is called once, from
// any goroutine, and must not block. It gets broker.ErrOverloaded when too many
// wait, broker.ErrUnavailable when the log does not answer, and another fault
// for a query that cannot be asked. Messages past their deadline are left out.
//
// A page says nothing that the replica which answered did not have: UpTo is
// what that replica reported, never a head learnt elsewhere. A page may be
// shorter than its limit and have more.
func (b *Bus) Read(q broker.Query, fn func(broker.Page, error)) {
	subjects, err := b.questionOf(q)
	if err != nil || len(subjects) == 0 {
		fn(broker.Page{}, err)
		return
	}
	b.counters.reads.Add(1)
	if b.sweeps[q.Shard].goOn(q, fn) {
		return
	}
	asked := time.Now()
	if !b.readers.offer(organizationOf(q.Filters[0]), func(ctx context.Context, a *asker) { b.read(ctx, a, q, subjects, asked, fn) }) {
		fn(broker.Page{}, b.refusal())
	}
}

func (b *Bus) questionOf(q broker.Query) ([]string, error) {
	if int(q.Shard) >= b.shards {
		return nil, fault.Newf(fault.Internal, "shard %d of %d does not exist", q.Shard, b.shards)
	}
	return logSubjects(q, time.Now())
}

// refusal says why a queue took nothing.
func (b *Bus) refusal() error {
	if b.closed.Load() {
		return errClosed
	}
	return broker.ErrOverloaded
}

// read is Read on a goroutine that may wait.
func (b *Bus) read(
	ctx context.Context, a *asker, q broker.Query, subjects []string, asked time.Time, fn func(broker.Page, error),
) {
	s := b.sweeps[q.Shard]
	switch {
	case a == nil:
		fn(broker.Page{}, errClosed)
		return
	case s.goOn(q, fn): // learnt while it waited for its turn
		return
	}
	// Whoever has waited long gets one attempt: in an outage all are turned away
	// sooner so, and else one will do.
	patience := max(askPatience-time.Since(asked), answerPatience)
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	page, err := b.probeAll(patient, a, q, subjects)
	switch {
	case errors.Is(err, errMatches):
		s.join(q, true, fn)
		s.learn(ctx, a, q)
	case errors.Is(err, errSlow):
		s.join(q, false, fn)
	case err != nil:
		fn(broker.Page{}, unavailable(err))
	default:
		fn(page, nil)
	}
}

// probeAll puts all questions that subjects take.
func (b *Bus) probeAll(ctx context.Context, a *asker, q broker.Query, subjects []string) (broker.Page, error) {
	c := &collector{bus: b, shard: q.Shard, now: time.Now()}
	var parts []*part
	for chunk := range questions(subjects) {
		p, err := b.probe(ctx, a, c, q, chunk)
		if err != nil {
			return broker.Page{}, err
		}
		parts = append(parts, p)
	}
	return pageOf(parts, q), nil
}

// questions cuts subjects into what one question may hold.
func questions(subjects []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(subjects) > 0 {
			n, bytes := 0, 0
			for n < len(subjects) && n < questionSubjects && bytes < questionBytes {
				bytes += len(subjects[n])
				n++
			}
			if !yield(subjects[:n:n]) {
				return
			}
			subjects = subjects[n:]
		}
	}
}

// probe asks one question until the answer is whole or the page full. It fails
// with errMatches if a scan has to find out, and with errSlow if it had better.
func (b *Bus) probe(ctx context.Context, a *asker, c *collector, q broker.Query, subjects []string) (*part, error) {
	p := &part{upTo: q.After}
	asked := append(subjects, sentinel(int(q.Shard)))
	for {
		ans, err := b.probeOnce(ctx, a, c, q, p, asked)
		switch {
		case errors.Is(err, errMatches), errors.Is(err, errSlow):
			return nil, err
		case err == nil && ans.whole && ans.pending == 0:
			p.upTo = max(p.upTo, ans.upTo)
			return p, nil
		case p.full(limit(q.Limit)):
			p.more = true
			return p, nil
		case err == nil && ans.whole:
			continue
		}
		b.counters.probesBroken.Add(1)
		if !wait(ctx, askAgain) {
			return nil, errors.Join(errAnswer, err)
		}
	}
}

// probeOnce asks for what follows p.
func (b *Bus) probeOnce(ctx context.Context, a *asker, c *collector, q broker.Query, p *part, subjects []string) (replicaAnswer, error) {
	leave, ok := b.sweeps[q.Shard].gate.enter(ctx)
	if !ok {
		return replicaAnswer{}, errSlow
	}
	defer leave()
	b.counters.probes.Add(1)
	ans, err := a.multiLast(ctx, streamName(int(q.Shard)), question{
		MultiLast: subjects, Seq: p.upTo + 1, Batch: limit(q.Limit) - len(p.messages), MaxBytes: pageBytes,
	}, func(seq uint64, m *nats.Msg) { c.take(p, subjectOf(m), seq, m.Data) })
	p.upTo = max(p.upTo, ans.last) // all of it was seen, whatever is missing behind
	if ans.last == 0 && errors.Is(err, context.DeadlineExceeded) && a.conn.IsConnected() {
		return ans, errSlow // the server still counts: another question would only add to it
	}
	return ans, err
}

// pageOf puts together what several questions said. None of them knows
// anything beyond its own end, so the earliest end is the page's.
func pageOf(parts []*part, q broker.Query) broker.Page {
	page := broker.Page{UpTo: parts[0].upTo}
	for _, p := range parts {
		page.UpTo = min(page.UpTo, p.upTo)
		page.More = page.More || p.more
		page.Messages = append(page.Messages, p.messages...)
	}
	if len(parts) == 1 {
		return page
	}
	slices.SortFunc(page.Messages, bySequence)
	page.Messages = slices.CompactFunc(page.Messages, func(m, n *broker.Message) bool { return bySequence(m, n) == 0 })
	known, _ := slices.BinarySearchFunc(page.Messages, page.UpTo+1, func(m *broker.Message, seq uint64) int {
		return cmp.Compare(m.Position.Seq, seq)
	})
	if known < len(page.Messages) {
		page.Messages, page.More = page.Messages[:known], true
	}
	if n := limit(q.Limit); len(page.Messages) > n {
		page.Messages, page.More, page.UpTo = page.Messages[:n], true, page.Messages[n-1].Position.Seq
	}
	return page
}

func bySequence(m, n *broker.Message) int { return cmp.Compare(m.Position.Seq, n.Position.Seq) }

// unavailable keeps the cause of ErrUnavailable for the log.
func unavailable(err error) error {
	return fault.Wrap(fault.Unavailable, broker.ErrUnavailable.Message, err)
}

// damaged tells of a message in a stream that cannot be read. It is passed
// over: nobody could ever get it.
func (b *Bus) damaged(subject string, seq uint64, err error) {
	b.counters.damaged.Add(1)
	b.cfg.Logger.Error("a stored message cannot be read",
		slog.Any("error", err), slog.String("subject", subject), slog.Uint64("seq", seq))
}
