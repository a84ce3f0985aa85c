package packet

// Frame is one packet as it lies in the stream: the two halves of its first
// byte and what follows the fixed header.
type Frame struct {
	Type  Type
	Flags byte   // the low four bits of the first byte
	Body  []byte // aliases the bytes given to Split
	// Version is the connection's, which Decode obeys and Split does not know:
	// set it in between. Zero means V311; a CONNECT finds its own.
	Version Version

	overlong bool // the remaining length has more bytes than it needs
}

// Split takes the first packet off buf and returns it with the number of bytes
// it occupies. n == 0 without an error means that more bytes are needed.
//
// A packet of more than limit bytes, fixed header included, is ErrTooLarge as
// soon as its length is known; limit <= 0 means the protocol's own bound.
// After an error the stream cannot be framed any more: close it
// [MQTT-4.8.0-1] [MQTT-4.13.1-1].
//
// Split knows no versions. It lets AUTH pass, which only 5.0 has, and a
// remaining length that is longer than needed, which Decode refuses for 5.0
// [MQTT-1.5.5-1] and older versions do not mind.
func Split(buf []byte, limit int) (f Frame, n int, err error) {
	if len(buf) == 0 {
		return Frame{}, 0, nil
	}
	t := Type(buf[0] >> 4)
	if t == 0 {
		return Frame{}, 0, &Malformed{t, ruleType.v311, "packet type 0 is forbidden", MalformedPacket}
	}
	length, n, ok := varint(buf[1:])
	if !ok {
		return Frame{}, 0, &Malformed{t, ruleLength.v311, "remaining length has more than four bytes", MalformedPacket}
	}
	if n == 0 {
		return Frame{}, 0, nil
	}
	header := 1 + n
	end := header + length
	if limit > 0 && end > limit {
		return Frame{}, 0, ErrTooLarge
	}
	if len(buf) < end {
		return Frame{}, 0, nil
	}
	f = Frame{Type: t, Flags: buf[0] & 0x0f, Body: buf[header:end:end], overlong: n > varintSize(length)}
	return f, end, nil
}

// appendHeader writes the fixed header of a packet whose body has length bytes.
func appendHeader(dst []byte, t Type, flags byte, length int) []byte {
	return appendVarint(append(dst, byte(t)<<4|flags), length)
}

// begin writes a fixed header whose length closeLength(dst, at) fills in.
func begin(dst []byte, t Type, flags byte) (grown []byte, at int) {
	dst = append(dst, byte(t)<<4|flags)
	return openLength(dst), len(dst)
}
