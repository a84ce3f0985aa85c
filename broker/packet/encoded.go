package packet

import "encoding/binary"

// Encoded is a PUBLISH encoded once for many receivers. It does not change
// and may be shared between goroutines.
type Encoded struct {
	frame []byte
	id    int // where the packet identifier lies in frame; 0 with QoS 0
}

// Encode prepares a PUBLISH, all but its PacketID and Dup, which each receiver
// has its own of. It copies what p holds.
func Encode(p Publish) *Encoded {
	p.Dup = false
	length := p.length(p.propertiesSize())
	header := 1 + varintSize(length)
	e := &Encoded{frame: p.Append(make([]byte, 0, header+length))}
	if p.QoS > 0 {
		e.id = header + fieldSize(p.Topic)
	}
	return e
}

// AppendTo writes the packet to dst with the receiver's packet identifier and
// DUP flag, both of which QoS 0 ignores [MQTT-2.3.1-5] [MQTT-3.3.1-2].
func (e *Encoded) AppendTo(dst []byte, id uint16, dup bool) []byte {
	start := len(dst)
	dst = append(dst, e.frame...)
	if e.id == 0 {
		return dst
	}
	binary.BigEndian.PutUint16(dst[start+e.id:], id)
	if dup {
		dst[start] |= flagDup // [MQTT-3.3.1-1]
	}
	return dst
}

// Len is the number of bytes that AppendTo writes.
func (e *Encoded) Len() int { return len(e.frame) }
