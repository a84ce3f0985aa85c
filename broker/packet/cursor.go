package packet

import "encoding/binary"

// cursor reads a packet's body from front to back. Its first error sticks, and
// everything read after it is zero, so that a decoder may read on and look at
// err once.
type cursor struct {
	packet  Type
	version Version // V31, V311 or V5
	rest    []byte
	err     error
}

// open starts reading a frame that must be of type t with exactly these flags.
func open(f Frame, t Type, flags byte, r rule) cursor {
	c := cursor{packet: t, version: f.Version.known(), rest: f.Body}
	if f.Type != t {
		c.fail(ruleType, "the frame is of another packet type")
	}
	c.fixedHeader(f, flags, r)
	return c
}

// fixedHeader checks what depends on the version. 3.1 has no reserved flags:
// whatever is not used may be anything, DUP is on what is sent again, and only
// the QoS of what will be acknowledged counts.
func (c *cursor) fixedHeader(f Frame, flags byte, r rule) {
	wrong := f.Flags ^ flags
	if c.version == V31 {
		wrong &= flagQoS
		if flags == 0 {
			wrong = 0
		}
	}
	if wrong != 0 {
		c.fail(r, "reserved flag bits have the wrong value")
	}
	if f.overlong && c.version == V5 {
		c.fail(ruleShortest, "the remaining length is not in its shortest form")
	}
}

// fail records the first error.
func (c *cursor) fail(r rule, why string) {
	if c.err != nil {
		return
	}
	m := &Malformed{Packet: c.packet, Clause: r.v311, Why: why, Reason: MalformedPacket}
	if c.version == V5 {
		m.Clause = r.v5
	}
	if r.reason != 0 {
		m.Reason = r.reason
	}
	c.err, c.rest = m, nil
}

// take reads n bytes, which alias the frame.
func (c *cursor) take(n int, field string) []byte {
	if len(c.rest) < n {
		c.fail(ruleLength, "the packet ends within "+field)
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) byte(field string) byte {
	if b := c.take(1, field); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16(field string) uint16 {
	if b := c.take(2, field); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32(field string) uint32 {
	if b := c.take(4, field); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint reads a variable byte integer in its shortest form [MQTT-1.5.5-1].
func (c *cursor) varint(field string) int {
	v, n, ok := varint(c.rest)
	switch {
	case !ok:
		c.fail(ruleVarint, field+" has more than four bytes")
	case n == 0:
		c.fail(ruleLength, "the packet ends within "+field)
	case n > varintSize(v):
		c.fail(ruleShortest, field+" is not in its shortest form")
	}
	if c.err != nil {
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

// packetID reads a packet identifier, which is never zero [MQTT-2.3.1-1]
// [MQTT-2.2.1-3].
func (c *cursor) packetID() uint16 {
	id := c.uint16("the packet identifier")
	if id == 0 {
		c.fail(rulePacketID, "packet identifier 0")
	}
	return id
}

// binary reads a field of bytes with its length in front. The result aliases
// the frame.
func (c *cursor) binary(field string) []byte {
	return c.take(int(c.uint16(field)), field)
}

// end reports the cursor's error, and whatever was not read as one.
func (c *cursor) end() error {
	if len(c.rest) > 0 {
		c.fail(ruleLength, "bytes after the end of the packet")
	}
	return c.err
}
