package edge

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// conn joins one transport to one session. Everything in it belongs to its
// loop; only Published, posted from elsewhere, may be called by others.
type conn struct {
	loop        *loop
	transport   *transport
	session     *session.Session
	device      *auth.Device    // after authentication
	above       *above          // of a super-client; nil of all others
	policy      *auth.Policy    // of the last review
	username    string          // of CONNECT
	shard       uint16          // of the log
	table       *table          // of the session key, once it is claimed
	seat        *ownership.Seat // there
	epoch       uint64          // of the connection among those of its session
	will        *broker.Will    // of CONNECT
	parting     *broker.Will    // that is published as the connection ends
	pending     int32           // publishes that wait for the log
	purse       *purse          // of its app, once it is counted there
	turn        int64           // among all connections that were
	page        int             // how many messages of the log are read next
	cursors     map[uint32]broker.Cursor
	memberships []*member       // in share groups
	said        load            // what they know of the session
	joining     bool            // they wait for its SUBACK
	complained  time.Time       // when a denial was last logged
	assigned    bool            // the client identifier was made up here
	admitted    bool            // the session is this connection's
	known       bool            // events have told of it
	counted     bool            // among the sessions of its app
	paused      bool            // its app publishes too fast
	in          []byte          // bytes of a packet that is not complete, or not wanted yet
	out         []byte          // output of this batch
	last        *broker.Message // being delivered; loop.deliver skips a second copy
	stalled     int             // publishes in loop.stalled
	armed       int64           // tick of the wheel; 0 when not in it
	parked      bool            // the reader waits for resume
	held        bool            // in loop.held
	dirty       bool            // in loop.dirty
	congested   bool            // the transport has more queued than it should
	blocked     bool            // in purse.blocked
	feeding     bool            // the rest of in is fed in its turn
	refusals    uint32          // publishes for which its app had nothing left
	turned      bool            // away, for a limit of its app
	closed      bool            // the session is over and the transport is closing
}

var _ broker.Acknowledger = (*conn)(nil)

func newConn(l *loop, t *transport) *conn { return &conn{loop: l, transport: t} }

// Published implements broker.Acknowledger.
func (c *conn) Published(tag uint64, _ *broker.Message, err error) {
	c.loop.post(event{kind: evPublished, conn: c, tag: tag, err: err})
}

// step lets f work on the session and carries out what came of it.
func (c *conn) step(f func(*session.Session)) {
	if c.closed {
		return
	}
	c.hold()
	f(c.session)
	c.settle()
}

// tick looks at the session's deadline. A client that is not read for reasons
// of ours is not to blame for its silence.
func (c *conn) tick(now time.Time) {
	c.step(func(s *session.Session) {
		if c.held || c.stalled > 0 || c.paused {
			s.Alive(now)
		}
		s.Tick(now)
	})
}

// settle collects the session's output, carries out its effects and arms the
// wheel for its deadline.
func (c *conn) settle() {
	for {
		effects := c.session.Effects()
		c.collect()
		if len(effects) == 0 {
			break
		}
		for i := range effects {
			c.carryOut(&effects[i])
		}
	}
	if !c.closed {
		c.loop.wheel.arm(c, c.session.Deadline())
	}
	switch {
	case c.joining:
		c.begin()
	case c.memberships != nil:
		c.report(false)
	}
}

// load is how a session is doing, as its share groups have to know.
type load struct{ inflight, room int }

// fewGroups is how many share groups a session may be in that hear of every
// message on its way; with more they hear of its room alone.
const fewGroups = 8

// report tells the share groups how the session is doing, if that has changed
// or always. Its room is divided among them, and each has some if there is any.
func (c *conn) report(always bool) {
	n := len(c.memberships)
	if n == 0 {
		return
	}
	var now load
	now.inflight, now.room = c.session.Load()
	if now.room > 0 {
		now.room = max(1, now.room/n)
	}
	if c.full() || c.closed {
		now.room = 0
	}
	if !always && now.room == c.said.room && (now.inflight == c.said.inflight || n > fewGroups) {
		return
	}
	c.said = now
	for _, m := range c.memberships {
		m.group.report(m, now.inflight, now.room)
	}
}

// countDrops moves the session's count of dropped deliveries to the metrics.
func (c *conn) countDrops() {
	drops := c.session.Drops()
	if drops.Congested > 0 {
		c.countCongested(drops.Congested)
	}
	if drops.TooLarge > 0 {
		c.loop.edge.stats.dropped.WithLabelValues("too_large").Add(float64(drops.TooLarge))
	}
	if drops.Gone > 0 {
		c.loop.edge.stats.dropped.WithLabelValues("gone_from_log").Add(float64(drops.Gone))
	}
	if drops.Truncated > 0 {
		c.loop.edge.stats.truncated.Inc()
		c.log().Warn("the client was away for longer than its app's messages are kept: some may be lost",
			slog.Duration("retention", c.device.App().Entry().App.Retention))
	}
	if drops.Expired > 0 {
		c.loop.edge.stats.dropped.WithLabelValues("expired").Add(float64(drops.Expired))
	}
}

// countCongested counts what has found no room: in the transport, or in what the
// app's devices may be sent.
func (c *conn) countCongested(n uint32) {
	reason := "client_behind"
	if c.blocked {
		reason = "fanout_limit"
		c.loop.edge.limit(c.purse.account, limitFanout, int64(n))
	}
	c.loop.edge.stats.dropped.WithLabelValues(reason).Add(float64(n))
}

func (c *conn) collect() {
	if messages, bytes := c.session.Sent(); messages > 0 {
		c.loop.sent += messages
		c.purse.pay(messages, bytes)
	}
	out := c.session.Output()
	if len(out) == 0 {
		return
	}
	c.out = append(c.out, out...)
	if !c.dirty {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

// send hands the batch's output to the transport.
func (c *conn) send() {
	if len(c.out) == 0 {
		return
	}
	c.loop.edge.stats.bytesOut.Add(float64(len(c.out)))
	queued := c.transport.send(c.out)
	c.out = c.out[:0]
	if cap(c.out) > keepOutput {
		c.out = nil
	}
	c.congested = queued > highWater
}

const (
	// keepOutput is the output buffer a connection keeps between batches.
	keepOutput = 1 << 10
	// highWater is how much may wait in a transport before its session is told
	// that it is congested and its socket is not read: a few full packets.
	highWater = 256 << 10
)

// received takes bytes from the reader, which waits until resume.
func (c *conn) received(data []byte, now time.Time) {
	c.parked = true
	if c.closed {
		return
	}
	c.loop.edge.stats.bytesIn.Add(float64(len(data)))
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	rest := c.feed(data, now)
	c.keep(rest)
	c.resume()
}

// readOn feeds what was kept, after something that the session waited for.
func (c *conn) readOn(now time.Time) {
	if c.closed || c.feeding {
		return
	}
	if len(c.in) > 0 && c.wants() {
		c.keep(c.feed(c.in, now))
	}
	c.resume()
}

// turnPackets is how many packets of one connection are handled before others
// have their turn: a buffer may hold thousands.
const turnPackets = 256

// feedLater goes on when others have had their turn. Until then nothing more is
// read.
func (c *conn) feedLater() {
	c.feeding = true
	c.loop.post(event{kind: evDo, do: func(now time.Time) {
		c.feeding = false
		c.readOn(now)
	}})
}

// feed gives complete packets to the session while it wants them and returns
// the bytes that are left.
func (c *conn) feed(data []byte, now time.Time) []byte {
	for n := 0; len(data) > 0 && c.wants(); n++ {
		if n == turnPackets {
			c.feedLater()
			break
		}
		f, n, err := packet.Split(data, c.loop.edge.cfg.Limits.MaxPacket)
		if err != nil {
			c.step(func(s *session.Session) { s.Malformed(err, now) })
			return nil
		}
		if n == 0 {
			break
		}
		data = data[n:]
		c.loop.edge.stats.packet(f.Type)
		c.hold()
		c.session.Receive(f, now)
		c.settle()
	}
	return data
}

// keep stores unread bytes; rest may alias c.in.
func (c *conn) keep(rest []byte) {
	switch {
	case len(rest) == 0:
		c.in = nil
	case cap(c.in) >= len(rest):
		c.in = append(c.in[:0], rest...)
	default:
		c.in = append([]byte(nil), rest...)
	}
}

// wants reports whether packets may be fed now.
func (c *conn) wants() bool {
	return !c.closed && c.stalled == 0 && !c.paused && !c.congested && c.session.Wants()
}

// resume lets the reader go on, if it waits and everything has room.
func (c *conn) resume() {
	if !c.parked || c.feeding || !c.wants() {
		return
	}
	if c.purse != nil && c.loop.edge.behind(c.purse.account.org) {
		if !c.held {
			c.held = true
			c.loop.held = append(c.loop.held, c)
		}
		return
	}
	c.parked = false
	c.transport.resume()
}

func (c *conn) drained(now time.Time) {
	c.congested = false
	if c.hold(); !c.blocked { // else refill does it
		c.step(func(s *session.Session) { s.Drained(now) })
	}
	c.countDrops()
	c.readOn(now)
}

func (c *conn) published(tag uint64, err error, now time.Time) {
	c.settled()
	c.step(func(s *session.Session) { s.Published(uint16(tag), err, now) }) //nolint:gosec // the tag is the packet identifier we gave
	c.readOn(now)
}

// ended is the transport's end, expected or not.
func (c *conn) ended(err error, now time.Time) {
	if err != nil && !errors.Is(err, io.EOF) {
		c.loop.edge.log.Debug("connection broke", slog.Any("error", err), slog.String("remote", c.transport.remote()))
	}
	c.step(func(s *session.Session) { s.Lost(now) })
	c.transport.abort()
	c.loop.forget(c)
}

// forget removes a connection whose transport has ended.
func (l *loop) forget(c *conn) {
	if _, ok := l.conns[c]; !ok {
		return
	}
	delete(l.conns, c)
	l.edge.stats.connections.Dec()
	c.closed, c.armed = true, 0
	l.left()
}
