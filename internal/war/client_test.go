package war_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// door is what somebody connects with.
type door struct {
	version            packet.Version
	id                 string
	username, password string
	clean              bool
	expiry             uint32 // 5.0: in seconds
	will               *packet.Will
}

func (d *door) connect() packet.Connect {
	p := packet.Connect{
		Version: d.version, ClientID: d.id, Clean: d.clean, Will: d.will,
		HasUsername: true, Username: d.username, HasPassword: true, Password: []byte(d.password),
	}
	if d.version == packet.V5 {
		p.Properties.SessionExpiry = d.expiry
		p.Properties.TopicAliasMaximum = 16
	}
	return p
}

// client is one MQTT connection. What is published to it and acknowledgements
// of its publishes go to its handlers, on the goroutine that reads; every other
// answer waits to be asked for.
type client struct {
	version packet.Version
	conn    net.Conn
	answers chan packet.Frame
	gone    chan struct{} // closed when the connection is, after the handlers have run
	// farewell is the reason of the server's DISCONNECT; written before gone is
	// closed, and read after that.
	farewell packet.ReasonCode

	received func(*packet.Publish)
	acked    func(packet.Ack)

	aliases map[uint16][]byte // of the server, for the goroutine that reads

	mu     sync.Mutex // guards what is written to conn
	lastID uint16     // of the goroutine that publishes
}

var errClosed = errors.New("the connection is closed")

// dial connects and returns what is answered. An error means that there was no
// CONNACK.
func dial(address string, d door, received func(*packet.Publish), acked func(packet.Ack)) (*client, packet.Connack, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, packet.Connack{}, err
	}
	c := &client{
		version: d.version, conn: conn, received: received, acked: acked,
		answers: make(chan packet.Frame, 16), gone: make(chan struct{}), aliases: make(map[uint16][]byte),
	}
	go c.read()
	if err := c.send(d.connect().Append(nil)); err != nil {
		c.drop()
		return nil, packet.Connack{}, err
	}
	var ack packet.Connack
	f, err := c.answer(packet.CONNACK)
	if err == nil {
		err = ack.Decode(f)
	}
	if err != nil {
		c.drop()
		return nil, ack, fmt.Errorf("CONNECT: %w", err)
	}
	return c, ack, nil
}

func refused(ack packet.Connack) bool {
	return ack.Code != packet.Accepted || ack.Reason != packet.Success
}

// drop ends the connection without a word.
func (c *client) drop() {
	_ = c.conn.Close()
	<-c.gone
}

// leave ends the connection with a DISCONNECT.
func (c *client) leave() {
	_ = c.send(packet.Disconnect{Version: c.version}.Append(nil))
	select {
	case <-c.gone: // the server closes
	case <-time.After(patience):
	}
	c.drop()
}

// open reports whether the connection has not been seen to end.
func (c *client) open() bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

func (c *client) send(data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(data)
	return err
}

// answer waits for the next answer, which has to be of a type.
func (c *client) answer(want packet.Type) (packet.Frame, error) {
	select {
	case f := <-c.answers:
		if f.Type != want {
			return f, fmt.Errorf("the answer is %v, not %v", f.Type, want)
		}
		return f, nil
	case <-c.gone:
		select {
		case f := <-c.answers: // the last words
			if f.Type == want {
				return f, nil
			}
		default:
		}
		return packet.Frame{}, errClosed
	case <-time.After(patience):
		return packet.Frame{}, fmt.Errorf("no %v within %v", want, patience)
	}
}

// subscribe returns the codes of the SUBACK.
func (c *client) subscribe(subs ...packet.Subscription) ([]byte, error) {
	p := packet.Subscribe{Version: c.version, PacketID: 0xffff, Subscriptions: subs}
	if err := c.send(p.Append(nil)); err != nil {
		return nil, errClosed
	}
	f, err := c.answer(packet.SUBACK)
	if err != nil {
		return nil, err
	}
	var ack packet.Suback
	if err := ack.Decode(f); err != nil {
		return nil, err
	}
	if len(ack.Codes) != len(subs) {
		return nil, fmt.Errorf("%d codes for %d filters", len(ack.Codes), len(subs))
	}
	return ack.Codes, nil
}

func (c *client) unsubscribe(filters ...string) error {
	p := packet.Unsubscribe{Version: c.version, PacketID: 0xffff, Filters: filters}
	if err := c.send(p.Append(nil)); err != nil {
		return errClosed
	}
	_, err := c.answer(packet.UNSUBACK)
	return err
}

// ping is answered when everything sent before it was looked at.
func (c *client) ping() error {
	if err := c.send(packet.Pingreq{}.Append(nil)); err != nil {
		return errClosed
	}
	_, err := c.answer(packet.PINGRESP)
	return err
}

// nextID is far from those in flight, and never 0.
func (c *client) nextID() uint16 {
	c.lastID = c.lastID%0xff00 + 1
	return c.lastID
}

func (c *client) read() {
	defer close(c.gone)
	r := bufio.NewReaderSize(c.conn, 16<<10)
	var buf []byte
	for {
		var err error
		if buf, err = readFrame(r, buf[:0]); err != nil {
			return
		}
		f, _, err := packet.Split(buf, 0)
		if err != nil {
			return
		}
		f.Version = c.version
		if !c.take(f) {
			return
		}
	}
}

// readFrame appends the next packet, whole, to buf.
func readFrame(r *bufio.Reader, buf []byte) ([]byte, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return buf, err
	}
	buf = append(buf, kind)
	length := 0
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil || shift > 21 {
			return buf, errors.Join(err, io.ErrUnexpectedEOF)
		}
		buf = append(buf, b)
		length |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	start := len(buf)
	buf = append(buf, make([]byte, length)...)
	_, err = io.ReadFull(r, buf[start:])
	return buf, err
}

// take deals with a packet and reports whether there may be more.
func (c *client) take(f packet.Frame) bool {
	switch f.Type {
	case packet.PUBLISH:
		var p packet.Publish
		if p.Decode(f) != nil {
			return false
		}
		c.resolve(&p)
		c.received(&p)
		c.acknowledge(&p)
	case packet.PUBREL:
		var p packet.Ack
		if p.Decode(f) != nil {
			return false
		}
		_ = c.send(packet.Ack{Type: packet.PUBCOMP, Version: c.version, PacketID: p.PacketID}.Append(nil))
	case packet.PUBACK, packet.PUBREC, packet.PUBCOMP:
		var p packet.Ack
		if p.Decode(f) != nil {
			return false
		}
		if p.Type == packet.PUBREC && p.Reason < packet.UnspecifiedError {
			_ = c.send(packet.Ack{Type: packet.PUBREL, Version: c.version, PacketID: p.PacketID}.Append(nil))
			return true
		}
		c.acked(p)
	case packet.DISCONNECT:
		var p packet.Disconnect
		if p.Decode(f) == nil {
			c.farewell = p.Reason
		}
	default:
		f.Body = append([]byte(nil), f.Body...)
		c.answers <- f
	}
	return true
}

// resolve gives a message with an alias its topic.
func (c *client) resolve(p *packet.Publish) {
	alias := p.Properties.TopicAlias
	switch {
	case alias == 0:
	case len(p.Topic) > 0:
		c.aliases[alias] = bytes.Clone(p.Topic)
	default:
		p.Topic = c.aliases[alias]
	}
}

func (c *client) acknowledge(p *packet.Publish) {
	switch p.QoS {
	case 1:
		_ = c.send(packet.Ack{Type: packet.PUBACK, Version: c.version, PacketID: p.PacketID}.Append(nil))
	case 2:
		_ = c.send(packet.Ack{Type: packet.PUBREC, Version: c.version, PacketID: p.PacketID}.Append(nil))
	}
}
