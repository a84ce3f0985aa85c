package packet

import (
	"bytes"
	"iter"
)

// UserProperties are pairs of a key and a value as they lie in a packet: the
// byte 0x26, the key and the value, one pair after the other. Their order
// counts [MQTT-3.3.2-18], a key may come more than once, and nil has none. They
// pass from packet to packet without being read.
type UserProperties []byte

// All yields the pairs in order, up to the first that is not well-formed.
func (u UserProperties) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		c := cursor{version: V5, rest: u}
		for len(c.rest) > 0 {
			key, value := c.userPair()
			if c.err != nil || !yield(string(key), string(value)) {
				return
			}
		}
	}
}

// Append returns the pairs with one more. Of a key or value only MaxString
// bytes are kept. Like the append of slices it may write behind the end of u.
func (u UserProperties) Append(key, value string) UserProperties {
	return appendField(appendField(append(u, byte(propUser)), key), value)
}

// Valid says whether the bytes are nothing but well-formed pairs
// [MQTT-1.5.7-1].
func (u UserProperties) Valid() bool {
	c := cursor{version: V5, rest: u}
	for len(c.rest) > 0 {
		c.userPair()
	}
	return c.err == nil
}

// userPair reads a pair with its identifier.
func (c *cursor) userPair() (key, value []byte) {
	if c.byte("a property identifier") != byte(propUser) {
		c.fail(ruleProperty, "not a user property")
	}
	return c.text("the key of a user property"), c.text("the value of a user property")
}

// clone is a copy that does not alias the frame; nil stays nil.
func (u UserProperties) clone() UserProperties { return bytes.Clone(u) }
