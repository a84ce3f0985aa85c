package jetstream

import (
	"context"
	"errors"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// countPatience lies between attempts while an app's retained messages are
// counted.
const countPatience = 2 * time.Millisecond

// maxQoS is what appends and live delivery can carry.
const maxQoS = 2

// Publish takes a message: it sets m.Node, and m.ID if that is zero; after
// that m belongs to the bus. An error means that the message was not taken and
// ack will not be called: broker.ErrOverloaded when too many wait, to be tried
// again; broker.ErrLogFull when the disk of the embedded log is; any other fault
// is final. It never waits for NATS.
//
// A message with QoS 0 goes to this node's receiver and to other nodes at
// once. One with QoS ≥ 1 is appended to the log first; when the log has
// acknowledged it, m.Position is complete, ack hears of it, and it is
// delivered, all in the order of the shard's log. Who publishes a message
// again under the same ID learns the first one's position; it may be delivered
// live twice, at the same position. With a collapse key the message takes the
// place of the one before it with that key on its topic, and its ID is
// remembered for two minutes.
//
// A message to be retained is also written there before it is acknowledged and
// delivered; messages of other topics do not wait for it. When its app has no
// room for another retained topic, Publish returns broker.ErrRetainedQuota. The
// first of an app with a limit after a start gets broker.ErrOverloaded until
// the app's topics are counted.
//
// When the app has as many bytes in the log as it may, Publish returns
// broker.ErrAppFull. When the log has no room, ack gets broker.ErrLogFull, and whether there is room
// again only the next message can tell.
// Without an answer from the log for 30 seconds, ack gets
// broker.ErrUnavailable; then it is not known whether the message is in the
// log. An expired message is acknowledged and dropped: nobody wants it.
func (b *Bus) Publish(m *broker.Message, ack broker.Acknowledger, tag uint64) error {
	if b.closed.Load() {
		return errClosed
	}
	if err := b.check(m); err != nil {
		return err
	}
	now := time.Now()
	m.Node = b.cfg.Node
	if m.ID.IsZero() {
		m.ID = b.ids.next(now)
	}
	switch {
	case m.Expired(now):
		b.counters.expired.Add(1)
		answer(ack, tag, m, nil)
		return nil
	case m.Retain:
		return b.publishRetained(m, ack, tag, now)
	case m.QoS > 0:
		return b.appender.add(m, ack, tag)
	case b.keeper.full() && b.keeper.busy(m.Topic):
		return broker.ErrOverloaded
	case !b.keeper.put(job{m: m, ack: ack, tag: tag}):
		b.hand(m)
		answer(ack, tag, m, nil)
	}
	return nil
}

// publishRetained is Publish for a message that is to be retained.
func (b *Bus) publishRetained(m *broker.Message, ack broker.Acknowledger, tag uint64, now time.Time) error {
	if b.keeper.full() {
		return broker.ErrOverloaded
	}
	err := b.quotas.admit(m, now)
	if err != nil {
		return err
	}
	if m.QoS == 0 {
		b.keeper.put(job{m: m, ack: ack, tag: tag})
		return nil
	}
	if err = b.appender.add(m, ack, tag); err != nil {
		b.quotas.done(m, err, now)
	}
	return err
}

// hand gives a message to this node's edge and to the other nodes.
func (b *Bus) hand(m *broker.Message) {
	if m.Position.Seq != 0 && b.Alone() {
		m.Overtakes = b.heads[m.Position.Shard].overtaken(m.Position.Seq)
	}
	b.inlet.deliver(m)
	switch {
	case b.Alone():
	case m.QoS > 0:
		// Waiting here slows the acknowledgements, and with them publishers,
		// to what the other nodes can be told.
		b.outbox.put(letter{m: m})
	case !b.outbox.offer(letter{m: m}):
		b.counters.liveDropped.Add(1)
	}
}

// check refuses what cannot be carried, or not now.
func (b *Bus) check(m *broker.Message) error {
	size := len(m.Payload) + properties(m) + len(m.Publisher) + len(b.cfg.Node) + maxEnvelope + maxHeaders
	switch {
	case m.QoS > maxQoS:
		return fault.New(fault.Invalid, "the quality of service is not 0, 1 or 2")
	case int(m.Position.Shard) >= b.shards:
		return fault.Newf(fault.Internal, "shard %d of %d does not exist", m.Position.Shard, b.shards)
	case size > b.maxPayload:
		return errPayload
	}
	if err := checkTopic(m.Topic); err != nil {
		return err
	}
	if b.disk.isFull() && (m.QoS > 0 || m.Retain) {
		return broker.ErrLogFull
	}
	return checkKey(m)
}

// properties is the size of what a message has beside its payload.
func properties(m *broker.Message) int {
	return len(m.ContentType) + len(m.ResponseTopic) + len(m.Correlation) + len(m.User)
}

// maxHeaders is the size of the NATS headers of a message, in bytes.
const maxHeaders = 256

// complete finishes an append, in the order of its shard.
func (b *Bus) complete(e *entry) {
	m, out := e.m, e.outcome
	if out.err != nil {
		b.counters.failed.Add(1)
		if m.Retain {
			b.quotas.done(m, out.err, time.Now())
		}
		answer(e.ack, e.tag, m, out.err)
		return
	}
	b.counters.appended.Add(1)
	if out.duplicate {
		b.counters.duplicates.Add(1)
	}
	m.Position.Seq = out.seq
	if b.Alone() {
		m.Previous = 0
	} else {
		previous := b.previous.swap(m.Topic, out.seq, out.duplicate, time.Now())
		if out.duplicate || m.Previous == broker.UnknownPrevious || previous == broker.UnknownPrevious {
			previous = out.seq // any message before it may be the one
		}
		m.Previous = previous
	}
	if !b.keeper.put(job{m: m, ack: e.ack, tag: e.tag}) {
		answer(e.ack, e.tag, m, nil)
		b.hand(m)
	}
	b.heads[m.Position.Shard].settle(out.seq)
}

// late notes that a message is handed over after others of its shard.
func (b *Bus) late(m *broker.Message) {
	if m.QoS > 0 {
		b.heads[m.Position.Shard].hold(m.Position.Seq)
	}
}

// keptOne finishes a message that waited for a retained write, its own or one
// of its topic. One that is in the log reaches its subscribers even if it could
// not be retained.
func (b *Bus) keptOne(j job, err error) {
	if j.m.Retain {
		b.quotas.done(j.m, err, time.Now())
	}
	if err != nil {
		b.counters.failed.Add(1)
	}
	answer(j.ack, j.tag, j.m, err)
	b.hand(j.m)
	if j.m.QoS > 0 {
		b.heads[j.m.Position.Shard].release(j.m.Position.Seq)
	}
}

func answer(ack broker.Acknowledger, tag uint64, m *broker.Message, err error) {
	if ack != nil {
		ack.Published(tag, m, err)
	}
}

// PublishWait is Publish for callers that wait for the acknowledgement. When
// ctx ends first it is not known whether the message will be published.
func (b *Bus) PublishWait(ctx context.Context, m *broker.Message) (broker.Position, error) {
	c := make(caller, 1)
	err := b.Publish(m, c, 0)
	for errors.Is(err, errNotCounted) && wait(ctx, countPatience) {
		err = b.Publish(m, c, 0)
	}
	if err != nil {
		return broker.Position{}, err
	}
	select {
	case r := <-c:
		return r.position, r.err
	case <-ctx.Done():
		return broker.Position{}, fault.Wrap(fault.Unavailable, broker.ErrUnavailable.Message, ctx.Err())
	}
}

// reply is what a waiting caller gets.
type reply struct {
	position broker.Position
	err      error
}

// caller is an Acknowledger for one message.
type caller chan reply

var _ broker.Acknowledger = caller(nil)

// Published implements broker.Acknowledger.
func (c caller) Published(_ uint64, m *broker.Message, err error) {
	c <- reply{position: m.Position, err: err}
}
