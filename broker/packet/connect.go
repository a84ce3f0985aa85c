package packet

import (
	"bytes"
	"encoding/binary"
)

// The protocol names: of 3.1.1 and 5.0, and of 3.1.
const (
	nameMQTT   = "MQTT"
	nameMQIsdp = "MQIsdp"
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
	Clean        bool    // Clean Session, in 5.0 Clean Start
	KeepAlive    uint16  // in seconds; 0 turns it off
	ClientID     string  // may be empty; see [MQTT-3.1.3-8] and the session
	Will         *Will   // nil without one
	HasUsername  bool
	HasPassword  bool // before 5.0 only with a user name
	Username     string
	Password     []byte
	Properties   ConnectProperties // 5.0 only
}

// Decode reads a CONNECT, whose version is its own and not the frame's. A
// version other than 3.1, 3.1.1 and 5.0 under its own name is
// ErrUnsupportedVersion, with ProtocolName and Version filled in and nothing
// else read. A protocol that does not call itself MQTT is malformed. The
// will's topic is UTF-8, not empty and without wildcards. An empty client
// identifier is accepted here even where the server must reject it with an
// answer [MQTT-3.1.3-8].
//
// 3.1 is read as its servers read it: flags that it reserves or does not need
// are ignored, a login may be missing that its flags announce, and a client
// identifier may have any length.
func (p *Connect) Decode(f Frame) error {
	*p = Connect{}
	c := cursor{packet: CONNECT, version: V311, rest: f.Body}
	if f.Type != CONNECT {
		c.fail(ruleType, "the frame is of another packet type")
	}
	p.decodeProtocol(&c)
	if c.err != nil {
		return c.err
	}
	if !p.supported() {
		return ErrUnsupportedVersion // [MQTT-3.1.2-2]
	}
	c.version = p.Version
	c.fixedHeader(f, 0, ruleFlags)
	p.decodeRest(&c)
	return c.end() // [MQTT-3.1.2-18] [MQTT-3.1.2-20], in 5.0 [MQTT-3.1.2-16] [MQTT-3.1.2-18]
}

func (p *Connect) decodeProtocol(c *cursor) {
	p.ProtocolName = string(c.text("the protocol name"))
	p.Version = Version(c.byte("the protocol level"))
	if p.ProtocolName != nameMQTT && p.ProtocolName != nameMQIsdp {
		c.fail(ruleProtocolName, "the protocol name is not MQTT")
	}
}

// supported says whether the version is one of ours under its own name.
func (p *Connect) supported() bool {
	if p.ProtocolName == nameMQIsdp {
		return p.Version == V31
	}
	return p.Version == V311 || p.Version == V5
}

func (p *Connect) decodeRest(c *cursor) {
	flags := c.byte("the connect flags")
	checkConnectFlags(c, flags)
	p.Clean = flags&connectClean != 0
	p.KeepAlive = c.uint16("the keep alive")
	p.Properties.decode(c)
	p.ClientID = string(c.text("the client identifier")) // [MQTT-3.1.3-3] [MQTT-3.1.3-4]
	p.decodeWill(c, flags)
	p.decodeLogin(c, flags)
}

// checkConnectFlags holds the flags against each other.
func checkConnectFlags(c *cursor, flags byte) {
	if flags&connectWillQoS == connectWillQoS && (c.version != V31 || flags&connectWill != 0) {
		c.fail(ruleWillQoS, "will QoS 3")
	}
	if flags&connectUsername == 0 && flags&connectPassword != 0 && c.version != V5 {
		c.fail(rulePassword, "a password without a user name")
	}
	if c.version == V31 {
		return
	}
	if flags&connectReserved != 0 {
		c.fail(ruleConnectFlag, "the reserved connect flag is set")
	}
	if flags&connectWill != 0 {
		return
	}
	if flags&connectWillQoS != 0 {
		c.fail(ruleNoWillQoS, "a will QoS without a will")
	}
	if flags&connectWillRetain != 0 {
		c.fail(ruleNoWillRetain, "will retain without a will")
	}
}

func (p *Connect) decodeLogin(c *cursor, flags byte) {
	if p.announced(c, flags&connectUsername) { // [MQTT-3.1.2-19] [MQTT-3.1.2-17]
		p.HasUsername = true
		p.Username = string(c.text("the user name")) // [MQTT-3.1.3-11] [MQTT-3.1.3-12]
	}
	if p.announced(c, flags&connectPassword) { // [MQTT-3.1.2-21] [MQTT-3.1.2-19]
		p.HasPassword = true
		p.Password = bytes.Clone(c.binary("the password"))
	}
}

// announced says whether a field must come. In 3.1 the end of the packet
// overrules its flag.
func (p *Connect) announced(c *cursor, flag byte) bool {
	return flag != 0 && (p.Version != V31 || len(c.rest) > 0)
}

// Append writes the packet to dst. A Version that is none of ours is written in
// the form of V311, which is all that is needed to be refused.
func (p Connect) Append(dst []byte) []byte {
	name, version := p.protocol()
	dst, at := begin(dst, CONNECT, 0)
	dst = appendField(dst, name)
	dst = append(dst, byte(version), p.flags())
	dst = binary.BigEndian.AppendUint16(dst, p.KeepAlive)
	if version == V5 {
		dst = p.Properties.append(dst)
	}
	dst = appendField(dst, p.ClientID) // [MQTT-3.1.3-1]
	if p.Will != nil {
		dst = p.Will.append(dst, version)
	}
	if p.HasUsername {
		dst = appendField(dst, p.Username)
	}
	if p.HasPassword {
		dst = appendField(dst, p.Password)
	}
	return closeLength(dst, at)
}

// protocol fills in the defaults of the protocol name and version.
func (p *Connect) protocol() (name string, version Version) {
	name, version = p.ProtocolName, p.Version
	if version == 0 {
		version = V311
	}
	if name == "" {
		name = nameMQTT
		if version == V31 {
			name = nameMQIsdp
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
