package jetstream

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// scanIdle is when the server drops a consumer that was left behind.
const scanIdle = time.Minute

// scan reads a stream in order through a consumer of its own, which is 46 KB
// of the server's memory: few at once, and deleted at once.
type scan struct {
	js      jetstream.JetStream
	conn    *nats.Conn
	stream  string
	name    string
	inbox   string
	sub     *nats.Subscription
	pending uint64 // messages when it was made
	asked   uint64 // fetches so far
	taken   uint64 // messages so far
	bytes   int    // what one fetch may bring
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
	s.name, s.pending = consumer.CachedInfo().Name, consumer.CachedInfo().NumPending
	if s.sub, err = s.conn.SubscribeSync(s.inbox + ".*"); err != nil {
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
	s.asked++
	reply := s.inbox + "." + strconv.FormatUint(s.asked, 10)
	err = s.conn.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+s.stream+"."+s.name, reply, []byte(want))
	for got := 0; got < n && err == nil; got++ {
		var m *nats.Msg
		if m, err = s.next(ctx, reply); err != nil {
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

// next waits for a message of the stream or the status of this fetch. That of
// an earlier one may still come, as a fetch that is full does not wait for it.
func (s *scan) next(ctx context.Context, reply string) (*nats.Msg, error) {
	for {
		m, err := s.sub.NextMsgWithContext(ctx)
		if err != nil || m.Subject == reply || m.Header.Get(headerStatus) == "" {
			return m, err
		}
	}
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

// left is how many messages follow those that were fetched, of what was there
// when the consumer was made.
func (s *scan) left() uint64 { return s.pending - min(s.pending, s.taken) }

// close deletes the consumer without waiting for it; what does not arrive is
// deleted by the server in time.
func (s *scan) close() {
	if s.sub != nil {
		_ = s.sub.Unsubscribe() // fails only when the connection is closed
	}
	_ = s.conn.Publish("$JS.API.CONSUMER.DELETE."+s.stream+"."+s.name, nil)
}
