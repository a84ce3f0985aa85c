package conformance_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// connectRules are about CONNECT: sections 3.1.0 to 3.1.2 and 3.1.4.
var connectRules = []rule{
	{v311: "MQTT-3.1.0-1", v5: "MQTT-3.1.0-1", name: "the first packet is PINGREQ", run: firstPacket(pingreq())},
	{v311: "MQTT-3.1.0-1", v5: "MQTT-3.1.0-1", name: "the first packet is DISCONNECT", run: firstPacket(raw(0xe0, 0))},
	{v311: "MQTT-3.1.0-1", v5: "MQTT-3.1.0-1", name: "the first packet is SUBSCRIBE", run: firstPacket(subscribe(v311, 1, nil, filter{"a", 0}))},
	{v311: "MQTT-3.1.0-1", v5: "MQTT-3.1.0-1", name: "the first packet is PUBLISH", run: firstPacket(publish{topic: "a"}.encode(v311))},
	{v5: "MQTT-3.14.0-1", name: "no DISCONNECT before a CONNACK: AUTH first", run: firstPacket(auth(0x18, text(pAuthMethod, "x")))},
	{v31: "3.1 §3.1", v311: "MQTT-3.1.0-2", v5: "MQTT-3.1.0-2", name: "a second CONNECT", run: func(r *run) {
		c := r.client()
		c.send(r.hello(r.fresh()).encode())
		c.closed(0x82)
	}},
	{v311: "MQTT-3.1.2-1", v5: "MQTT-3.1.2-1", name: "another protocol's name", run: func(r *run) {
		c := r.dial()
		c.send(bytes.Replace(r.hello(r.fresh()).encode(), []byte("MQTT"), []byte("MQTX"), 1))
		c.dropped()
	}},
	{v311: "MQTT-3.1.2-1", v5: "MQTT-3.1.2-1", name: "the name in lower case", run: func(r *run) {
		c := r.dial()
		c.send(bytes.Replace(r.hello(r.fresh()).encode(), []byte("MQTT"), []byte("mqtt"), 1))
		c.dropped()
	}},
	{v311: "MQTT-3.1.2-2", v5: "MQTT-3.1.2-2", name: "a level that does not exist", run: unknownLevel},
	{v311: "MQTT-3.1.2-3", v5: "MQTT-3.1.2-3", name: "the reserved flag is set", run: connectFlags(func(f byte) byte { return f | 0x01 })},
	{v311: "MQTT-3.1.2-13", v5: "MQTT-3.1.2-11", name: "Will QoS 1 without a will", run: connectFlags(func(f byte) byte { return f | 0x08 })},
	{v311: "MQTT-3.1.2-11", v5: "MQTT-3.1.2-11", name: "Will QoS 2 without a will", run: connectFlags(func(f byte) byte { return f | 0x10 })},
	{v311: "MQTT-3.1.2-15", v5: "MQTT-3.1.2-13", name: "Will Retain without a will", run: connectFlags(func(f byte) byte { return f | 0x20 })},
	{v311: "MQTT-3.1.2-14", v5: "MQTT-3.1.2-12", name: "Will QoS 3", run: func(r *run) {
		in := r.fresh()
		in.will = &will{topic: r.topic("w"), qos: 3}
		c := r.dial()
		c.send(r.hello(in).encode())
		c.dropped()
	}},
	{v311: "MQTT-3.1.2-9", v5: "MQTT-3.1.2-9", name: "a will's flag without its fields", run: connectFlags(func(f byte) byte { return f | 0x04 })},
	{v311: "MQTT-3.1.2-19", v5: "MQTT-3.1.2-17", name: "a user name's flag without a user name", run: func(r *run) {
		in := r.fresh()
		in.noUsername, in.noPassword = true, true
		r.badFlags(in, func(f byte) byte { return f | 0x80 })
	}},
	{v311: "MQTT-3.1.2-21", v5: "MQTT-3.1.2-19", name: "a password's flag without a password", run: func(r *run) {
		in := r.fresh()
		in.noPassword = true
		r.badFlags(in, func(f byte) byte { return f | 0x40 })
	}},
	{v311: "MQTT-3.1.2-18", v5: "MQTT-3.1.2-16", name: "a user name without its flag", run: func(r *run) {
		in := r.fresh()
		in.noPassword = true
		r.badFlags(in, func(f byte) byte { return f &^ 0x80 })
	}},
	{v311: "MQTT-3.1.2-20", v5: "MQTT-3.1.2-18", name: "a password without its flag", run: connectFlags(func(f byte) byte { return f &^ 0x40 })},
	{v311: "MQTT-3.1.2-22", name: "a password without a user name", run: func(r *run) {
		in := r.fresh()
		in.noUsername = true
		c := r.dial()
		c.send(r.hello(in).encode())
		c.closed()
	}},
	{v31: "3.1 §3.2", v311: "MQTT-3.1.4-4", v5: "MQTT-3.1.4-5", name: "CONNECT is answered", run: func(r *run) { r.client().ping() }},
	{v311: "MQTT-3.1.4-4", v5: "MQTT-3.1.4-5", name: "CONNECT in pieces of one byte", run: func(r *run) {
		c := r.dial()
		for _, b := range r.hello(r.fresh()).encode() {
			c.send(raw(b))
		}
		is(r, "code", c.expect(tCONNACK).code, 0)
		c.ping()
	}},
	{v31: "3.1 §3.2", v311: "MQTT-3.2.0-1", v5: "MQTT-3.2.0-1", name: "CONNACK comes before what was asked with CONNECT", run: func(r *run) {
		c := r.dial()
		c.send(r.hello(r.fresh()).encode(), subscribe(r.version, 7, nil, filter{r.topic("a"), 0}), pingreq())
		is(r, "code", c.expect(tCONNACK).code, 0)
		kinds := []byte{c.next2(r), c.next2(r)}
		if !slices.Contains(kinds, tSUBACK) || !slices.Contains(kinds, tPINGRESP) {
			r.Errorf("got packets %v, want SUBACK and PINGRESP", kinds)
		}
	}},
	{v5: "MQTT-3.2.0-2", name: "one CONNACK, and no more", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 1)
		c.pubGet(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		c.ping()
	}},
	{v31: "3.1 §3.3", v311: "MQTT-3.12.4-1", v5: "MQTT-3.12.4-1", name: "PINGREQ is answered", run: func(r *run) {
		c := r.client()
		c.send(pingreq(), pingreq(), pingreq())
		for range 3 {
			c.expect(tPINGRESP)
		}
	}},
}

// next2 is the type of the next packet.
func (c *client) next2(r *run) byte {
	r.Helper()
	p, err := c.next(patience)
	if err != nil {
		r.Fatal(err)
	}
	return p.kind
}

func firstPacket(b []byte) func(r *run) {
	return func(r *run) {
		c := r.dial()
		c.send(b)
		c.closed()
	}
}

// connectFlags changes the flags of an otherwise good CONNECT.
func connectFlags(change func(byte) byte) func(r *run) {
	return func(r *run) { r.badFlags(r.fresh(), change) }
}

func (r *run) badFlags(in connect, change func(byte) byte) {
	r.Helper()
	b := r.hello(in).encode()
	at := bytes.Index(b, []byte("MQTT")) + len("MQTT") + 1
	b[at] = change(b[at])
	c := r.dial()
	c.send(b)
	c.dropped()
}

// unknownLevel sees CONNACK 0x01 of MQTT 3.1.1 or 0x84 of MQTT 5.0, and the end.
func unknownLevel(r *run) {
	c := r.dial()
	in := r.hello(r.fresh())
	in.version = 9
	c.send(in.encode())
	_ = c.stream.SetReadDeadline(time.Now().Add(patience))
	said, err := io.ReadAll(c.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.Fatal("the connection stays open")
	}
	old, current := hx("20 02 00 01"), hx("20 03 00 84 00")
	if !bytes.Equal(said, old) && !bytes.Equal(said, current) && (r.version == v311 || len(said) > 0) {
		r.Errorf("got % x, want CONNACK 0x01 or 0x84", said)
	}
}
