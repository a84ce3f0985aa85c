package packet

// Frame is one packet as it lies in the stream: the two halves of its first
// byte and what follows the fixed header.
type Frame struct {
	Type  Type
	Flags byte   // the low four bits of the first byte
	Body  []byte // aliases the bytes given to Split
}

// Split takes the first packet off buf and returns it with the number of bytes
// it occupies. n == 0 without an error means that more bytes are needed.
//
// A packet of more than limit bytes, fixed header included, is ErrTooLarge as
// soon as its length is known; limit <= 0 means the protocol's own bound.
// After an error the stream cannot be framed any more: close it [MQTT-4.8.0-1].
//
// Split knows no versions: it lets AUTH pass, which 3.1.1 forbids.
func Split(buf []byte, limit int) (f Frame, n int, err error) {
	if len(buf) == 0 {
		return Frame{}, 0, nil
	}
	t := Type(buf[0] >> 4)
	if t == 0 {
		return Frame{}, 0, &Malformed{t, "section 2.2.1", "packet type 0 is forbidden"}
	}
	length, n, err := remainingLength(t, buf[1:])
	if n == 0 || err != nil {
		return Frame{}, 0, err
	}
	header := 1 + n
	end := header + length
	if limit > 0 && end > limit {
		return Frame{}, 0, ErrTooLarge
	}
	if len(buf) < end {
		return Frame{}, 0, nil
	}
	return Frame{Type: t, Flags: buf[0] & 0x0f, Body: buf[header:end:end]}, end, nil
}

// remainingLength reads the length in front of buf, n bytes of it; n == 0
// means it is not complete. 3.1.1 does not ask for the shortest form, so a
// longer one is read too.
func remainingLength(t Type, buf []byte) (length, n int, err error) {
	for i, b := range buf {
		if i == 3 && b >= 0x80 {
			return 0, 0, &Malformed{t, "section 2.2.3", "remaining length has more than four bytes"}
		}
		length |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			return length, i + 1, nil
		}
	}
	return 0, 0, nil
}

// appendHeader writes the fixed header of a packet whose body has length bytes.
func appendHeader(dst []byte, t Type, flags byte, length int) []byte {
	dst = append(dst, byte(t)<<4|flags)
	for length >= 0x80 {
		dst = append(dst, byte(length&0x7f|0x80)) //nolint:gosec // seven bits and a flag
		length >>= 7
	}
	return append(dst, byte(length)) //nolint:gosec // below 0x80
}

// headerSize is the number of bytes that appendHeader writes.
func headerSize(length int) int {
	n := 2
	for length >= 0x80 {
		n++
		length >>= 7
	}
	return n
}
