package bench

import (
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
}

const dialTimeout = 5 * time.Second

// dial connects and waits for CONNACK.
func dial(ctx context.Context, t target, id string) (*client, error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	c := &client{nc: nc, buf: make([]byte, 64<<10)}
	connect := packet.Connect{Clean: true, ClientID: id, KeepAlive: 600}
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
		if err := c.read(func(f packet.Frame) { answer = f }); err != nil {
			return packet.Frame{}, err
		}
	}
	return answer, nil
}

// read waits for bytes and hands over every complete packet.
func (c *client) read(each func(packet.Frame)) error {
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
