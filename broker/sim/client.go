package sim

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

type ulidOf = ulid.ULID

const maxExpiry = 2 * time.Hour

// client is a device: it keeps its part of the session, as the specification
// wants it to, and comes back whenever its connection is lost.
type client struct {
	w        *world
	index    int
	name     string
	org      string
	key      string
	shard    uint16
	version  packet.Version
	durable  bool
	expiry   uint32 // seconds, of a durable session
	window   uint16 // receive maximum
	alive    uint16 // keep alive, seconds
	slow     bool   // it reads little
	lazy     bool   // it takes long to acknowledge
	faithful bool   // it subscribes to everything again whenever it connects
	willful  bool   // its connections have wills
	retired  bool   // it does not come back

	link     *link // the connection it uses, of those that it has opened; nil: none
	attempts int   // connections without a CONNACK yet
	online   bool

	sub      *subscriber   // its session, as the oracle sees it
	epoch    uint64        // of the connection that it has used last
	opened   time.Duration // when that was
	cleaning bool          // it goes on asking for a clean start
	known    bool          // the session is sure to be there when it comes back
	entered  bool          // some connection of it was let in, ever
	leftAt   time.Duration
	lastID   uint16
	out      []outgoing // publishes that are not completed, oldest first
	held     []arrival  // QoS 2 messages that wait for PUBREL, over connections
	arrivals []arrival  // on this connection, not acknowledged
	ackAt    time.Duration
	filters  []*wish
	wills    []*testament
}

// outgoing is a publish on its way.
type outgoing struct {
	id     uint16
	qos    byte
	number int
	sent   bool // at least once
	rec    bool // PUBREC came
}

// arrival is a message that has come.
type arrival struct {
	id     uint16
	number int
	qos    byte
}

// reconnect plans the next connection.
func (c *client) reconnect(d time.Duration) {
	c.w.after(d, func() {
		if !c.online && c.attempts == 0 && !c.retired {
			c.connect(c.w.nodes[c.w.IntN(len(c.w.nodes))], false)
		}
	})
}

// connect opens a connection. The one there was, if any, is left as it is: the
// client changes over when it gets a CONNACK.
func (c *client) connect(n *node, clean bool) {
	if !n.up {
		c.reconnect(c.w.between(100*time.Millisecond, 2*time.Second))
		return
	}
	w := c.w
	clean = clean || c.cleaning
	l := &link{w: w, client: c, slow: c.slow && !w.healed, opened: w.now}
	l.conn = n.accept(l)
	c.attempts++
	p := packet.Connect{Version: c.version, ClientID: "c", Clean: clean || !c.durable, KeepAlive: c.alive}
	if c.version == packet.V5 {
		p.Properties.ReceiveMaximum = c.window
		if c.durable {
			p.Properties.SessionExpiry = c.expiry
		}
	}
	l.clean, l.known = p.Clean, c.known
	if c.willful {
		c.addWill(l, &p)
	}
	w.say(c.name, "CONNECT to %s, clean %v", n.name, p.Clean)
	l.send(p.Append(nil), nil)
	w.after(15*time.Second, func() {
		if l.pending() {
			l.sever(true)
			c.lost(l)
		}
	})
}

// pending reports whether a connection has had no CONNACK and is not over.
func (l *link) pending() bool { return !l.answered && !l.over }

// lost is the end of a connection as the client notices it.
func (c *client) lost(l *link) {
	if l.over {
		return
	}
	if l.pending() {
		c.attempts--
		c.cleaning = c.cleaning || l.clean // it may have been one all the same
	}
	l.over = true
	l.testament.end(c.w.now)
	if c.link == l {
		c.w.say(c.name, "offline")
		c.link, c.online, c.leftAt = nil, false, c.w.now
	}
	c.reconnect(c.w.short(4 * time.Second))
}

// receive takes packets of an edge. Those of a connection that it does not use
// any more are ignored.
func (c *client) receive(l *link, b []byte) {
	frames(b, c.version, func(f packet.Frame) {
		switch {
		case l.over:
		case l.pending():
			if f.Type == packet.CONNACK {
				c.connack(l, f)
			}
		case l == c.link:
			c.take(f)
		}
	})
}

func (c *client) connack(l *link, f packet.Frame) {
	var p packet.Connack
	must(p.Decode(f))
	if p.Code != 0 || p.Reason != 0 {
		c.w.say(c.name, "refused: %d %d", p.Code, p.Reason)
		return // the end of the connection follows
	}
	if l.opened <= c.opened { // of several at once, the first
		l.sever(true)
		c.lost(l)
		return
	}
	if old := c.link; old != nil {
		c.link = nil
		if !c.w.oneIn(3) {
			old.haunt()
		} else {
			old.sever(c.w.oneIn(2))
		}
		c.lost(old)
	}
	l.answered, c.cleaning = true, false
	c.attempts--
	c.w.say(c.name, "CONNACK of %s, present %v", l.conn.node.name, p.SessionPresent)
	c.link, c.online, c.arrivals, c.epoch, c.opened = l, true, nil, l.conn.epoch, l.opened
	l.testament.establish(c.w.now)
	c.meet(l, p.SessionPresent)
	c.ping(l)
}

// meet brings the two halves of the session together.
func (c *client) meet(l *link, present bool) {
	w := c.w
	if present && l.clean {
		w.violate("%s: session present after a clean start", c.name)
	}
	if !present && l.known && c.expiry > 60 && !l.clean && w.now-c.leftAt < time.Duration(c.expiry)*time.Second/2 {
		w.violate("%s: its session is forgotten", c.name)
	}
	for _, t := range c.wills {
		t.back(l.testament, w.now, present)
	}
	if !present {
		c.begin()
	}
	c.known = present // else it is sure to be when something is in it
	c.resume()
}

// begin starts a session from nothing.
func (c *client) begin() {
	c.out, c.held = nil, nil
	c.sub = c.w.oracle.begin(c)
	for _, f := range c.filters {
		*f = wish{filter: f.filter, qos: f.qos, foreign: f.foreign, wanted: f.wanted}
	}
}

// resume sends again what is not completed, in the old order, and asks for
// filters.
func (c *client) resume() {
	for i := range c.out {
		if o := &c.out[i]; o.rec {
			c.send(packet.Ack{Type: packet.PUBREL, Version: c.version, PacketID: o.id}.Append(nil))
		} else {
			c.sendPublish(o)
		}
	}
	for _, f := range c.filters {
		switch {
		case f.leaving:
			c.unsubscribe(f)
		case f.wanted && (!f.granted || c.faithful):
			c.subscribe(f)
		}
	}
}

func (c *client) send(b []byte) {
	if c.link != nil {
		c.link.send(b, nil)
	}
}

// ping keeps the connection alive.
func (c *client) ping(l *link) {
	c.w.after(time.Duration(c.alive)*time.Second*3/4, func() {
		if c.link == l && !l.over {
			l.send(packet.Pingreq{}.Append(nil), nil)
			c.ping(l)
		}
	})
}

// disconnect is the end of a connection in good order.
func (c *client) disconnect() {
	l := c.link
	c.w.say(c.name, "DISCONNECT")
	l.testament.leave()
	c.send(packet.Disconnect{Version: c.version}.Append(nil))
	l.leave()
	c.lost(l)
}

// vanish is the end of a connection without a word.
func (c *client) vanish() {
	l := c.link
	c.w.say(c.name, "vanishes")
	l.sever(c.w.oneIn(2))
	c.lost(l)
}

// key of the session of a client.
func keyOf(org, id string) string { return broker.SessionKey(org, "chat", id, "c") }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
