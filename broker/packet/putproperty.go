package packet

import "encoding/binary"

// What follows writes a property if it is there, and nothing if it is not.

func putByte(dst []byte, id property, v byte, there bool) []byte {
	if !there {
		return dst
	}
	return append(dst, byte(id), v)
}

func putUint16(dst []byte, id property, v uint16, there bool) []byte {
	if !there {
		return dst
	}
	return binary.BigEndian.AppendUint16(append(dst, byte(id)), v)
}

func putUint32(dst []byte, id property, v uint32, there bool) []byte {
	if !there {
		return dst
	}
	return binary.BigEndian.AppendUint32(append(dst, byte(id)), v)
}

func putSubscriptionID(dst []byte, v uint32, there bool) []byte {
	if !there {
		return dst
	}
	return appendVarint(append(dst, byte(propSubscriptionID)), int(v))
}

func putField[T ~string | ~[]byte](dst []byte, id property, v T, there bool) []byte {
	if !there {
		return dst
	}
	return appendField(append(dst, byte(id)), v)
}
