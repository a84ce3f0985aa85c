package chaos_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

const (
	// answerPatience of a test is for what takes no time unless something is broken. A
	// takeover from a node that does not answer takes 2 s, an election 9 s.
	answerPatience = time.Minute
	week           = 7 * 24 * 3600 // a session expiry in seconds
)

// door is what a client connects as.
type door struct {
	id      string
	version packet.Version // 0: 5.0
	clean   bool
	expiry  uint32 // 5.0: in seconds
	will    *packet.Will
	hold    bool // acknowledge nothing until release
}

// client is one connection that does what a test says. What arrives it keeps,
// and acknowledges if it is told to.
type client struct {
	door
	stage *stage
	conn  net.Conn
	gone  chan struct{} // closed with the connection

	mu      sync.Mutex // guards what follows, and writes
	acks    bool       // acknowledge what arrives
	got     []packet.Frame
	waiting map[uint16]bool // QoS 2 messages that wait for PUBREL
	heard   map[string]int  // payloads, with QoS 2 once for each exchange
	order   []string        // the same as they came
	changed chan struct{}   // closed when something has arrived
}

// dial opens a connection to a node and returns what it is answered.
func (s *stage) dial(ctx context.Context, node int, d door) (*client, packet.Connack, error) {
	if d.version == 0 {
		d.version = packet.V5
	}
	dialer := net.Dialer{Timeout: answerPatience}
	conn, err := dialer.DialContext(ctx, "tcp", s.cluster.Direct(node).MQTT)
	if err != nil {
		return nil, packet.Connack{}, err
	}
	c := &client{
		door: d, stage: s, conn: conn, gone: make(chan struct{}), acks: !d.hold,
		waiting: make(map[uint16]bool), heard: make(map[string]int), changed: make(chan struct{}),
	}
	go c.read()
	p := packet.Connect{
		Version: d.version, ClientID: d.id, Clean: d.clean, Will: d.will,
		HasUsername: true, Username: s.username(), HasPassword: true, Password: []byte(s.account.Token),
	}
	if d.version == packet.V5 {
		p.Properties.SessionExpiry = d.expiry
	}
	c.send(p.Append(nil))
	f, ok := c.wait(answerPatience, packet.CONNACK)
	if !ok {
		_ = conn.Close()
		return nil, packet.Connack{}, fmt.Errorf("%s on node %d: no CONNACK", d.id, node)
	}
	var ack packet.Connack
	return c, ack, ack.Decode(f)
}

// enter is dial for a client that must be let in.
func (s *stage) enter(t *testing.T, node int, d door) (c *client, present bool) {
	t.Helper()
	c, ack, err := s.dial(t.Context(), node, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.drop)
	if refused(ack) {
		t.Fatalf("%s on node %d: refused: %v %v", d.id, node, ack.Code, ack.Reason)
	}
	return c, ack.SessionPresent
}

func refused(ack packet.Connack) bool {
	return ack.Code != packet.Accepted || ack.Reason != packet.Success
}

// read keeps what arrives.
func (c *client) read() {
	defer close(c.gone)
	var buf []byte
	chunk := make([]byte, 4<<10)
	for {
		n, err := c.conn.Read(chunk)
		if err != nil {
			return
		}
		buf = append(buf, chunk[:n]...)
		for {
			f, n, err := packet.Split(buf, 0)
			if err != nil || n == 0 {
				break
			}
			c.take(packet.Frame{Type: f.Type, Flags: f.Flags, Body: slices.Clone(f.Body), Version: c.version})
			buf = buf[n:]
		}
	}
}

func (c *client) take(f packet.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, f)
	close(c.changed)
	c.changed = make(chan struct{})
	switch f.Type {
	case packet.PUBLISH:
		var p packet.Publish
		if p.Decode(f) == nil {
			c.takePublish(&p)
		}
	case packet.PUBREL:
		var p packet.Ack
		if p.Decode(f) == nil {
			c.complete(p.PacketID)
		}
	case packet.PUBREC:
		var p packet.Ack
		if p.Decode(f) == nil && c.acks {
			c.write(packet.Ack{Type: packet.PUBREL, Version: c.version, PacketID: p.PacketID}.Append(nil))
		}
	default:
	}
}

func (c *client) takePublish(p *packet.Publish) {
	if p.QoS < 2 || !c.waiting[p.PacketID] {
		c.heard[string(p.Payload)]++
		c.order = append(c.order, string(p.Payload))
	}
	if p.QoS == 2 {
		c.waiting[p.PacketID] = true
	}
	c.acknowledge(p.QoS, p.PacketID)
}

// release acknowledges what was held, and from now on what arrives.
func (c *client) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks = true
	for _, f := range c.got {
		var p packet.Publish
		var ack packet.Ack
		switch {
		case f.Type == packet.PUBLISH && p.Decode(f) == nil:
			c.acknowledge(p.QoS, p.PacketID)
		case f.Type == packet.PUBREL && ack.Decode(f) == nil:
			c.complete(ack.PacketID)
		}
	}
}

// acknowledge needs mu, as complete does.
func (c *client) acknowledge(qos byte, id uint16) {
	if qos > 0 && c.acks {
		answer := map[byte]packet.Type{1: packet.PUBACK, 2: packet.PUBREC}[qos]
		c.write(packet.Ack{Type: answer, Version: c.version, PacketID: id}.Append(nil))
	}
}

func (c *client) complete(id uint16) {
	if c.acks {
		delete(c.waiting, id)
		c.write(packet.Ack{Type: packet.PUBCOMP, Version: c.version, PacketID: id}.Append(nil))
	}
}

func (c *client) send(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(data)
}

// write needs mu. A broken connection is noticed by its reader.
func (c *client) write(data []byte) { _, _ = c.conn.Write(data) }

// drop ends the connection without a farewell.
func (c *client) drop() { _ = c.conn.Close() }

// leave ends it with one, so that a will is discarded.
func (c *client) leave(t *testing.T) {
	t.Helper()
	c.send(packet.Disconnect{Version: c.version}.Append(nil))
	if !c.closed(answerPatience) {
		t.Errorf("%s: still connected after DISCONNECT", c.id)
	}
}

// until waits until what arrived is as it should be.
func (c *client) until(patience time.Duration, done func() bool) bool {
	limit := time.After(patience)
	for {
		c.mu.Lock()
		ok, changed := done(), c.changed
		c.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-limit:
			return false
		}
	}
}

// wait takes the first packet of a type out of what has arrived.
func (c *client) wait(patience time.Duration, kind packet.Type) (f packet.Frame, ok bool) {
	gone := c.gone
	limit := time.After(patience)
	for {
		c.mu.Lock()
		i := slices.IndexFunc(c.got, func(f packet.Frame) bool { return f.Type == kind })
		if i >= 0 {
			f = c.got[i]
			c.got = slices.Delete(c.got, i, i+1)
			c.mu.Unlock()
			return f, true
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-gone:
			if gone == nil {
				return f, false
			}
			gone, limit = nil, time.After(0) // what came before the end is there by now
		case <-limit:
			return f, false
		}
	}
}

// closed waits until the server has ended the connection.
func (c *client) closed(patience time.Duration) bool {
	select {
	case <-c.gone:
		return true
	case <-time.After(patience):
		return false
	}
}

// open reports whether the connection stands and the server answers on it.
func (c *client) open() bool {
	c.send(packet.Pingreq{}.Append(nil))
	_, ok := c.wait(answerPatience, packet.PINGRESP)
	return ok
}

func (c *client) subscribe(t *testing.T, filter string, qos byte) {
	t.Helper()
	c.send(packet.Subscribe{
		Version: c.version, PacketID: 0xffff, Subscriptions: []packet.Subscription{{Filter: filter, QoS: qos}},
	}.Append(nil))
	f, ok := c.wait(answerPatience, packet.SUBACK)
	var ack packet.Suback
	if !ok || ack.Decode(f) != nil || ack.Codes[0] != qos {
		t.Fatalf("%s: SUBACK %v %v", c.id, ok, ack.Codes)
	}
}

// publish sends a message and waits for nothing.
func (c *client) publish(topic, payload string, qos byte, id uint16) {
	c.send(packet.Publish{
		Version: c.version, QoS: qos, PacketID: id, Topic: []byte(topic), Payload: []byte(payload),
	}.Append(nil))
}

// acknowledged waits for the last answer to a publish.
func (c *client) acknowledged(t *testing.T, qos byte, id uint16) {
	t.Helper()
	f, ok := c.wait(answerPatience, map[byte]packet.Type{1: packet.PUBACK, 2: packet.PUBCOMP}[qos])
	var ack packet.Ack
	if !ok || ack.Decode(f) != nil || ack.PacketID != id || ack.Reason >= packet.UnspecifiedError {
		t.Fatalf("%s: publish %d with QoS %d: answered %v: %d %v", c.id, id, qos, ok, ack.PacketID, ack.Reason)
	}
}

// count is how often a payload came.
func (c *client) count(payload string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard[payload]
}

// farewell is the reason of the server's DISCONNECT, 0 without one.
func (c *client) farewell(t *testing.T) packet.ReasonCode {
	t.Helper()
	f, ok := c.wait(answerPatience, packet.DISCONNECT)
	if !ok {
		return 0
	}
	var d packet.Disconnect
	if err := d.Decode(f); err != nil {
		t.Fatal(err)
	}
	return d.Reason
}
