package jetstream

import (
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

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
	forever  nats.Header // without a time to live
	mortal   nats.Header
	ttl      []string // within mortal
	subject  []byte
	reply    []byte
	envelope []byte
}

func newLink(conn *nats.Conn, retention time.Duration) *link {
	ttl := []string{""}
	never := []string{"0"} // no message of this subject may be there yet
	return &link{
		conn:      conn,
		inbox:     conn.NewInbox(),
		retention: retention,
		forever:   nats.Header{headerExpected: never},
		mortal:    nats.Header{headerExpected: never, headerTTL: ttl},
		ttl:       ttl,
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

// send hands one append to the connection's buffer.
func (l *link) send(shard int, p parcel) error {
	l.subject = appendLogSubject(l.subject[:0], shard, p.m.ID, p.m.Topic)
	l.reply = append(l.reply[:0], l.inbox...)
	l.reply = append(l.reply, '.')
	l.reply = strconv.AppendInt(l.reply, int64(shard), 10)
	l.reply = append(l.reply, '.')
	l.reply = strconv.AppendUint(l.reply, p.index, 10)
	l.envelope = appendEnvelopeAt(l.envelope[:0], p.m, broker.Position{Shard: uint16(shard)}, 0) //nolint:gosec // at most maxShards
	l.msg.Subject, l.msg.Reply, l.msg.Data = string(l.subject), string(l.reply), l.envelope
	l.msg.Header = l.header(p.m)
	return l.conn.PublishMsg(&l.msg)
}

func (l *link) header(m *broker.Message) nats.Header {
	if m.Expires == 0 {
		return l.forever
	}
	left := m.Expires - time.Now().UnixMilli()
	if left >= l.retention.Milliseconds() {
		return l.forever // the stream forgets it earlier
	}
	l.ttl[0] = strconv.FormatInt(wholeSeconds(left), 10)
	return l.mortal
}

// wholeSeconds rounds milliseconds up, to 1 at least: NATS knows no shorter
// time to live. Who delivers a message looks at its deadline again.
func wholeSeconds(ms int64) int64 { return max(1, (ms+999)/1000) }

// isTooLarge tells the one error of send that is the message's own.
func isTooLarge(err error) bool { return errors.Is(err, nats.ErrMaxPayload) }
