package conformance_test

import (
	"encoding/binary"
	"slices"
)

// The versions, as CONNECT names them.
const (
	v31  byte = 3
	v311 byte = 4
	v5   byte = 5
)

// The types of packet.
const (
	tCONNECT byte = iota + 1
	tCONNACK
	tPUBLISH
	tPUBACK
	tPUBREC
	tPUBREL
	tPUBCOMP
	tSUBSCRIBE
	tSUBACK
	tUNSUBSCRIBE
	tUNSUBACK
	tPINGREQ
	tPINGRESP
	tDISCONNECT
	tAUTH
)

func u8(n int) []byte      { return []byte{byte(n)} }
func u16(n int) []byte     { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
func u32(n int) []byte     { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
func str(s string) []byte  { return append(u16(len(s)), s...) }
func raw(b ...byte) []byte { return b }

// varint is a Variable Byte Integer in its shortest form.
func varint(n int) []byte {
	var b []byte
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// frame is a packet: its first byte, the Remaining Length, the rest.
func frame(first byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return slices.Concat([]byte{first}, varint(len(body)), body)
}

// withProps is a property block with its length.
func withProps(props []prop) []byte {
	var b []byte
	for _, p := range props {
		b = append(b, p.encode()...)
	}
	return append(varint(len(b)), b...)
}

// will is a Will Message.
type will struct {
	topic, payload string
	qos            byte
	retain         bool
	props          []prop
}

// connect is a CONNECT packet.
type connect struct {
	version            byte
	id                 string
	unclean            bool // Clean Session or Clean Start 0
	keepAlive          int
	username, password string
	noUsername         bool
	noPassword         bool
	will               *will
	props              []prop
}

func (c connect) name() string {
	if c.version == v31 {
		return "MQIsdp"
	}
	return "MQTT"
}

func (c connect) flags() int {
	flags := 0
	if !c.unclean {
		flags |= 0x02
	}
	if c.will != nil {
		flags |= 0x04 | int(c.will.qos)<<3
		if c.will.retain {
			flags |= 0x20
		}
	}
	if !c.noPassword {
		flags |= 0x40
	}
	if !c.noUsername {
		flags |= 0x80
	}
	return flags
}

func (c connect) encode() []byte {
	parts := [][]byte{str(c.name()), u8(int(c.version)), u8(c.flags()), u16(c.keepAlive)}
	if c.version == v5 {
		parts = append(parts, withProps(c.props))
	}
	parts = append(parts, str(c.id))
	if c.will != nil {
		if c.version == v5 {
			parts = append(parts, withProps(c.will.props))
		}
		parts = append(parts, str(c.will.topic), str(c.will.payload))
	}
	if !c.noUsername {
		parts = append(parts, str(c.username))
	}
	if !c.noPassword {
		parts = append(parts, str(c.password))
	}
	return frame(tCONNECT<<4, parts...)
}

// publish is a PUBLISH packet.
type publish struct {
	topic, payload string
	qos            byte
	id             int
	dup, retain    bool
	props          []prop
}

func (p publish) encode(version byte) []byte {
	first := tPUBLISH<<4 | p.qos<<1
	if p.dup {
		first |= 0x08
	}
	if p.retain {
		first |= 0x01
	}
	parts := [][]byte{str(p.topic)}
	if p.qos > 0 {
		parts = append(parts, u16(p.id))
	}
	if version == v5 {
		parts = append(parts, withProps(p.props))
	}
	return frame(first, append(parts, []byte(p.payload))...)
}

// ack is a PUBACK, PUBREC, PUBREL or PUBCOMP of success.
func ack(kind byte, id int) []byte {
	first := kind << 4
	if kind == tPUBREL {
		first |= 0x02
	}
	return frame(first, u16(id))
}

// filter is a Topic Filter and its Subscription Options: the QoS, and with
// MQTT 5.0 the options' other bits.
type filter struct {
	name string
	opts byte
}

// The bits of the Subscription Options beside the QoS.
const (
	noLocal       byte = 0x04
	asPublished   byte = 0x08
	retainIfNew   byte = 0x10
	retainNothing byte = 0x20
)

func subscribe(version byte, id int, props []prop, filters ...filter) []byte {
	parts := [][]byte{u16(id)}
	if version == v5 {
		parts = append(parts, withProps(props))
	}
	for _, f := range filters {
		parts = append(parts, str(f.name), u8(int(f.opts)))
	}
	return frame(tSUBSCRIBE<<4|0x02, parts...)
}

func unsubscribe(version byte, id int, filters ...string) []byte {
	parts := [][]byte{u16(id)}
	if version == v5 {
		parts = append(parts, withProps(nil))
	}
	for _, f := range filters {
		parts = append(parts, str(f))
	}
	return frame(tUNSUBSCRIBE<<4|0x02, parts...)
}

func pingreq() []byte { return frame(tPINGREQ << 4) }

// disconnect is a DISCONNECT; code and properties are MQTT 5.0's.
func disconnect(version, code byte, props ...prop) []byte {
	if version < v5 || code == 0 && len(props) == 0 {
		return frame(tDISCONNECT << 4)
	}
	return frame(tDISCONNECT<<4, u8(int(code)), withProps(props))
}

func auth(code byte, props ...prop) []byte {
	return frame(tAUTH<<4, u8(int(code)), withProps(props))
}
