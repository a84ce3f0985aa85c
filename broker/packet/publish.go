package packet

import "encoding/binary"

// The flag bits of a PUBLISH (section 3.3.1).
const (
	flagRetain byte = 1 << 0
	flagDup    byte = 1 << 3
)

// Publish carries an application message.
type Publish struct {
	Dup      bool
	QoS      byte
	Retain   bool
	PacketID uint16 // 0 with QoS 0
	Topic    []byte // aliases the frame after Decode
	Payload  []byte // aliases the frame after Decode
}

// Decode reads a PUBLISH without allocating: Topic and Payload alias the
// frame, so copy what outlives it. The topic is UTF-8, not empty and without
// wildcards; the number of its levels is left to the session.
func (p *Publish) Decode(f Frame) error {
	*p = Publish{
		Dup:    f.Flags&flagDup != 0,
		QoS:    f.Flags >> 1 & 3,
		Retain: f.Flags&flagRetain != 0,
	}
	c := open(f, PUBLISH, f.Flags, "")
	if p.QoS == 3 {
		c.fail("MQTT-3.3.1-4", "QoS 3")
	}
	if p.Dup && p.QoS == 0 {
		c.fail("MQTT-3.3.1-2", "DUP with QoS 0")
	}
	p.Topic = c.name("the topic name", "MQTT-3.3.2-2") // [MQTT-3.3.2-1]
	if p.QoS > 0 {                                     // [MQTT-2.3.1-5]
		p.PacketID = c.packetID()
	}
	p.Payload = c.rest
	return c.err
}

// Append writes the packet to dst, without allocating if it fits. QoS 0 has
// no packet identifier [MQTT-2.3.1-5] and no DUP [MQTT-3.3.1-2], whatever the
// fields say.
func (p Publish) Append(dst []byte) []byte {
	return appendPublish(dst, p.Topic, p)
}

// appendPublish writes p with a topic that need not be in p.
func appendPublish[T ~string | ~[]byte](dst []byte, topic T, p Publish) []byte {
	flags := p.QoS & 3 << 1
	if p.Retain {
		flags |= flagRetain
	}
	if p.Dup && p.QoS > 0 {
		flags |= flagDup
	}
	dst = appendHeader(dst, PUBLISH, flags, publishLength(topic, p))
	dst = appendField(dst, topic)
	if p.QoS > 0 {
		dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	}
	return append(dst, p.Payload...)
}

// publishLength is the remaining length of a PUBLISH.
func publishLength[T ~string | ~[]byte](topic T, p Publish) int {
	length := fieldSize(topic) + len(p.Payload)
	if p.QoS > 0 {
		length += 2
	}
	return length
}
