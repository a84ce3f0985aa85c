package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	retainedName   = "RETAINED"
	retainedPrefix = "retained."
	// retainedSentinel answers when nothing is retained. No topic has its
	// subject: a leading "$" is encoded.
	retainedSentinel = retainedPrefix + "$sentinel"
	// headerPosition is the highest position in the log of what was ever
	// retained under the subject, as long as the subject is there.
	headerPosition = "Fanfare-Position"
	// tombstoneTTL is how long a cleared topic stays, without data, so that an
	// older message that is written late does not come back: longer than an
	// append and its retained write take before they are given up.
	tombstoneTTL = 2*giveUp + 15*time.Second
)

// retainedStream changes c to what the stream of retained messages must be.
func retainedStream(c jetstream.StreamConfig, cfg Config) jetstream.StreamConfig {
	c.Name = retainedName
	c.Description = "Fanfare retained messages"
	c.Subjects = []string{retainedPrefix + ">"}
	c.Storage = jetstream.FileStorage
	c.Retention = jetstream.LimitsPolicy
	c.Discard = jetstream.DiscardNew
	c.MaxMsgsPerSubject = 1
	c.MaxBytes = -1
	if cfg.RetainedBytes > 0 {
		c.MaxBytes = cfg.RetainedBytes
	}
	c.AllowDirect = true
	c.AllowMsgTTL = true
	return c
}

// retainedSubject is where a topic's retained message is.
func retainedSubject(name string) string {
	return string(appendEncoded([]byte(retainedPrefix), name))
}

// readRetained returns a retained message; nil for what only marks a place.
func readRetained(subject string, data []byte) (*broker.Message, error) {
	if len(data) == 0 {
		return nil, nil //nolint:nilnil // a tombstone is neither a message nor a mistake
	}
	m := new(broker.Message)
	if err := parseEnvelope(data, m); err != nil {
		return nil, err
	}
	var err error
	if m.Topic, err = topicOf(subject[len(retainedPrefix):]); err != nil {
		return nil, err
	}
	m.Retain = true
	return m, nil
}

// kept is what is retained under a subject now.
type kept struct {
	seq      uint64 // in the stream; 0: nothing
	position uint64 // in the log, of the highest that was there
	cleared  bool
}

// retain writes m as its topic's retained message, or clears the topic, unless
// something later is there. It tries until ctx ends.
func (b *Bus) retain(ctx context.Context, m *broker.Message) error {
	subject := retainedSubject(m.Topic)
	for leader := false; ; leader = b.replicated {
		last, err := b.lastKept(ctx, subject, leader)
		if err == nil {
			if m.Position.Seq > 0 && last.position >= m.Position.Seq || b.needless(m, last) {
				return nil
			}
			out := b.replaceKept(ctx, subject, m, last)
			switch {
			case out.err != nil:
				return out.err
			case out.duplicate:
				continue // somebody else was faster
			case !out.again:
				return nil
			}
		}
		b.counters.retries.Add(1)
		if !wait(ctx, askAgain) {
			return unavailable(fmt.Errorf("retained message: %w", ctx.Err()))
		}
	}
}

// needless says that there is nothing to clear and that nothing older can come
// after: one for QoS 0 has no order, and a node that is alone writes in order.
func (b *Bus) needless(m *broker.Message, last kept) bool {
	if len(m.Payload) > 0 {
		return false
	}
	if m.Position.Seq == 0 {
		return last.seq == 0 || last.cleared
	}
	return last.seq == 0 && b.Alone()
}

// lastKept asks a replica, or the leader when a replica was behind.
func (b *Bus) lastKept(ctx context.Context, subject string, leader bool) (kept, error) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	api := directGet
	if leader {
		api = leaderGet
	}
	data, err := json.Marshal(question{LastFor: subject})
	if err != nil {
		return kept{}, err
	}
	m, err := b.side.RequestWithContext(ctx, api+retainedName, data)
	switch {
	case err != nil:
		return kept{}, err
	case leader:
		return keptAtLeader(m.Data)
	case m.Header.Get(headerStatus) == statusNone:
		return kept{}, nil
	case m.Header.Get(headerStatus) != "":
		return kept{}, errAnswer
	}
	return kept{seq: number(m, headerSeq), position: number(m, headerPosition), cleared: len(m.Data) == 0}, nil
}

func keptAtLeader(data []byte) (kept, error) {
	var a storedAnswer
	switch err := json.Unmarshal(data, &a); {
	case err != nil:
		return kept{}, err
	case a.Error.ErrCode == errNoMessage:
		return kept{}, nil
	case a.Message.Seq == 0:
		return kept{}, errAnswer
	}
	header, err := nats.DecodeHeadersMsg(a.Message.Header)
	if err != nil {
		return kept{}, err
	}
	m := &nats.Msg{Header: header}
	return kept{seq: a.Message.Seq, position: number(m, headerPosition), cleared: len(a.Message.Data) == 0}, nil
}

// replaceKept is the compare-and-set.
func (b *Bus) replaceKept(ctx context.Context, subject string, m *broker.Message, last kept) outcome {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	msg := &nats.Msg{Subject: subject, Header: nats.Header{
		headerExpected: {strconv.FormatUint(last.seq, 10)},
		headerPosition: {strconv.FormatUint(max(last.position, m.Position.Seq), 10)},
	}}
	ttl := tombstoneTTL.Milliseconds()
	if len(m.Payload) > 0 {
		msg.Data = appendEnvelopeAt(nil, m, m.Position, 0)
		ttl = b.quotas.timeToLive(m)
	}
	if ttl > 0 {
		msg.Header[headerTTL] = []string{strconv.FormatInt(wholeSeconds(ttl), 10)}
	}
	ack, err := b.side.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return outcome{again: true} // if it was stored, its position says so
	}
	return readAck(ack)
}
