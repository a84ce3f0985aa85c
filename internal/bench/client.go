package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// client is one MQTT connection of the generator, on a blocking socket.
type client struct {
	nc  net.Conn
	buf []byte
	n   int // bytes in buf
	out []byte

	present bool // CONNACK said that there was a session
	early   []packet.Frame
}

const (
	// dialTimeout is how long a client waits for an answer, also when ten
	// thousand of them come at once.
	dialTimeout = 30 * time.Second
	// bufferBytes and smallBuffer hold what arrives.
	bufferBytes = 64 << 10
	smallBuffer = 8 << 10
)

// dial connects with a clean session and waits for CONNACK.
func dial(ctx context.Context, t target, id string) (*client, error) {
	return connect(ctx, t, packet.Connect{Clean: true, ClientID: id, KeepAlive: 600})
}

// dialSession connects with a session that outlives the connection; present
// says that there must be one already.
func dialSession(ctx context.Context, t target, id string, present bool) (*client, error) {
	c, err := connect(ctx, t, packet.Connect{ClientID: id, KeepAlive: 600})
	if err == nil && present && !c.present {
		return nil, fmt.Errorf("%s has forgotten the session of %s", t.name, id)
	}
	return c, err
}

// connect connects and waits for CONNACK.
func connect(ctx context.Context, t target, connect packet.Connect) (*client, error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	c := &client{nc: nc, buf: make([]byte, bufferBytes)}
	if !connect.Clean { // of which there are many
		c.buf = make([]byte, smallBuffer)
	}
	if t.password != "" {
		connect.HasUsername, connect.Username = true, t.username
		connect.HasPassword, connect.Password = true, []byte(t.password)
	}
	f, err := c.ask(connect.Append(nil))
	if err != nil {
		return nil, err
	}
	var ack packet.Connack
	if err := ack.Decode(f); err != nil {
		return nil, err
	}
	if ack.Code != packet.Accepted {
		return nil, fmt.Errorf("%s refused the connection: %s", t.name, ack.Code)
	}
	c.present = ack.SessionPresent
	return c, nil
}

// subscribe waits for SUBACK.
func (c *client) subscribe(filter string, qos byte) error {
	f, err := c.ask(packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: filter, QoS: qos}}}.Append(nil))
	if err != nil {
		return err
	}
	var ack packet.Suback
	if err := ack.Decode(f); err != nil {
		return err
	}
	if ack.Codes[0] != qos {
		return fmt.Errorf("subscribe to %s answered %#x", filter, ack.Codes[0])
	}
	return nil
}

// ask sends a packet and returns the next one that arrives.
func (c *client) ask(p []byte) (packet.Frame, error) {
	if err := c.nc.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return packet.Frame{}, err
	}
	defer func() { _ = c.nc.SetDeadline(time.Time{}) }() // an error would show at the next read
	if _, err := c.nc.Write(p); err != nil {
		return packet.Frame{}, err
	}
	var answer packet.Frame
	for answer.Type == 0 {
		err := c.read(func(f packet.Frame) {
			f.Body = bytes.Clone(f.Body)
			if answer.Type == 0 {
				answer = f
				return
			}
			c.early = append(c.early, f) // a message may come in one piece with the answer
		})
		if err != nil {
			return packet.Frame{}, err
		}
	}
	return answer, nil
}

// read waits for bytes and hands over every complete packet.
func (c *client) read(each func(packet.Frame)) error {
	if len(c.early) > 0 {
		for _, f := range c.early {
			each(f)
		}
		c.early = nil
		return nil
	}
	n, err := c.nc.Read(c.buf[c.n:])
	if err != nil {
		return err
	}
	c.n += n
	used := 0
	for {
		f, size, err := packet.Split(c.buf[used:c.n], 0)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		used += size
		each(f)
	}
	c.n = copy(c.buf, c.buf[used:c.n])
	return nil
}

// receive counts messages into g until the connection ends, and acknowledges
// those of QoS 1, once for each read.
func (c *client) receive(g *gauge, got func()) {
	var p packet.Publish
	for {
		c.out = c.out[:0]
		err := c.read(func(f packet.Frame) {
			if f.Type != packet.PUBLISH || p.Decode(f) != nil {
				return
			}
			g.arrived(p.Payload)
			got()
			if p.QoS == 1 {
				c.out = packet.Ack{Type: packet.PUBACK, PacketID: p.PacketID}.Append(c.out)
			}
		})
		if err != nil {
			return
		}
		if len(c.out) > 0 {
			if _, err := c.nc.Write(c.out); err != nil {
				return
			}
		}
	}
}

// stamp writes the time of sending into a payload.
func stamp(payload []byte, now time.Time) {
	binary.BigEndian.PutUint64(payload, uint64(now.UnixNano()))
}

func stamped(payload []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(payload))) //nolint:gosec // written by stamp
}

// number writes a message's number into a payload.
func number(payload []byte, n int) { binary.BigEndian.PutUint64(payload, uint64(n)) } //nolint:gosec // not negative

func numbered(payload []byte) int64 {
	return int64(binary.BigEndian.Uint64(payload)) //nolint:gosec // written by number
}
