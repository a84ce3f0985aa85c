package jetstream

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// batchSize is how many appends of one shard are sent before the next
	// shard has its turn.
	batchSize = 64
	// checkInterval is how often lanes look for lost and overdue entries.
	checkInterval = 100 * time.Millisecond
	// redialWait lies between attempts to connect, doubling to redialMax.
	redialWait = 50 * time.Millisecond
	redialMax  = time.Second
)

// appender puts messages into the log. Each shard has a lane; one goroutine
// sends for all of them over a link, one connection's lifetime. Publishers
// only ever queue, so a server that takes no bytes cannot block them.
type appender struct {
	lanes    []lane
	batched  bool
	cfg      Config
	accounts *accounts
	dial     func(onClosed func()) (*nats.Conn, error)
	complete func(*entry)
	counters *counters
	start    time.Time // of the clock

	pending      atomic.Int64
	pendingBytes atomic.Int64
	linked       atomic.Bool
	bell         bell
}

func newAppender(cfg Config, shards int, batched bool, c *counters) *appender {
	lanes := make([]lane, shards)
	for i := range lanes {
		lanes[i].finished = make([]entry, 0, batchSize)
		if batched {
			lanes[i].most, lanes[i].room = batchMost, batchMost
		}
	}
	return &appender{
		lanes:    lanes,
		batched:  batched,
		cfg:      cfg,
		counters: c,
		start:    time.Now(),
		bell:     bell{rung: make(chan struct{}, 1)},
	}
}

func (a *appender) now() time.Duration { return time.Since(a.start) }

// add queues a message. It fails at once when too many wait.
func (a *appender) add(m *broker.Message, ack broker.Acknowledger, tag uint64) error {
	charge, err := a.accounts.charge(m, time.Now())
	if err != nil {
		return err
	}
	e := entry{m: m, ack: ack, tag: tag, entered: a.now(), charge: charge}
	// Decided once: when it is sent again it must have the same subject.
	e.aged = m.Undated && m.CollapseKey == "" && time.Since(m.ID.Timestamp()) > agedAfter
	messages, bytes := a.pending.Add(1), a.pendingBytes.Add(int64(e.bytes()))
	if messages > int64(a.cfg.MaxPending) || bytes > int64(a.cfg.MaxPendingBytes) || !a.fair(&e) {
		a.free(&e)
		charge.refund()
		return broker.ErrOverloaded
	}
	if !a.lanes[m.Position.Shard].push(e) {
		a.free(&e)
		charge.refund()
		return errClosed
	}
	a.bell.ring()
	return nil
}

// fair counts an entry for its organization, and reports whether that has no more
// than half of all that may wait: so much is left to the others at any time.
func (a *appender) fair(e *entry) bool {
	if e.charge.account == nil {
		return true
	}
	p := &e.charge.account.parent.pending
	messages, bytes := p.messages.Add(1), p.bytes.Add(int64(e.bytes()))
	e.shared = true
	return messages <= int64(a.cfg.MaxPending+1)/2 && bytes <= int64(a.cfg.MaxPendingBytes+1)/2
}

// free gives an entry's room back.
func (a *appender) free(e *entry) {
	a.pending.Add(-1)
	a.pendingBytes.Add(-int64(e.bytes()))
	if e.shared {
		p := &e.charge.account.parent.pending
		p.messages.Add(-1)
		p.bytes.Add(-int64(e.bytes()))
	}
}

// run keeps a link up and sends over it until ctx ends.
func (a *appender) run(ctx context.Context) {
	backoff := redialWait
	for ctx.Err() == nil {
		closed := make(chan struct{})
		conn, err := a.dial(sync.OnceFunc(func() { close(closed) }))
		if err == nil {
			backoff = redialWait
			err = a.serve(ctx, conn, closed)
			conn.Close()
		}
		if ctx.Err() != nil {
			return
		}
		a.cfg.Logger.Warn("the message log is out of reach", slog.Any("error", err))
		if wait(ctx, backoff) {
			backoff = min(2*backoff, redialMax)
		}
	}
}

// serve sends over one connection until it ends.
func (a *appender) serve(ctx context.Context, conn *nats.Conn, closed <-chan struct{}) error {
	l := newLink(conn, a.cfg.Retention)
	if err := l.listen(a.acked); err != nil {
		return err
	}
	for i := range a.lanes {
		a.lanes[i].restart()
	}
	a.linked.Store(true)
	defer a.linked.Store(false)
	size := batchSize
	if a.batched {
		size = batchMost
	}
	batch := make([]parcel, 0, size)
	for {
		busy, err := a.sendRound(l, batch)
		if err != nil {
			return err
		}
		if busy {
			continue
		}
		select {
		case <-a.bell.rung:
			a.bell.heard()
		case <-closed:
			return nats.ErrConnectionClosed
		case <-ctx.Done():
			return nil
		}
	}
}

// sendRound gives every lane its turn and reports whether one had something.
func (a *appender) sendRound(l *link, scratch []parcel) (busy bool, err error) {
	for shard := range a.lanes {
		parcels, number := a.lanes[shard].take(scratch[:0], a.now())
		if a.batched && len(parcels) > 1 && parcels[0].ask == askNothing {
			err = a.sendBatch(l, shard, parcels, number)
		} else {
			err = a.sendEach(l, shard, parcels)
		}
		if err != nil {
			return false, err
		}
		busy = busy || len(parcels) > 0
	}
	return busy, nil
}

func (a *appender) sendEach(l *link, shard int, parcels []parcel) error {
	for _, p := range parcels {
		if err := l.send(shard, p); isTooLarge(err) {
			a.answer(shard, p.index, outcome{err: errPayload})
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (a *appender) sendBatch(l *link, shard int, parcels []parcel, number uint64) error {
	err := l.sendBatch(shard, parcels, number)
	if isTooLarge(err) {
		a.answerBatch(shard, number, batchOutcome{alone: true})
		return nil
	}
	return err
}

// acked takes the log's answer to <inbox>.<shard>.<index>, or one to a question
// or a batch, whose shard is marked.
func (a *appender) acked(m *nats.Msg) {
	i := strings.LastIndexByte(m.Subject, '.')
	j := strings.LastIndexByte(m.Subject[:i], '.')
	mark, token := "", m.Subject[j+1:i]
	if token[0] > '9' {
		mark, token = token[:1], token[1:]
	}
	shard, err := strconv.Atoi(token)
	if err != nil || shard < 0 || shard >= len(a.lanes) {
		return
	}
	index, err := strconv.ParseUint(m.Subject[i+1:], 10, 64)
	if err != nil {
		return
	}
	switch mark {
	case askMark:
		a.answer(shard, index, readLookup(m))
	case batchMark:
		a.answerBatch(shard, index, readBatch(m))
	default:
		a.answer(shard, index, readAck(m))
	}
}

func (a *appender) answer(shard int, index uint64, out outcome) {
	if out.again {
		a.counters.retries.Add(1)
	}
	settle, more := a.lanes[shard].answer(index, out, a.now())
	a.goOn(shard, settle, more)
}

func (a *appender) answerBatch(shard int, number uint64, out batchOutcome) {
	if out.again || out.refused || out.alone {
		a.counters.retries.Add(1)
	}
	settle, more := a.lanes[shard].answerBatch(number, out, a.now())
	a.goOn(shard, settle, more)
}

// goOn follows an answer. In batches the lane stood still for it.
func (a *appender) goOn(shard int, settle, more bool) {
	if settle {
		a.settle(&a.lanes[shard])
	}
	if more {
		a.bell.ring()
	}
}

// settle completes what is finished at the front of a lane, in order.
func (a *appender) settle(l *lane) {
	l.order.Lock()
	defer l.order.Unlock()
	for {
		l.finished = l.pop(l.finished[:0])
		if len(l.finished) == 0 {
			return
		}
		for i := range l.finished {
			e := &l.finished[i]
			a.free(e)
			if e.outcome.err != nil || e.outcome.duplicate {
				e.charge.refund()
			}
			a.complete(e)
			*e = entry{}
		}
	}
}

// watch looks after the lanes until ctx ends.
func (a *appender) watch(ctx context.Context) {
	for wait(ctx, checkInterval) {
		if a.pending.Load() == 0 {
			continue
		}
		for i := range a.lanes {
			gaveUp, wentBack := a.lanes[i].check(a.now())
			if gaveUp {
				a.settle(&a.lanes[i])
			}
			if wentBack {
				a.counters.retries.Add(1)
			}
		}
		a.bell.ring() // a hold may be over
	}
}

// drain waits until the log has answered everything, for a while and as long
// as there is hope.
func (a *appender) drain(ctx context.Context) {
	for a.pending.Load() > 0 && a.linked.Load() && wait(ctx, time.Millisecond) {
		continue
	}
}

// close fails what is left, once nothing is sent any more.
func (a *appender) close() {
	for i := range a.lanes {
		a.lanes[i].close()
		a.settle(&a.lanes[i])
	}
}

// bell wakes one goroutine, cheaply when it is awake already.
type bell struct {
	set  atomic.Bool
	rung chan struct{}
}

func (b *bell) ring() {
	if !b.set.Load() && !b.set.Swap(true) {
		b.rung <- struct{}{} // never blocks: set is cleared after it was received
	}
}

// heard must follow receiving from rung, before looking for work.
func (b *bell) heard() { b.set.Store(false) }
