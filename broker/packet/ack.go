package packet

import "encoding/binary"

// Ack is each of the packets that carry a packet identifier and nothing else:
// PUBACK, PUBREC, PUBREL, PUBCOMP and UNSUBACK.
type Ack struct {
	Type     Type
	PacketID uint16
}

// Decode reads any of the five and sets Type to the frame's.
func (p *Ack) Decode(f Frame) error {
	*p = Ack{Type: f.Type}
	flags, clause := ackFlags(f.Type)
	c := open(f, f.Type, flags, clause)
	if !isAck(f.Type) {
		c.fail("section 2.2.1", "the frame is of another packet type")
	}
	p.PacketID = c.packetID()
	return c.end()
}

// Append writes the packet to dst.
func (p Ack) Append(dst []byte) []byte {
	flags, _ := ackFlags(p.Type)
	return binary.BigEndian.AppendUint16(appendHeader(dst, p.Type, flags, 2), p.PacketID)
}

// ackFlags are the reserved flag bits of an acknowledgement and their clause.
func ackFlags(t Type) (flags byte, clause string) {
	if t == PUBREL {
		return 0b0010, "MQTT-3.6.1-1"
	}
	return 0, "MQTT-2.2.2-2"
}

func isAck(t Type) bool {
	return t >= PUBACK && t <= PUBCOMP || t == UNSUBACK
}
