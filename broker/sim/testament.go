package sim

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// testament is the will of one connection, and what should become of it.
type testament struct {
	number      int
	qos         byte
	delay       time.Duration
	client      *client
	established bool // the client has had its CONNACK
	left        bool // the client has sent DISCONNECT
	over        bool // the client knows that the connection is
	overAt      time.Duration
	discarded   bool  // the edge has had the DISCONNECT
	resumed     bool  // the client was back before the will was due
	superseded  bool  // the client came back at all
	closed      *node // where the connection's end was noticed
	instance    string
	forgotten   bool // that node has died before it was published
	done        bool // it was published
}

// patience is how long it may take until the end of a connection is noticed:
// keep alive, a lease, an outage.
const patience = 60 * time.Second

func (c *client) addWill(l *link, p *packet.Connect) {
	w := c.w
	t := &testament{client: c, qos: byte(w.IntN(3))} //nolint:gosec // 0 to 2
	if c.version == packet.V5 && w.oneIn(2) {
		t.delay = w.between(time.Second, 20*time.Second).Truncate(time.Second)
	}
	name := c.org + "/chat/wills"
	w.oracle.messages = append(w.oracle.messages, message{topic: name, shard: c.shard, qos: t.qos, client: c, will: t})
	t.number = len(w.oracle.messages) - 1
	p.Will = &packet.Will{Topic: name, Payload: payload(t.number), QoS: t.qos}
	p.Will.Properties.DelayInterval = uint32(t.delay / time.Second) //nolint:gosec // seconds
	l.testament = t
	c.wills = append(c.wills, t)
}

func (t *testament) establish(time.Duration) {
	if t != nil {
		t.established = true
	}
}

func (t *testament) leave() {
	if t != nil {
		t.left = true
	}
}

func (t *testament) end(now time.Duration) {
	if t != nil && !t.over {
		t.over, t.overAt = true, now
	}
}

// discard is the edge's end of the connection after a DISCONNECT.
func (t *testament) discard(n *node) {
	if t != nil {
		t.discarded, t.closed, t.instance = true, n, n.instance
	}
}

// back is the client's next connection, with the will of its own.
func (t *testament) back(next *testament, now time.Duration, present bool) {
	if t == next || !t.established {
		return
	}
	if t.over && present && now < t.overAt+min(t.delay, time.Duration(t.client.expiry)*time.Second)-slack && !t.done {
		t.resumed = true
	}
	t.superseded = true
}

// slack is what clocks and deliveries may differ by.
const slack = 3 * time.Second

// published is the will's publishing.
func (t *testament) published(w *world) {
	if w.faults.removes() || (t.closed != nil && w.instance(t.instance) == nil) {
		t.discarded = false // it may have been impossible to remove it
	} else if l := w.store.lease(t.instance); l != nil && l.State != broker.LeaseAlive {
		t.discarded = false
	}
	switch {
	case t.discarded:
		w.violate("m%d, the will of %s, is published after its DISCONNECT", t.number, t.client.name)
	case t.resumed:
		w.violate("m%d, the will of %s, is published though it was back in time", t.number, t.client.name)
	case !t.over && t.delay > 0 && !t.left:
		// The edge may have noticed first; it must wait all the same.
	}
	t.done = true
}

// close is the edge's end of the connection, which leaves the will to be
// published.
func (t *testament) close(n *node) {
	if t != nil {
		t.closed = n
	}
}

// settle looks for a will that should have been published. One with QoS 0 may
// be lost. A client that is back spares its delayed will, and all that a dead
// node has not come to.
func (t *testament) settle(w *world) {
	certain := t.established && t.over && !t.left && t.qos > 0 && w.now > t.overAt+t.delay+patience
	kept := t.closed != nil && !t.forgotten && t.delay == 0
	if certain && !t.done && (kept || !t.superseded) {
		w.violate("m%d, the will of %s, was never published", t.number, t.client.name)
	}
}
