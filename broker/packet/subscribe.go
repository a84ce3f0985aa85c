package packet

import "encoding/binary"

// Subscription is one filter of a SUBSCRIBE with the highest QoS its
// subscriber wants.
type Subscription struct {
	Filter string
	QoS    byte
}

// Subscribe asks for messages.
type Subscribe struct {
	PacketID      uint16
	Subscriptions []Subscription
}

// Decode reads a SUBSCRIBE. Filters are UTF-8 and not empty; whether their
// wildcards are well placed is left to the session.
func (p *Subscribe) Decode(f Frame) error {
	*p = Subscribe{}
	c := open(f, SUBSCRIBE, 0b0010, "MQTT-3.8.1-1")
	p.PacketID = c.packetID()
	if len(c.rest) == 0 {
		c.fail("MQTT-3.8.3-3", "no topic filter")
	}
	for len(c.rest) > 0 {
		filter := c.filter("a topic filter") // [MQTT-3.8.3-1]
		qos := c.byte("a requested QoS")
		if qos > 2 {
			c.fail("MQTT-3.8.3-4", "the requested QoS is not 0, 1 or 2")
		}
		p.Subscriptions = append(p.Subscriptions, Subscription{Filter: string(filter), QoS: qos})
	}
	return c.end()
}

// Append writes the packet to dst.
func (p Subscribe) Append(dst []byte) []byte {
	length := 2
	for _, s := range p.Subscriptions {
		length += fieldSize(s.Filter) + 1
	}
	dst = appendHeader(dst, SUBSCRIBE, 0b0010, length)
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	for _, s := range p.Subscriptions {
		dst = append(appendField(dst, s.Filter), s.QoS)
	}
	return dst
}
