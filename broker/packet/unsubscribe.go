package packet

import "encoding/binary"

// Unsubscribe ends subscriptions. An Ack of type UNSUBACK answers it.
type Unsubscribe struct {
	PacketID uint16
	Filters  []string
}

// Decode reads an UNSUBSCRIBE. Filters are UTF-8 and not empty; one that
// nobody can have subscribed to is harmless.
func (p *Unsubscribe) Decode(f Frame) error {
	*p = Unsubscribe{}
	c := open(f, UNSUBSCRIBE, 0b0010, "MQTT-3.10.1-1")
	p.PacketID = c.packetID()
	if len(c.rest) == 0 {
		c.fail("MQTT-3.10.3-2", "no topic filter")
	}
	for len(c.rest) > 0 {
		p.Filters = append(p.Filters, string(c.filter("a topic filter"))) // [MQTT-3.10.3-1]
	}
	return c.end()
}

// Append writes the packet to dst.
func (p Unsubscribe) Append(dst []byte) []byte {
	length := 2
	for _, filter := range p.Filters {
		length += fieldSize(filter)
	}
	dst = appendHeader(dst, UNSUBSCRIBE, 0b0010, length)
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	for _, filter := range p.Filters {
		dst = appendField(dst, filter)
	}
	return dst
}
