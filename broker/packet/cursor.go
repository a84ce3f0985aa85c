package packet

import "encoding/binary"

// cursor reads a packet's body from front to back. Its first error sticks, and
// everything read after it is zero, so that a decoder may read on and look at
// err once.
type cursor struct {
	packet Type
	rest   []byte
	err    error
}

// open starts reading a frame that must be of type t with exactly these flags.
func open(f Frame, t Type, flags byte, clause string) cursor {
	c := cursor{packet: t, rest: f.Body}
	if f.Type != t {
		c.fail("section 2.2.1", "the frame is of another packet type")
	}
	if f.Flags != flags {
		c.fail(clause, "reserved flag bits have the wrong value")
	}
	return c
}

// fail records the first error.
func (c *cursor) fail(clause, why string) {
	if c.err == nil {
		c.err = &Malformed{Packet: c.packet, Clause: clause, Why: why}
		c.rest = nil
	}
}

// take reads n bytes, which alias the frame.
func (c *cursor) take(n int, field string) []byte {
	if len(c.rest) < n {
		c.fail("section 2.2.3", "the packet ends within "+field)
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

// packetID reads a packet identifier, which is never zero [MQTT-2.3.1-1].
func (c *cursor) packetID() uint16 {
	id := c.uint16("the packet identifier")
	if id == 0 {
		c.fail("MQTT-2.3.1-1", "packet identifier 0")
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
		c.fail("section 2.2.3", "bytes after the end of the packet")
	}
	return c.err
}
