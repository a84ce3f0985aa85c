package packet

import "encoding/binary"

// Unsuback answers an UNSUBSCRIBE.
type Unsuback struct {
	Version  Version // when encoding, 0 means V311
	PacketID uint16
	// Codes are one for each filter of the UNSUBSCRIBE in its order
	// [MQTT-3.11.3-1]; 5.0 only.
	Codes      []ReasonCode
	Properties AckProperties // 5.0 only
}

// Decode reads an UNSUBACK.
func (p *Unsuback) Decode(f Frame) error {
	*p = Unsuback{}
	c := open(f, UNSUBACK, 0, ruleFlags)
	p.Version = c.version
	p.PacketID = c.packetID()
	if c.version == V5 {
		p.Properties.decode(&c)
		p.decodeCodes(&c)
	}
	return c.end()
}

func (p *Unsuback) decodeCodes(c *cursor) {
	if len(c.rest) == 0 {
		c.fail(ruleNoUnsubackCode, "no reason code")
	}
	p.Codes = make([]ReasonCode, 0, len(c.rest))
	for _, code := range c.take(len(c.rest), "the reason codes") {
		p.Codes = append(p.Codes, c.checkReason(ReasonCode(code)))
	}
}

// Append writes the packet to dst.
func (p Unsuback) Append(dst []byte) []byte {
	dst, at := begin(dst, UNSUBACK, 0)
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	if p.Version == V5 {
		dst = p.Properties.append(dst)
		for _, code := range p.Codes {
			dst = append(dst, byte(code))
		}
	}
	return closeLength(dst, at)
}
