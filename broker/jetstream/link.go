package jetstream

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/fanfare-mq/fanfare/broker"
)

// link sends appends over one connection. The connection does not reconnect by
// itself: what was under way is lost with it and must be sent again before
// anything newer, which only a fresh start makes sure of. All its memory is
// used again for the next message; one goroutine uses it.
type link struct {
	conn      *nats.Conn
	inbox     string
	retention time.Duration

	msg      nats.Msg
	head     nats.Header
	never    []string // no message of this subject may be there yet
	ttl      []string
	id       []string
	name     string // begins the ids of batches
	batchID  []string
	batchSeq []string
	commit   []string
	subject  []byte
	reply    []byte
	envelope []byte
}

// askMark begins the shard in the reply subject of a question.
const askMark = "q"

func newLink(conn *nats.Conn, retention time.Duration) *link {
	return &link{
		conn:      conn,
		inbox:     conn.NewInbox(),
		retention: retention,
		head:      make(nats.Header),
		never:     []string{"0"},
		ttl:       []string{""},
		id:        []string{""},
		name:      nuid.Next(),
		batchID:   []string{""},
		batchSeq:  []string{""},
		commit:    []string{"1"},
	}
}

// listen hands every answer to f, one after the other.
func (l *link) listen(f func(*nats.Msg)) error {
	s, err := l.conn.Subscribe(l.inbox+".*.*", f)
	if err != nil {
		return err
	}
	return s.SetPendingLimits(-1, -1) // the windows bound them
}

// send hands one append, or a question, to the connection's buffer.
func (l *link) send(shard int, p parcel) error {
	if p.ask != askNothing {
		return l.lookUp(shard, p)
	}
	l.address(shard, p.index, "")
	return l.write(shard, p)
}

// write publishes a message with the reply and the header of a batch that are
// set.
func (l *link) write(shard int, p parcel) error {
	l.subject = appendLogSubject(l.subject[:0], shard, p.m, p.aged)
	l.envelope = appendEnvelopeAt(l.envelope[:0], p.m, broker.Position{Shard: uint16(shard)}, 0) //nolint:gosec // at most maxShards
	l.setHeader(p)
	l.msg.Subject, l.msg.Reply, l.msg.Data, l.msg.Header = string(l.subject), string(l.reply), l.envelope, l.head
	return l.conn.PublishMsg(&l.msg)
}

// lookUp asks the leader whether the log has a message.
func (l *link) lookUp(shard int, p parcel) error {
	subject := appendLogSubject(nil, shard, p.m, p.aged && p.ask == askPlace)
	data, err := json.Marshal(question{LastFor: string(subject)})
	if err != nil {
		return err
	}
	l.address(shard, p.index, askMark)
	return l.conn.PublishRequest(leaderGet+streamName(shard), string(l.reply), data)
}

// address writes the subject where the answer is to go.
func (l *link) address(shard int, index uint64, mark string) {
	l.reply = append(l.reply[:0], l.inbox...)
	l.reply = append(l.reply, '.')
	l.reply = append(l.reply, mark...)
	l.reply = strconv.AppendInt(l.reply, int64(shard), 10)
	l.reply = append(l.reply, '.')
	l.reply = strconv.AppendUint(l.reply, index, 10)
}

// setHeader writes what NATS reads of a message. Whatever must not be there
// twice is known by its subject; a collapse key has one for many messages.
func (l *link) setHeader(p parcel) {
	if p.m.CollapseKey == "" {
		l.head[headerExpected] = l.never
		delete(l.head, headerID)
	} else {
		delete(l.head, headerExpected)
		l.id[0] = string(appendMessageID(nil, p.m))
		l.head[headerID] = l.id
	}
	if ttl := l.timeToLive(p.until); ttl > 0 {
		l.ttl[0] = strconv.FormatInt(ttl, 10)
		l.head[headerTTL] = l.ttl
	} else {
		delete(l.head, headerTTL)
	}
}

// timeToLive is in seconds; 0 when the stream forgets the message earlier.
func (l *link) timeToLive(until int64) int64 {
	if until == 0 {
		return 0
	}
	left := until - time.Now().UnixMilli()
	if left >= l.retention.Milliseconds() {
		return 0
	}
	return wholeSeconds(left)
}

// wholeSeconds rounds milliseconds up, to 1 at least: NATS knows no shorter
// time to live. Who delivers a message looks at its deadline again.
func wholeSeconds(ms int64) int64 { return max(1, (ms+999)/1000) }

// isTooLarge tells the one error of send that is the message's own.
func isTooLarge(err error) bool { return errors.Is(err, nats.ErrMaxPayload) }
