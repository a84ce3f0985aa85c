package packet

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// text reads a UTF-8 encoded string. The result aliases the frame. A byte
// order mark is kept: it is a character like others [MQTT-1.5.3-3]
// [MQTT-1.5.4-3]. Control characters and non-characters, which a client only SHOULD NOT send, pass.
func (c *cursor) text(field string) []byte {
	b := c.binary(field)
	if !utf8.Valid(b) { // surrogates are not valid either
		c.fail(ruleUTF8, field+" is not UTF-8")
		return nil
	}
	if bytes.IndexByte(b, 0) >= 0 {
		c.fail(ruleNUL, field+" contains a NUL character")
		return nil
	}
	return b
}

// name reads a topic name: not empty, no wildcards. The depth of its levels
// and the wall are not the codec's business.
func (c *cursor) name(field string, wildcards rule) []byte {
	return c.literal(c.filter(field), field, wildcards)
}

// literal refuses a topic with wildcards.
func (c *cursor) literal(topic []byte, field string, wildcards rule) []byte {
	if bytes.IndexByte(topic, '+') >= 0 || bytes.IndexByte(topic, '#') >= 0 {
		c.fail(wildcards, field+" contains a wildcard")
		return nil
	}
	return topic
}

// filter reads a topic filter: not empty. Whether its wildcards are well
// placed is left to the session, which may refuse the filter alone.
func (c *cursor) filter(field string) []byte {
	b := c.text(field)
	if len(b) == 0 {
		c.fail(ruleEmpty, field+" is empty")
	}
	return b
}

// appendField writes a string or binary field with its length in front. Only
// MaxString bytes fit; the rest is cut so that the frame stays readable.
func appendField[T ~string | ~[]byte](dst []byte, s T) []byte {
	n := fieldSize(s) - 2
	dst = binary.BigEndian.AppendUint16(dst, uint16(n)) //nolint:gosec // at most MaxString
	return append(dst, s[:n]...)
}

// fieldSize is the number of bytes that appendField writes.
func fieldSize[T ~string | ~[]byte](s T) int {
	return 2 + min(len(s), MaxString)
}
