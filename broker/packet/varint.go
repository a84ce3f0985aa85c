package packet

// varint reads a variable byte integer in front of buf, n bytes of it; n == 0
// means that it is not complete, !ok that it has more than four bytes.
func varint(buf []byte) (v, n int, ok bool) {
	for i, b := range buf {
		if i == 3 && b >= 0x80 {
			return 0, 0, false
		}
		v |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v, i + 1, true
		}
	}
	return 0, 0, true
}

// appendVarint writes v in its shortest form [MQTT-1.5.5-1].
func appendVarint(dst []byte, v int) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v&0x7f|0x80)) //nolint:gosec // seven bits and a flag
		v >>= 7
	}
	return append(dst, byte(v)) //nolint:gosec // below 0x80
}

// varintSize is the number of bytes that appendVarint writes.
func varintSize(v int) int {
	n := 1
	for v >= 0x80 {
		n++
		v >>= 7
	}
	return n
}

// openLength makes room for the length of what will be written behind it, and
// closeLength(dst, at) fills it in, at being the length of dst before. One byte
// is enough for most; for others what was written moves.
func openLength(dst []byte) []byte { return append(dst, 0) }

func closeLength(dst []byte, at int) []byte {
	n := len(dst) - at - 1
	if n >= 0x80 {
		more := varintSize(n) - 1
		dst = append(dst, 0, 0, 0)[:len(dst)+more]
		copy(dst[at+1+more:], dst[at+1:])
	}
	appendVarint(dst[:at], n)
	return dst
}
