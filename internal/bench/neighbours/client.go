package neighbours

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// client is one MQTT connection, on a blocking socket.
type client struct {
	nc      net.Conn
	version packet.Version
	buf     []byte
	n       int // bytes in buf
}

const answerPatience = 30 * time.Second

// errRefused is a CONNACK that says no.
var errRefused = errors.New("refused")

// dial connects with a clean session.
func dial(ctx context.Context, addr, org, token, id string, version packet.Version) (*client, error) {
	d := net.Dialer{Timeout: answerPatience}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{nc: nc, version: version, buf: make([]byte, 16<<10)}
	f, err := c.ask(packet.Connect{
		Version: version, Clean: true, ClientID: id, KeepAlive: 600,
		HasUsername: true, Username: org + "/" + app, HasPassword: true, Password: []byte(token),
	}.Append(nil))
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	var ack packet.Connack
	if err := ack.Decode(f); err != nil {
		_ = nc.Close()
		return nil, err
	}
	if ack.Code != packet.Accepted || ack.Reason != packet.Success {
		_ = nc.Close()
		return nil, errRefused
	}
	return c, nil
}

// subscribe waits for SUBACK.
func (c *client) subscribe(filter string, qos byte) error {
	f, err := c.ask(packet.Subscribe{Version: c.version, PacketID: 1, Subscriptions: []packet.Subscription{{Filter: filter, QoS: qos}}}.Append(nil))
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
func (c *client) ask(p []byte) (answer packet.Frame, err error) {
	if err = c.nc.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return answer, err
	}
	defer func() { _ = c.nc.SetDeadline(time.Time{}) }() // an error would show at the next read
	if _, err = c.nc.Write(p); err != nil {
		return answer, err
	}
	for answer.Type == 0 {
		err = c.read(func(f packet.Frame) {
			if answer.Type == 0 {
				f.Body = bytes.Clone(f.Body)
				answer = f
			}
		})
		if err != nil {
			return answer, err
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
		f.Version = c.version
		each(f)
	}
	c.n = copy(c.buf, c.buf[used:c.n])
	return nil
}

// publish sends a message.
func (c *client) publish(topic string, payload []byte, qos byte, id uint16) error {
	_, err := c.nc.Write(packet.Publish{Version: c.version, Topic: []byte(topic), Payload: payload, QoS: qos, PacketID: id}.Append(nil))
	return err
}

// every calls f at a steady pace until ctx ends, with the time at which each call
// was due. What is late is made up for at once, but not what is a second late.
func every(ctx context.Context, period time.Duration, f func(due time.Time)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := time.Now(); ; due = due.Add(period) {
		if time.Since(due) > time.Second {
			due = time.Now()
		}
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
			f(due)
		case <-ctx.Done():
			return
		}
	}
}
