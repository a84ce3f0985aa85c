package sim

import (
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// epoch is when every world begins: shortly before an hour is over.
var epoch = time.Date(2030, 1, 1, 11, 59, 0, 0, time.UTC)

// node is an edge. What is below life is in its memory and lost with it.
type node struct {
	w        *world
	index    int
	name     string
	skew     time.Duration // of its clock
	cutOff   bool          // from NATS
	rejoined time.Duration // when it was cut off no more
	up       bool
	life     int // counts its starts

	conns    []*conn
	tree     topic.Tree[*conn] // of filters and the connections they are of
	interest topic.Tree[*conn] // the part of it that the cluster knows of
	lanes    [2]lane           // one for each shard
	previous map[string]uint64 // the last message of a topic that entered here

	instance  string
	table     *ownership.Table
	advancing bool
	wakeAt    time.Duration
	asked     []func() // answers to those who have asked for a session
	heard     map[string]holder
	watch     *liveness.Watch
	estate    *liveness.Estate
	tickAt    time.Duration
}

// time is what the node's clock shows.
func (n *node) time() time.Time { return epoch.Add(n.w.now + n.skew) }

// reaches reports whether NATS answers the node.
func (n *node) reaches() bool { return n.up && !n.cutOff && !n.w.faults.outage }

// after plans something in the node's memory: it does not happen when the node
// is gone by then.
func (n *node) after(d time.Duration, do func()) { n.afterIn(n.life, d, do) }

// afterIn is after for a life of the node that may be over already.
func (n *node) afterIn(life int, d time.Duration, do func()) {
	n.w.after(d, func() {
		if n.up && n.life == life {
			do()
		}
	})
}

// start begins the node with nothing in memory.
func (n *node) start() {
	n.up, n.life = true, n.life+1
	n.conns, n.tree, n.interest, n.previous = nil, topic.Tree[*conn]{}, topic.Tree[*conn]{}, map[string]uint64{}
	n.lanes = [2]lane{{node: n}, {node: n}}
	n.instance, n.advancing = fmt.Sprintf("%sx%d", n.name, n.life), false
	n.w.say(n.name, "starts, %d", n.life)
	n.newTable()
	n.newEstate()
	n.keepProbing()
}

// crash is kill -9. The clients see their connections end.
func (n *node) crash() {
	n.w.say(n.name, "crashes")
	n.up = false
	for _, c := range n.conns {
		l := c.link
		if l.cut {
			continue
		}
		l.cut = true
		n.w.after(n.w.short(time.Second), func() { l.client.lost(l) })
	}
	n.conns = nil
	for _, c := range n.w.clients {
		for _, t := range c.wills {
			t.forgotten = t.forgotten || (t.closed == n && !t.done)
		}
	}
}

// newID makes an identifier of the node's time.
func (n *node) newID() ulid.ULID {
	n.w.ids++
	var id ulid.ULID
	_ = id.SetTime(uint64(n.time().UnixMilli()))
	for i := range 8 {
		id[15-i] = byte(n.w.ids >> (8 * i)) //nolint:gosec // one byte of it
	}
	return id
}

// deliver hands a live message to the sessions that match it, once.
func (n *node) deliver(m *broker.Message) {
	n.w.mark++
	mark := n.w.mark
	var encodings session.Encodings
	var receivers []*conn
	n.tree.Match(m.Topic, func(c *conn) {
		if c.mark != mark {
			c.mark = mark
			receivers = append(receivers, c)
		}
	})
	for _, c := range receivers {
		if n.w.tracing() {
			n.w.say(n.name, "%s: live m%d at %d, previous %d", c.link.client.name, numberOf(m.Payload), m.Position.Seq, m.Previous)
		}
		c.session.Deliver(m, &encodings, c.link.congested(), n.time())
		c.drain()
	}
}

// announce sends a live message to the nodes that have asked for its topic.
func (n *node) announce(m *broker.Message) {
	if !n.reaches() {
		return
	}
	for _, other := range n.w.nodes {
		if other == n || !other.reaches() || !other.wants(m.Topic) {
			continue
		}
		for range n.w.faults.copies(n.w, m.QoS) {
			other.after(n.w.faults.liveDelay(n.w), func() {
				if other.reaches() {
					other.deliver(m)
				}
			})
		}
	}
}

func (n *node) wants(name string) bool {
	found := false
	n.interest.Match(name, func(*conn) { found = true })
	return found
}
