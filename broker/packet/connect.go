package packet

import (
	"bytes"
	"encoding/binary"
)

// The bits of the connect flags (section 3.1.2.3).
const (
	connectReserved   byte = 1 << 0
	connectClean      byte = 1 << 1
	connectWill       byte = 1 << 2
	connectWillQoS    byte = 3 << 3
	connectWillRetain byte = 1 << 5
	connectPassword   byte = 1 << 6
	connectUsername   byte = 1 << 7
)

// Connect opens a session. Nothing of it aliases the frame it came from.
type Connect struct {
	ProtocolName string  // "MQTT", or "MQIsdp" of version 3.1; when encoding, empty means Version's own
	Version      Version // when encoding, 0 means V311
	Clean        bool
	KeepAlive    uint16 // in seconds; 0 turns it off
	ClientID     string // may be empty; see [MQTT-3.1.3-8] and the session
	Will         *Will  // nil without one
	HasUsername  bool
	HasPassword  bool
	Username     string
	Password     []byte
}

// Will is the message that the server publishes when the connection is lost.
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Decode reads a CONNECT. A CONNECT of MQTT 3.1, 5.0 or a version unheard of
// is ErrUnsupportedVersion, with ProtocolName and Version filled in and
// nothing else read. A protocol that does not call itself MQTT is malformed.
// The will's topic is UTF-8, not empty and without wildcards. An empty client
// identifier is accepted here even where the server must reject it with an
// answer [MQTT-3.1.3-8].
func (p *Connect) Decode(f Frame) error {
	*p = Connect{}
	c := open(f, CONNECT, 0, "MQTT-2.2.2-2")
	p.decodeProtocol(&c)
	if c.err != nil {
		return c.err
	}
	if p.ProtocolName != "MQTT" || p.Version != V311 {
		return ErrUnsupportedVersion // [MQTT-3.1.2-2]
	}
	flags := c.byte("the connect flags")
	checkConnectFlags(&c, flags)
	p.Clean = flags&connectClean != 0
	p.KeepAlive = c.uint16("the keep alive")
	p.ClientID = string(c.text("the client identifier")) // [MQTT-3.1.3-3] [MQTT-3.1.3-4]
	p.decodeWill(&c, flags)
	p.decodeLogin(&c, flags)
	return c.end() // [MQTT-3.1.2-18] [MQTT-3.1.2-20]
}

func (p *Connect) decodeProtocol(c *cursor) {
	p.ProtocolName = string(c.text("the protocol name"))
	p.Version = Version(c.byte("the protocol level"))
	if p.ProtocolName != "MQTT" && p.ProtocolName != "MQIsdp" {
		c.fail("MQTT-3.1.2-1", "the protocol name is not MQTT")
	}
}

// checkConnectFlags holds the flags against each other.
func checkConnectFlags(c *cursor, flags byte) {
	if flags&connectReserved != 0 {
		c.fail("MQTT-3.1.2-3", "the reserved connect flag is set")
	}
	if flags&connectWill == 0 && flags&connectWillQoS != 0 {
		c.fail("MQTT-3.1.2-13", "a will QoS without a will")
	}
	if flags&connectWillQoS == connectWillQoS {
		c.fail("MQTT-3.1.2-14", "will QoS 3")
	}
	if flags&connectWill == 0 && flags&connectWillRetain != 0 {
		c.fail("MQTT-3.1.2-15", "will retain without a will")
	}
	if flags&connectUsername == 0 && flags&connectPassword != 0 {
		c.fail("MQTT-3.1.2-22", "a password without a user name")
	}
}

func (p *Connect) decodeWill(c *cursor, flags byte) {
	if flags&connectWill == 0 { // [MQTT-3.1.2-11]
		return
	}
	p.Will = &Will{ // [MQTT-3.1.2-9]
		Topic:   string(c.name("the will topic", "MQTT-4.7.1-1")), // [MQTT-3.1.3-10]
		Payload: bytes.Clone(c.binary("the will message")),
		QoS:     flags & connectWillQoS >> 3,
		Retain:  flags&connectWillRetain != 0,
	}
}

func (p *Connect) decodeLogin(c *cursor, flags byte) {
	if flags&connectUsername != 0 { // [MQTT-3.1.2-19]
		p.HasUsername = true
		p.Username = string(c.text("the user name")) // [MQTT-3.1.3-11]
	}
	if flags&connectPassword != 0 { // [MQTT-3.1.2-21]
		p.HasPassword = true
		p.Password = bytes.Clone(c.binary("the password"))
	}
}

// Append writes the packet to dst. Only the form of V311 is written: another
// Version changes the protocol name and level alone, which is all that is
// needed to be refused.
func (p Connect) Append(dst []byte) []byte {
	name, version := p.protocol()
	length := fieldSize(name) + 4 + fieldSize(p.ClientID)
	if p.Will != nil {
		length += fieldSize(p.Will.Topic) + fieldSize(p.Will.Payload)
	}
	if p.HasUsername {
		length += fieldSize(p.Username)
	}
	if p.HasPassword {
		length += fieldSize(p.Password)
	}
	dst = appendHeader(dst, CONNECT, 0, length)
	dst = appendField(dst, name)
	dst = append(dst, byte(version), p.flags())
	dst = binary.BigEndian.AppendUint16(dst, p.KeepAlive)
	dst = appendField(dst, p.ClientID) // [MQTT-3.1.3-1]
	if p.Will != nil {
		dst = appendField(dst, p.Will.Topic)
		dst = appendField(dst, p.Will.Payload)
	}
	if p.HasUsername {
		dst = appendField(dst, p.Username)
	}
	if p.HasPassword {
		dst = appendField(dst, p.Password)
	}
	return dst
}

// protocol fills in the defaults of the protocol name and version.
func (p *Connect) protocol() (name string, version Version) {
	name, version = p.ProtocolName, p.Version
	if version == 0 {
		version = V311
	}
	if name == "" {
		name = "MQTT"
		if version == V31 {
			name = "MQIsdp"
		}
	}
	return name, version
}

func (p *Connect) flags() byte {
	var flags byte
	set := func(bit byte, on bool) {
		if on {
			flags |= bit
		}
	}
	set(connectClean, p.Clean)
	set(connectUsername, p.HasUsername)
	set(connectPassword, p.HasPassword)
	if p.Will != nil {
		flags |= connectWill | p.Will.QoS<<3&connectWillQoS
		set(connectWillRetain, p.Will.Retain)
	}
	return flags
}
