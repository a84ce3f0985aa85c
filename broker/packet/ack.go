package packet

import (
	"cmp"
	"encoding/binary"
)

// Ack is each of the packets that carry a packet identifier and, in 5.0, a
// reason: PUBACK, PUBREC, PUBREL and PUBCOMP. It is the UNSUBACK of 3.1 and
// 3.1.1 as well, which has no more; Unsuback is that of all versions.
type Ack struct {
	Type       Type
	Version    Version // when encoding, 0 means V311
	PacketID   uint16
	Reason     ReasonCode    // 5.0 only
	Properties AckProperties // 5.0 only
}

// Decode reads any of them and sets Type to the frame's.
func (p *Ack) Decode(f Frame) error {
	if p.decodeShort(f) {
		return nil
	}
	*p = Ack{Type: f.Type}
	flags, r := ackFlags(f.Type)
	c := open(f, f.Type, flags, r)
	if !isAck(f.Type, c.version) {
		c.fail(ruleType, "the frame is of another packet type")
	}
	p.Version = c.version
	p.PacketID = c.packetID()
	if c.version == V5 && len(c.rest) > 0 { // without: Success
		p.Reason = c.checkReason(ReasonCode(c.byte("the reason code")))
		p.Properties.decodeOptional(&c)
	}
	return c.end()
}

// decodeShort reads a flawless packet that has nothing but its identifier:
// nearly all of them, and there is one for each message.
func (p *Ack) decodeShort(f Frame) bool {
	flags, _ := ackFlags(f.Type)
	if len(f.Body) != 2 || f.Flags != flags || f.overlong || f.Type < PUBACK || f.Type > PUBCOMP {
		return false
	}
	*p = Ack{Type: f.Type, Version: cmp.Or(f.Version, V311), PacketID: binary.BigEndian.Uint16(f.Body)}
	return p.PacketID != 0
}

// Append writes the packet to dst in its shortest form: 5.0 leaves out what is
// Success and has no properties.
func (p Ack) Append(dst []byte) []byte {
	flags, _ := ackFlags(p.Type)
	if p.Version != V5 || p.Reason == Success && p.Properties.empty() {
		return binary.BigEndian.AppendUint16(appendHeader(dst, p.Type, flags, 2), p.PacketID)
	}
	dst, at := begin(dst, p.Type, flags)
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	dst = append(dst, byte(p.Reason))
	if !p.Properties.empty() {
		dst = p.Properties.append(dst)
	}
	return closeLength(dst, at)
}

// ackFlags are the reserved flag bits of an acknowledgement and their rule.
func ackFlags(t Type) (byte, rule) {
	if t == PUBREL {
		return 0b0010, rulePubrelFlags
	}
	return 0, ruleFlags
}

func isAck(t Type, v Version) bool {
	return t >= PUBACK && t <= PUBCOMP || t == UNSUBACK && v != V5
}
