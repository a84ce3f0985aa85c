package sim

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// take deals with a packet on the connection in use.
func (c *client) take(f packet.Frame) {
	switch f.Type {
	case packet.PUBLISH:
		c.takePublish(f)
	case packet.PUBREL:
		c.takePubrel(f)
	case packet.PUBACK, packet.PUBREC, packet.PUBCOMP:
		c.takeAck(f)
	case packet.SUBACK:
		c.takeSuback(f)
	case packet.UNSUBACK:
		c.takeUnsuback(f)
	case packet.DISCONNECT:
		c.w.say(c.name, "told to go")
	default:
	}
}

func (c *client) takePublish(f packet.Frame) {
	var p packet.Publish
	must(p.Decode(f))
	a := arrival{p.PacketID, numberOf(p.Payload), p.QoS}
	if c.w.tracing() {
		c.w.say(c.name, "<- PUBLISH m%d id %d qos %d dup %v", a.number, a.id, a.qos, p.Dup)
	}
	if p.QoS == 0 {
		c.sub.arrives(a, string(p.Topic))
		return
	}
	c.checkArrival(a, p.Dup)
	c.arrivals = append(c.arrivals, a)
	if p.QoS == 1 {
		c.sub.arrives(a, string(p.Topic))
		c.acknowledge(packet.PUBACK, a)
		return
	}
	if !slices.Contains(c.held, a) {
		c.held = append(c.held, a)
		c.sub.arrives(a, string(p.Topic))
	}
	c.acknowledge(packet.PUBREC, a)
}

// checkArrival holds a PUBLISH against what the protocol allows at this point.
func (c *client) checkArrival(a arrival, dup bool) {
	sameID := func(b arrival) bool { return b.id == a.id }
	if i := slices.IndexFunc(c.arrivals, sameID); i >= 0 {
		c.w.violate("%s: packet identifier %d of m%d is in use by m%d", c.name, a.id, a.number, c.arrivals[i].number)
	}
	if i := slices.IndexFunc(c.held, sameID); i >= 0 && (a.qos != 2 || c.held[i].number != a.number) {
		c.w.violate("%s: packet identifier %d of m%d stands for m%d", c.name, a.id, a.number, c.held[i].number)
	}
	if len(c.arrivals) >= int(c.window) {
		c.w.violate("%s: more than %d messages at once", c.name, c.window)
	}
	if !dup && c.link.conn.resent(a) {
		c.w.violate("%s: m%d is sent again without DUP", c.name, a.number)
	}
}

// acknowledge answers a message after a while, in the order of arrival.
func (c *client) acknowledge(kind packet.Type, a arrival) {
	most := 200 * time.Millisecond
	if c.lazy && !c.w.healed {
		most = 5 * time.Second
	}
	l := c.link
	c.ackAt = max(c.ackAt, c.w.now+c.w.short(most))
	c.w.plan.push(c.ackAt, func() {
		if c.link != l || l.cut {
			return
		}
		if kind != packet.PUBREC {
			c.arrivals = slices.DeleteFunc(c.arrivals, func(b arrival) bool { return b.id == a.id })
		}
		if kind != packet.PUBCOMP {
			c.sub.acknowledges(a.number)
		}
		sub := c.sub
		l.send(packet.Ack{Type: kind, Version: c.version, PacketID: a.id}.Append(nil), func() { sub.taken(a, kind) })
	})
}

func (c *client) takePubrel(f packet.Frame) {
	var p packet.Ack
	must(p.Decode(f))
	if c.w.tracing() {
		c.w.say(c.name, "<- PUBREL %d", p.PacketID)
	}
	c.held = slices.DeleteFunc(c.held, func(b arrival) bool { return b.id == p.PacketID })
	c.acknowledge(packet.PUBCOMP, arrival{id: p.PacketID, qos: 2})
}
