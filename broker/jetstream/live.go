package jetstream

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// outboxMessages is how much may wait to go to other nodes: a fraction of
	// a second of traffic, so that a stalled connection costs little memory.
	outboxMessages = 8192
	// inboxMessages is how much may wait to be taken from NATS. Receivers do
	// not block, so more than a few means that this machine is out of breath.
	inboxMessages = 8192
)

// letter is one thing for other nodes: a message, or data under a subject.
type letter struct {
	m       *broker.Message
	subject string
	data    []byte
}

// outbox sends to other nodes from one goroutine, so that nobody else waits
// when the connection does.
type outbox struct {
	letters  chan letter
	closed   <-chan struct{}
	conn     *nats.Conn
	counters *counters
}

// offer queues l unless too many wait.
func (o *outbox) offer(l letter) bool {
	select {
	case o.letters <- l:
		return true
	default:
		return false
	}
}

// put queues l, waiting for room.
func (o *outbox) put(l letter) {
	select {
	case o.letters <- l:
	case <-o.closed:
	}
}

// run sends until closed, then what is left.
func (o *outbox) run() {
	var subject, envelope []byte
	for {
		var l letter
		select {
		case l = <-o.letters:
		case <-o.closed:
			select {
			case l = <-o.letters:
			default:
				return
			}
		}
		if l.m != nil {
			subject = appendLiveSubject(subject[:0], l.m.Topic)
			envelope = appendEnvelope(envelope[:0], l.m)
			l.subject, l.data = string(subject), envelope
		}
		if o.conn.Publish(l.subject, l.data) != nil {
			o.counters.liveDropped.Add(1)
		} else if l.m != nil {
			o.counters.liveSent.Add(1)
		}
	}
}

// inlet takes other nodes' messages from the channel that all interests share.
type inlet struct {
	messages chan *nats.Msg
	receiver atomic.Pointer[broker.Receiver]
	seen     seen
	counters *counters
	log      *slog.Logger
}

func newInlet(c *counters, log *slog.Logger) *inlet {
	return &inlet{
		messages: make(chan *nats.Msg, inboxMessages),
		seen:     newSeen(seenMessages),
		counters: c,
		log:      log,
	}
}

// deliver hands a message to this node's edge, if there is one.
func (in *inlet) deliver(m *broker.Message) {
	if r := in.receiver.Load(); r != nil {
		(*r).Deliver(m)
	}
}

// run receives until ctx ends.
func (in *inlet) run(ctx context.Context) {
	for {
		select {
		case m := <-in.messages:
			in.receive(m)
		case <-ctx.Done():
			return
		}
	}
}

// receive hands over a message once, however many interests it matched: every
// subscription that matches brings a copy.
func (in *inlet) receive(m *nats.Msg) {
	in.counters.liveReceived.Add(1)
	if id, ok := envelopeID(m.Data); ok && !in.seen.add(id) {
		in.counters.liveCopies.Add(1)
		return
	}
	if out := in.read(m); out != nil {
		in.deliver(out)
	}
}

// read returns the message, or nil if it is damaged.
func (in *inlet) read(m *nats.Msg) *broker.Message {
	out := new(broker.Message)
	err := parseEnvelope(m.Data, out)
	if err == nil {
		out.Topic, err = topicOf(m.Subject[len(livePrefix):])
	}
	if err != nil {
		in.counters.liveDamaged.Add(1)
		in.log.Warn("a live message cannot be read", slog.Any("error", err), slog.String("subject", m.Subject))
		return nil
	}
	return out
}
