package conformance_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// client is a connection that says and hears exactly what a case wants.
type client struct {
	t       *testing.T
	stream  stream
	r       *bufio.Reader
	version byte
	id      string
	connack received
	nextID  int        // packet identifier
	early   []received // messages that came before a SUBACK
}

// send writes packets, in one write.
func (c *client) send(packets ...[]byte) {
	c.t.Helper()
	if _, err := c.stream.Write(slices.Concat(packets...)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// offer writes what the server may not wait for: an error is no failure.
func (c *client) offer(b []byte) { _, _ = c.stream.Write(b) }

// packetID is a fresh packet identifier.
func (c *client) packetID() int {
	c.nextID++
	return c.nextID
}

// next reads a packet, until the deadline.
func (c *client) next(within time.Duration) (received, error) {
	if len(c.early) > 0 {
		p := c.early[0]
		c.early = c.early[1:]
		return p, nil
	}
	_ = c.stream.SetReadDeadline(time.Now().Add(within))
	first, err := c.r.ReadByte()
	if err != nil {
		return received{}, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		b, err := c.r.ReadByte()
		if err != nil || shift > 21 {
			return received{}, errors.Join(err, errors.New("no Remaining Length"))
		}
		n |= int(b&0x7f) << shift
		if b < 128 {
			break
		}
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return received{}, err
	}
	p, err := parse(c.version, first, body)
	if err != nil {
		c.t.Errorf("the server sends % x % .40x: %v", first, body, err)
	}
	return p, nil
}

// expect reads the next packet, which must be of that type.
func (c *client) expect(kind byte) received {
	c.t.Helper()
	p, err := c.next(patience)
	if err != nil {
		c.t.Fatalf("waiting for %s: %v", kindNames[kind], err)
	}
	if p.kind != kind {
		c.t.Fatalf("got %v, want %s", p, kindNames[kind])
	}
	return p
}

// closed waits for the end of the connection. With MQTT 5.0 the last packet, if
// there is one, must be a DISCONNECT (before a CONNACK, a CONNACK) with one of
// the codes; without codes nothing must come. Earlier versions close silently.
func (c *client) closed(codes ...byte) {
	c.t.Helper()
	c.closedWithin(patience, codes...)
}

func (c *client) closedWithin(within time.Duration, codes ...byte) {
	c.t.Helper()
	p, err := c.next(within)
	if err == nil {
		if c.version < v5 {
			c.t.Fatalf("got %v, want the connection closed", p)
		}
		if p.kind != tDISCONNECT && p.kind != tCONNACK || !slices.Contains(codes, p.code) {
			c.t.Fatalf("got %v, want a DISCONNECT or CONNACK of % x", p, codes)
		}
		p, err = c.next(within)
	} else if c.version == v5 && len(codes) > 0 && !isReset(err) {
		c.t.Fatalf("the connection is closed without a reason (%v), want one of % x", err, codes)
	}
	if err == nil {
		c.t.Fatalf("got %v, want the connection closed", p)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the connection stays open")
	}
}

// dropped waits for the end of the connection where the server may choose
// whether to say why.
func (c *client) dropped() {
	c.t.Helper()
	p, err := c.next(patience)
	if err == nil {
		refusal := p.kind == tCONNACK && p.code != 0 || p.kind == tDISCONNECT && p.code >= 0x80
		if !refusal {
			c.t.Fatalf("got %v, want the connection closed", p)
		}
		_, err = c.next(patience)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("the connection stays open (%v)", err)
	}
}

// isReset reports whether the peer had unread bytes when it closed: then the
// system may have thrown its last packet away.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && strings.Contains(op.Err.Error(), "reset")
}

// lost ends the connection without a DISCONNECT.
func (c *client) lost() { _ = c.stream.Close() }

// leave says goodbye, and waits until the server has closed, so that what the
// end of the connection means has happened. What was on its way is ignored.
func (c *client) leave(code byte, props ...prop) {
	c.t.Helper()
	c.send(disconnect(c.version, code, props...))
	for {
		p, err := c.next(patience)
		if errors.Is(err, os.ErrDeadlineExceeded) || err == nil && p.kind == tDISCONNECT {
			c.t.Fatalf("got %v (%v), want the connection closed", p, err)
		}
		if err != nil {
			return
		}
	}
}

// ping proves that the connection lives and that nothing else was sent first.
func (c *client) ping() {
	c.t.Helper()
	c.send(pingreq())
	c.expect(tPINGRESP)
}

// sub subscribes to one filter and returns the code of the SUBACK.
func (c *client) sub(name string, opts byte, props ...prop) byte {
	c.t.Helper()
	return c.subscribe(props, filter{name, opts}).codes[0]
}

// subscribe sends a SUBSCRIBE and returns the SUBACK. A server may send
// matching messages before it (section 3.8.4); they are kept for later.
func (c *client) subscribe(props []prop, filters ...filter) received {
	c.t.Helper()
	id := c.packetID()
	c.send(subscribe(c.version, id, props, filters...))
	p := c.after(tSUBACK, id)
	if len(p.codes) != len(filters) {
		c.t.Fatalf("got %v, want %d codes", p, len(filters))
	}
	return p
}

func (c *client) unsub(names ...string) received {
	c.t.Helper()
	id := c.packetID()
	c.send(unsubscribe(c.version, id, names...))
	return c.after(tUNSUBACK, id)
}

// pub publishes and sees the acknowledgements of the QoS through; it returns
// the PUBACK or PUBREC.
func (c *client) pub(p publish) received {
	c.t.Helper()
	if p.qos > 0 && p.id == 0 {
		p.id = c.packetID()
	}
	c.send(p.encode(c.version))
	switch p.qos {
	case 1:
		return c.acked(tPUBACK, p.id)
	case 2:
		rec := c.acked(tPUBREC, p.id)
		if rec.code < 0x80 {
			c.send(ack(tPUBREL, p.id))
			c.acked(tPUBCOMP, p.id)
		}
		return rec
	}
	return received{}
}

// acked expects an acknowledgement with that packet identifier. Messages that
// come before it are kept for later.
func (c *client) acked(kind byte, id int) received {
	c.t.Helper()
	return c.after(kind, id)
}

// after waits for a packet other than a message.
func (c *client) after(kind byte, id int) received {
	c.t.Helper()
	var early []received
	p, err := c.next(patience)
	for err == nil && p.kind == tPUBLISH {
		early = append(early, p)
		p, err = c.next(patience)
	}
	if err != nil || p.kind != kind || p.id != id {
		c.t.Fatalf("got %v (%v), want %s %d", p, err, kindNames[kind], id)
	}
	c.early = append(c.early, early...)
	return p
}

// get expects a message with that payload and acknowledges it to the end.
func (c *client) get(payload string) received {
	c.t.Helper()
	p := c.expect(tPUBLISH)
	if p.payload != payload {
		c.t.Fatalf("got %v, want payload %q", p, payload)
	}
	c.finish(p)
	return p
}

// finish acknowledges a message to the end of its QoS.
func (c *client) finish(p received) {
	c.t.Helper()
	switch p.qos {
	case 1:
		c.send(ack(tPUBACK, p.id))
	case 2:
		c.send(ack(tPUBREC, p.id))
		c.acked(tPUBREL, p.id)
		c.send(ack(tPUBCOMP, p.id))
	}
}
