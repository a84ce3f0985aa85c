package packet

import "encoding/binary"

// Unsubscribe ends subscriptions.
type Unsubscribe struct {
	Version    Version // when encoding, 0 means V311
	PacketID   uint16
	Filters    []string
	Properties UnsubscribeProperties // 5.0 only
}

// UnsubscribeProperties are the properties of an UNSUBSCRIBE.
type UnsubscribeProperties struct {
	User UserProperties
}

// Decode reads an UNSUBSCRIBE. Filters are UTF-8 and not empty; one that
// nobody can have subscribed to is harmless.
func (p *Unsubscribe) Decode(f Frame) error {
	*p = Unsubscribe{}
	c := open(f, UNSUBSCRIBE, 0b0010, ruleUnsubscribeFlags)
	p.Version = c.version
	p.PacketID = c.packetID()
	p.Properties.User = c.userProperties()
	if len(c.rest) == 0 {
		c.fail(ruleNoUnsubscribe, "no topic filter")
	}
	for len(c.rest) > 0 {
		p.Filters = append(p.Filters, string(c.filter("a topic filter"))) // [MQTT-3.10.3-1]
	}
	return c.end()
}

// userProperties reads a section in which nothing else may stand.
func (c *cursor) userProperties() UserProperties {
	s := c.properties(c.packet)
	s.next()
	return s.end(c).clone()
}

// Append writes the packet to dst.
func (p Unsubscribe) Append(dst []byte) []byte {
	dst, at := begin(dst, UNSUBSCRIBE, 0b0010)
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	if p.Version == V5 {
		dst = append(appendVarint(dst, len(p.Properties.User)), p.Properties.User...)
	}
	for _, filter := range p.Filters {
		dst = appendField(dst, filter)
	}
	return closeLength(dst, at)
}
