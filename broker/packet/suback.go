package packet

import (
	"bytes"
	"encoding/binary"
)

// Suback answers a SUBSCRIBE.
type Suback struct {
	Version  Version // when encoding, 0 means V311
	PacketID uint16
	// Codes are the granted QoS (0, 1, 2) or a refusal, one for each filter of
	// the SUBSCRIBE in its order [MQTT-3.9.3-1]. SubackFailure is the only
	// refusal before 5.0; there it is a ReasonCode.
	Codes      []byte
	Properties AckProperties // 5.0 only
}

// Decode reads a SUBACK. 3.1 cannot refuse, but its servers say 0x80 as well.
func (p *Suback) Decode(f Frame) error {
	*p = Suback{}
	c := open(f, SUBACK, 0, ruleFlags)
	p.Version = c.version
	p.PacketID = c.packetID()
	p.Properties.decode(&c)
	if len(c.rest) == 0 {
		c.fail(ruleNoSubackCode, "no return code")
	}
	for _, code := range c.rest {
		c.subackCode(code)
	}
	p.Codes = bytes.Clone(c.take(len(c.rest), "the return codes"))
	return c.end()
}

func (c *cursor) subackCode(code byte) {
	if c.version == V5 {
		c.checkReason(ReasonCode(code)) // [MQTT-3.9.3-2]
		return
	}
	if code > 2 && code != SubackFailure {
		c.fail(ruleSubackCode, "a return code is reserved")
	}
}

// Append writes the packet to dst.
func (p Suback) Append(dst []byte) []byte {
	dst, at := begin(dst, SUBACK, 0)
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	if p.Version == V5 {
		dst = p.Properties.append(dst)
	}
	return closeLength(append(dst, p.Codes...), at)
}
