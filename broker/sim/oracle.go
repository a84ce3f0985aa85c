package sim

import (
	"slices"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// oracle knows every message, who is owed it, and what has become of it.
type oracle struct {
	w           *world
	messages    []message
	subscribers []*subscriber
}

// message is one application message as its publisher means it: sent again, it
// is the same.
type message struct {
	topic     string
	shard     uint16
	qos       byte
	publisher int // the session it was published in
	nth       int // of that session's messages
	client    *client
	foreign   bool       // its publisher may not publish there
	will      *testament // nil: it is no will
	lives     int        // how often it was handed to the live path with QoS 0
	first     uint64     // where the log has it; 0: nowhere
	last      uint64     // where it has it again
	acked     bool
	lost      bool // it was at the end of the log when the power went
}

// publish numbers a new message of a client.
func (o *oracle) publish(c *client, name string, qos byte) int {
	c.sub.published++
	o.messages = append(o.messages, message{
		topic: name, shard: c.shard, qos: qos, publisher: c.sub.index, nth: c.sub.published, client: c,
		foreign: !topic.InsideWall(c.org, name),
	})
	return len(o.messages) - 1
}

// stored is a message's arrival in the log.
func (o *oracle) stored(number int, m *broker.Message, seq uint64, again bool) {
	k := &o.messages[number]
	if o.w.tracing() {
		o.w.say("log", "m%d at %d, again %v", number, seq, again)
	}
	if k.foreign {
		o.w.violate("m%d crosses the wall to %s", number, m.Topic)
	}
	if again {
		return
	}
	switch {
	case k.first != 0 && o.once(k):
		o.w.violate("m%d, with QoS %d, is in the log at %d and %d", number, k.qos, k.first, seq)
	case k.first != 0:
		k.last = seq
	default:
		k.first, k.last = seq, seq
		o.checkStoredOrder(number)
	}
	if k.will != nil {
		k.will.published(o.w)
	}
}

// once reports whether a message that is in the log may not come into it again.
// What the log has lost, to power or to time, it cannot recognize.
func (o *oracle) once(k *message) bool {
	return (k.qos == 2 || k.will != nil) && !k.lost && o.w.shards[k.shard].at(k.first) != nil
}

// checkStoredOrder holds a publisher's messages in the log against the order in
// which they were published.
func (o *oracle) checkStoredOrder(number int) {
	k := &o.messages[number]
	if k.will != nil || k.lost {
		return
	}
	s := o.subscribers[k.publisher]
	if i := slices.Index(topics[:], suffix(k.topic)); i >= 0 {
		if s.stored[i] > k.nth {
			o.w.violate("m%d is stored after a later message of %s", number, k.client.name)
		}
		s.stored[i] = k.nth
	}
}

// sentLive is a QoS 0 message's way to subscribers.
func (o *oracle) sentLive(number int) {
	k := &o.messages[number]
	if k.lives++; k.foreign {
		o.w.violate("m%d crosses the wall to %s", number, k.topic)
	}
	if k.will != nil {
		if k.lives > 1 {
			o.w.violate("m%d, a will, is published twice", number)
		}
		k.will.published(o.w)
	}
}

// acknowledged is a publisher's PUBACK or PUBREC.
func (o *oracle) acknowledged(number int) {
	if k := &o.messages[number]; !k.foreign {
		k.acked = true
		if k.first == 0 && !k.lost {
			o.w.violate("m%d is acknowledged, and not in the log", number)
		}
	}
}

// settle is the last judgement, when everything has healed and is quiet.
func (o *oracle) settle() {
	for _, c := range o.w.clients {
		if c.retired {
			continue
		}
		if !c.online {
			o.w.violate("%s cannot connect", c.name)
			return
		}
		o.settleOwed(c)
	}
	for _, c := range o.w.clients {
		for _, t := range c.wills {
			t.settle(o.w)
		}
	}
	o.settleOwners()
}

// settleOwed looks for messages that a client should have.
func (o *oracle) settleOwed(c *client) {
	for _, e := range o.w.shards[c.shard].entries {
		if e == nil || c.sub.has(e.number) || !c.owed(e) {
			continue
		}
		o.w.violate("%s never got m%d, at %d of the log", c.name, e.number, e.message.Position.Seq)
		return
	}
	if len(c.held) > 0 {
		o.w.violate("%s: the exchange of m%d, with QoS 2, is never completed", c.name, c.held[0].number)
	}
	if len(c.out) > 0 {
		o.w.violate("%s: m%d is never acknowledged", c.name, c.out[0].number)
	}
}

// owed reports whether the client must get what the log has.
func (c *client) owed(e *entry) bool { return c.owes(e.message.Position.Seq, e.message.Topic) }

// settleOwners looks for two connections of one session.
func (o *oracle) settleOwners() {
	for _, c := range o.w.clients {
		n := 0
		for _, node := range o.w.nodes {
			for _, conn := range node.conns {
				if conn.key == c.key && conn.session.Connected() {
					n++
				}
			}
		}
		if n > 1 {
			o.w.violate("%s has %d connections", c.name, n)
		}
	}
}

// saved is a write of a record: the owners' epochs rise, and what the record
// says is true.
func (o *oracle) saved(key string, old, r *broker.Record) {
	if r == nil {
		return
	}
	if old != nil && (r.Epoch < old.Epoch || (r.Epoch == old.Epoch && r.Owner != old.Owner)) {
		o.w.violate("%s of epoch %d writes the record of %s, of epoch %d of %s", r.Owner, r.Epoch, key, old.Epoch, old.Owner)
	}
	for _, c := range o.w.clients {
		if c.key == key && r.Epoch == c.epoch && r.Generation == o.w.shards[c.shard].generation() {
			c.sub.recorded(r)
		}
	}
}

// declared holds the death of an instance against the truth. One that is cut
// off, or whose requests fail, cannot say that it lives; that all of NATS was
// away says nothing of anybody.
func (o *oracle) declared(instance string) {
	n := o.w.instance(instance)
	if n == nil || o.w.faults.fails || n.cutOff || (n.rejoined > 0 && o.w.now-n.rejoined < lease) {
		return
	}
	o.w.violate("%s is declared dead, and lives", instance)
}

// lease is how long an instance may be without a sign of life.
const lease = 4 * liveness.Period

// entered is a connection's being let in: a session that is present was somebody's
// before.
func (o *oracle) entered(c *client, present bool) {
	if present && !c.entered {
		o.w.violate("%s is offered a session that nobody had", c.name)
	}
	c.entered = true
}
