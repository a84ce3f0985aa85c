package conformance_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// received is a packet from the server; only what its type has is set.
type received struct {
	kind        byte
	id          int
	code        byte // of CONNACK, the acknowledgements, DISCONNECT and AUTH
	present     bool // Session Present
	codes       []byte
	topic       string
	payload     string
	qos         byte
	dup, retain bool
	props       []prop
	size        int // bytes, as sent
}

// cursor reads from the front of b; short says that it was asked for more.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) number(bytes int) int {
	b := make([]byte, 4)
	copy(b[4-bytes:], c.take(bytes))
	return int(binary.BigEndian.Uint32(b))
}

func (c *cursor) text() string { return string(c.take(c.number(2))) }

func (c *cursor) varint() int {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b := c.number(1)
		n |= b & 0x7f << shift
		if b < 128 {
			if shift > 0 && b == 0 {
				break // not the shortest form [MQTT-1.5.5-1]
			}
			return n
		}
	}
	c.short = true
	return 0
}

func (c *cursor) prop() prop {
	p := prop{id: byte(c.number(1))}
	switch kindOf(p.id) {
	case '1':
		p.n = c.number(1)
	case '2':
		p.n = c.number(2)
	case '4':
		p.n = c.number(4)
	case 'v':
		p.n = c.varint()
	case 'p':
		p.k = c.text()
		p.s = c.text()
	case 's', 'b':
		p.s = c.text()
	default:
		c.short = true
	}
	return p
}

// parse reads a packet as strictly as a client is allowed to.
func parse(version, first byte, body []byte) (received, error) {
	p := received{kind: first >> 4, size: 1 + len(varint(len(body))) + len(body)}
	c := &cursor{b: body}
	var err error
	switch p.kind {
	case tPUBLISH:
		err = p.readPublish(version, first, c)
	case tCONNACK:
		flags := c.number(1)
		if flags > 1 {
			return p, fmt.Errorf("acknowledge flags %08b", flags) // [MQTT-3.2.2-1]
		}
		p.present, p.code = flags == 1, byte(c.number(1))
		err = p.readProps(version, c)
	case tPUBACK, tPUBREC, tPUBREL, tPUBCOMP:
		p.id = c.number(2)
		err = p.readEnd(version, c)
	case tSUBACK, tUNSUBACK:
		p.id = c.number(2)
		err = p.readProps(version, c)
		p.codes = c.take(len(c.b))
	case tPINGRESP:
	case tDISCONNECT, tAUTH:
		if version < v5 {
			return p, fmt.Errorf("a packet of type %d is not for servers to send", p.kind)
		}
		err = p.readEnd(version, c)
	default:
		return p, fmt.Errorf("a packet of type %d is not for servers to send", p.kind)
	}
	return p, errors.Join(err, check(p.kind, first, c))
}

func check(kind, first byte, c *cursor) error {
	want := byte(0)
	if kind == tPUBREL {
		want = 2
	}
	switch {
	case kind != tPUBLISH && first&0x0f != want:
		return fmt.Errorf("reserved flags %04b", first&0x0f) // [MQTT-2.1.3-1]
	case c.short:
		return errors.New("the packet is cut short")
	case len(c.b) > 0:
		return fmt.Errorf("%d bytes too many", len(c.b))
	}
	return nil
}

// readEnd reads the reason code and the properties, both of which may be
// left out.
func (p *received) readEnd(version byte, c *cursor) (err error) {
	if version == v5 && len(c.b) > 0 {
		p.code = byte(c.number(1))
	}
	if version == v5 && len(c.b) > 0 {
		err = p.readProps(version, c)
	}
	return err
}

func (p *received) readProps(version byte, c *cursor) (err error) {
	if version == v5 {
		p.props, err = readProps(p.kind, c)
	}
	return err
}

func (p *received) readPublish(version, first byte, c *cursor) error {
	p.dup, p.qos, p.retain = first&0x08 != 0, first>>1&0x03, first&0x01 != 0
	p.topic = c.text()
	if p.qos > 0 {
		if p.id = c.number(2); p.id == 0 {
			return errors.New("packet identifier 0") // [MQTT-2.2.1-4]
		}
	}
	if err := p.readProps(version, c); err != nil {
		return err
	}
	p.payload = string(c.take(len(c.b)))
	switch {
	case p.qos == 3 || p.qos == 0 && p.dup:
		return fmt.Errorf("flags %04b", first&0x0f) // [MQTT-3.3.1-2] [MQTT-3.3.1-4]
	case !utf8.ValidString(p.topic):
		return errors.New("the topic is no UTF-8")
	}
	return nil
}
