package sim

import (
	"encoding/binary"
	"slices"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// wish is a filter as the client and the oracle see it.
type wish struct {
	filter  string
	qos     byte
	foreign bool // it is behind another organization's wall
	wanted  bool
	// asked says that a SUBSCRIBE was sent, granted that its SUBACK came, leaving
	// that an UNSUBSCRIBE was sent whose UNSUBACK did not.
	asked, granted, leaving bool
	id                      uint16 // of the packet that waits for its answer

	since  uint64 // the log's head when it was granted: what is newer is owed
	before uint64 // the log's head when it was left: nothing newer comes
}

// allows reports whether the message at seq may come by this filter. One that
// is older than the subscription may be late on the live path.
func (f *wish) allows(seq uint64) bool { return f.asked || f.leaving || seq <= f.before }

// owes reports whether it must.
func (f *wish) owes(seq uint64) bool {
	return f.granted && !f.leaving && f.qos > 0 && seq > f.since
}

func (c *client) head() uint64 { return c.w.shards[c.shard].head() }

func (c *client) subscribe(f *wish) {
	f.id, f.wanted, f.asked = c.newID(), true, true
	c.w.say(c.name, "SUBSCRIBE %s qos %d", f.filter, f.qos)
	c.send(packet.Subscribe{
		Version: c.version, PacketID: f.id, Subscriptions: []packet.Subscription{{Filter: f.filter, QoS: f.qos}},
	}.Append(nil))
}

func (c *client) unsubscribe(f *wish) {
	f.id, f.wanted, f.leaving = c.newID(), false, true
	c.w.say(c.name, "UNSUBSCRIBE %s", f.filter)
	c.send(packet.Unsubscribe{Version: c.version, PacketID: f.id, Filters: []string{f.filter}}.Append(nil))
}

func (c *client) takeSuback(f packet.Frame) {
	var p packet.Suback
	must(p.Decode(f))
	i := slices.IndexFunc(c.filters, func(f *wish) bool { return f.id == p.PacketID && !f.leaving })
	if i < 0 {
		return
	}
	wish := c.filters[i]
	wish.id = 0
	c.w.say(c.name, "<- SUBACK %s %x", wish.filter, p.Codes)
	switch failed := p.Codes[0] >= packet.SubackFailure; {
	case wish.foreign && !failed:
		c.w.violate("%s: %s is granted to %s", c.name, wish.filter, c.org)
	case failed:
		wish.granted, wish.wanted = false, !wish.foreign
	case !wish.granted:
		wish.granted, wish.since = true, c.head()
		c.known = c.durable && (c.version == packet.V5 || !c.link.clean)
	}
}

func (c *client) takeUnsuback(f packet.Frame) {
	var p packet.Unsuback
	must(p.Decode(f))
	if i := slices.IndexFunc(c.filters, func(f *wish) bool { return f.id == p.PacketID && f.leaving }); i >= 0 {
		old := c.filters[i]
		c.w.say(c.name, "<- UNSUBACK %s", old.filter)
		*old = wish{filter: old.filter, qos: old.qos, foreign: old.foreign, before: c.head()}
	}
}

// publish sends a new message.
func (c *client) publish(name string, qos byte) {
	o := outgoing{qos: qos, number: c.w.oracle.publish(c, name, qos)}
	if qos == 0 {
		c.sendPublish(&o)
		return
	}
	o.id = c.newID()
	c.out = append(c.out, o)
	c.sendPublish(&c.out[len(c.out)-1])
}

func (c *client) sendPublish(o *outgoing) {
	c.w.say(c.name, "PUBLISH m%d %s id %d qos %d dup %v", o.number, c.w.oracle.messages[o.number].topic, o.id, o.qos, o.sent)
	c.send(packet.Publish{
		Version: c.version, Dup: o.sent, QoS: o.qos, PacketID: o.id,
		Topic: []byte(c.w.oracle.messages[o.number].topic), Payload: payload(o.number),
	}.Append(nil))
	o.sent = o.qos > 0
}

// newID is a packet identifier that is free.
func (c *client) newID() uint16 {
	for {
		c.lastID++
		id := c.lastID
		if id != 0 && !slices.ContainsFunc(c.out, func(o outgoing) bool { return o.id == id }) {
			return id
		}
	}
}

// takeAck deals with the acknowledgement of a publish.
func (c *client) takeAck(f packet.Frame) {
	var p packet.Ack
	must(p.Decode(f))
	if c.w.tracing() {
		c.w.say(c.name, "<- %s %d %d", f.Type, p.PacketID, p.Reason)
	}
	i := slices.IndexFunc(c.out, func(o outgoing) bool { return o.id == p.PacketID })
	if i < 0 {
		return
	}
	o := &c.out[i]
	switch {
	case f.Type == packet.PUBREC && o.qos == 2 && p.Reason < packet.UnspecifiedError:
		c.w.oracle.acknowledged(o.number)
		o.rec = true
		c.send(packet.Ack{Type: packet.PUBREL, Version: c.version, PacketID: o.id}.Append(nil))
	case f.Type == packet.PUBACK && o.qos == 1 && p.Reason < packet.UnspecifiedError:
		c.w.oracle.acknowledged(o.number)
		c.out = slices.Delete(c.out, i, i+1)
	case f.Type == packet.PUBCOMP && !o.rec:
		c.w.violate("%s: PUBCOMP %d before PUBREC", c.name, o.id)
	default: // completed, or refused
		c.out = slices.Delete(c.out, i, i+1)
	}
}

// A payload is the number of the message, and nothing else.
func payload(number int) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(number)) //nolint:gosec // small
}

func numberOf(payload []byte) int { return int(binary.BigEndian.Uint32(payload)) }

// matching is the filters that a topic matches.
func (c *client) matching(name string, yield func(*wish) bool) bool {
	for _, f := range c.filters {
		if topic.Match(f.filter, name) && yield(f) {
			return true
		}
	}
	return false
}
