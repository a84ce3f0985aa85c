package packet

import "encoding/binary"

// The flag bits of a PUBLISH (section 3.3.1).
const (
	flagRetain byte = 1 << 0
	flagQoS    byte = 3 << 1
	flagDup    byte = 1 << 3
)

// Publish carries an application message. After Decode all of it aliases the
// frame.
type Publish struct {
	Version    Version // when encoding, 0 means V311
	Dup        bool
	QoS        byte
	Retain     bool
	PacketID   uint16 // 0 with QoS 0
	Topic      []byte // empty only in 5.0 and with a topic alias
	Payload    []byte
	Properties PublishProperties // 5.0 only
}

// Decode reads a PUBLISH without allocating: everything aliases the frame, so
// copy what outlives it. The exceptions are user properties with others in
// between, and the subscription identifiers that only servers send. The topic
// is UTF-8 and without wildcards; the number of its levels is left to the
// session, and so is what an alias means.
func (p *Publish) Decode(f Frame) error {
	*p = Publish{
		Dup:    f.Flags&flagDup != 0,
		QoS:    f.Flags & flagQoS >> 1,
		Retain: f.Flags&flagRetain != 0,
	}
	c := open(f, PUBLISH, f.Flags, ruleFlags)
	p.Version = c.version
	if p.QoS == 3 {
		c.fail(rulePublishQoS, "QoS 3")
	}
	p.checkDup(&c)
	p.Topic = c.literal(c.text("the topic name"), "the topic name", rulePublishTopic) // [MQTT-3.3.2-1]
	if p.QoS > 0 {                                                                    // [MQTT-2.3.1-5] [MQTT-2.2.1-2]
		p.PacketID = c.packetID()
	}
	if c.version == V5 {
		p.Properties.decode(&c)
	}
	p.checkTopic(&c)
	p.Payload = c.rest
	return c.err
}

// checkDup holds DUP against the QoS. To 3.1 it means nothing with QoS 0.
func (p *Publish) checkDup(c *cursor) {
	if !p.Dup || p.QoS > 0 {
		return
	}
	if c.version == V31 {
		p.Dup = false
		return
	}
	c.fail(rulePublishDup, "DUP with QoS 0")
}

// checkTopic refuses an empty topic that no alias stands for.
func (p *Publish) checkTopic(c *cursor) {
	if len(p.Topic) > 0 || p.Properties.TopicAlias != 0 {
		return
	}
	if c.version == V5 {
		c.fail(ruleNoTopic, "neither a topic name nor a topic alias")
	}
	c.fail(ruleEmpty, "the topic name is empty")
}

// Append writes the packet to dst, without allocating if it fits. QoS 0 has
// no packet identifier [MQTT-2.3.1-5] and no DUP [MQTT-3.3.1-2], whatever the
// fields say.
func (p Publish) Append(dst []byte) []byte {
	flags := p.QoS << 1 & flagQoS
	if p.Retain {
		flags |= flagRetain
	}
	if p.Dup && p.QoS > 0 {
		flags |= flagDup
	}
	properties := p.propertiesSize()
	dst = appendHeader(dst, PUBLISH, flags, p.length(properties))
	dst = appendField(dst, p.Topic)
	if p.QoS > 0 {
		dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	}
	if p.Version == V5 {
		dst = p.Properties.append(appendVarint(dst, properties))
	}
	return append(dst, p.Payload...)
}

// propertiesSize is the property length, 0 before 5.0.
func (p *Publish) propertiesSize() int {
	if p.Version != V5 {
		return 0
	}
	return p.Properties.size()
}

// length is the remaining length with properties of that size.
func (p *Publish) length(properties int) int {
	length := fieldSize(p.Topic) + len(p.Payload)
	if p.QoS > 0 {
		length += 2
	}
	if p.Version == V5 {
		length += varintSize(properties) + properties
	}
	return length
}
