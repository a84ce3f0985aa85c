package packet

import (
	"bytes"
	"encoding/binary"
)

// Suback answers a SUBSCRIBE.
type Suback struct {
	PacketID uint16
	// Codes are the granted QoS (0, 1, 2) or SubackFailure, one for each
	// filter of the SUBSCRIBE in its order [MQTT-3.9.3-1].
	Codes []byte
}

// Decode reads a SUBACK.
func (p *Suback) Decode(f Frame) error {
	*p = Suback{}
	c := open(f, SUBACK, 0, "MQTT-2.2.2-2")
	p.PacketID = c.packetID()
	if len(c.rest) == 0 {
		c.fail("MQTT-3.8.4-5", "no return code")
	}
	for _, code := range c.rest {
		if code > 2 && code != SubackFailure {
			c.fail("MQTT-3.9.3-2", "a return code is reserved")
		}
	}
	p.Codes = bytes.Clone(c.take(len(c.rest), "the return codes"))
	return c.end()
}

// Append writes the packet to dst.
func (p Suback) Append(dst []byte) []byte {
	dst = appendHeader(dst, SUBACK, 0, 2+len(p.Codes))
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	return append(dst, p.Codes...)
}
