package conformance_test

import (
	"fmt"
	"strings"
)

// publishRules are about PUBLISH without an interruption: sections 3.3 and 4.3.
var publishRules = []rule{
	{v31: "3.1 §4.1", v311: "MQTT-4.3.1-1", v5: "MQTT-4.3.1-1", name: "QoS 0", run: roundTrip(0)},
	{v31: "3.1 §4.1", v311: "MQTT-4.3.2-1", v5: "MQTT-4.3.2-2", name: "QoS 1", run: roundTrip(1)},
	{v31: "3.1 §4.1", v311: "MQTT-4.3.3-1", v5: "MQTT-4.3.3-2", name: "QoS 2", run: roundTrip(2)},
	{v311: "MQTT-3.3.4-1", v5: "MQTT-3.3.4-1", name: "each QoS has its answer", run: func(r *run) {
		c := r.client()
		c.send(publish{topic: r.topic("a"), qos: 0}.encode(r.version), publish{topic: r.topic("a"), qos: 1, id: 5}.encode(r.version))
		c.acked(tPUBACK, 5)
		c.send(publish{topic: r.topic("a"), qos: 2, id: 6}.encode(r.version))
		c.acked(tPUBREC, 6)
		c.send(ack(tPUBREL, 6))
		c.acked(tPUBCOMP, 6)
	}},
	{v311: "MQTT-2.3.1-6", v5: "MQTT-2.2.1-5", name: "an acknowledgement has the packet identifier", run: func(r *run) {
		c := r.client()
		for _, id := range []int{1, 255, 256, 32768, 65535} {
			c.pub(publish{topic: r.topic("a"), qos: 1, id: id})
			c.pub(publish{topic: r.topic("a"), qos: 2, id: id})
		}
	}},
	{v311: "MQTT-4.3.2-2", v5: "MQTT-4.3.2-4", name: "PUBACK says that the server has the message", run: func(r *run) {
		sub := r.connect(connect{id: r.id("s"), unclean: true, props: expiry(r.version, 60)})
		sub.sub(r.topic("a"), 1)
		sub.leave(0)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "kept"})
		pub.lost()
		sub = r.connect(connect{id: r.id("s"), unclean: true, props: expiry(r.version, 60)})
		sub.get("kept")
		sub.leave(0)
	}},
	{v5: "MQTT-4.3.2-5", name: "after PUBACK the same identifier is a new message", run: twiceOneID(1, false)},
	{v311: "MQTT-4.3.2-2", v5: "MQTT-4.3.2-5", name: "also with DUP", run: twiceOneID(1, true)},
	{v311: "MQTT-4.3.3-2", v5: "MQTT-4.3.3-12", name: "after PUBCOMP the same identifier is a new message", run: twiceOneID(2, false)},
	{v311: "MQTT-4.3.3-2", v5: "MQTT-4.3.3-10", name: "QoS 2 again before PUBREL is no second message", run: repeated(true)},
	{v311: "MQTT-4.3.3-2", v5: "MQTT-4.3.3-10", name: "the same without DUP", run: repeated(false)},
	{v311: "MQTT-4.3.3-2", v5: "MQTT-4.3.3-11", name: "PUBREL again is answered again", run: func(r *run) {
		c := r.client()
		c.pub(publish{topic: r.topic("a"), qos: 2, id: 9})
		c.send(ack(tPUBREL, 9))
		if p := c.acked(tPUBCOMP, 9); p.code != 0 && p.code != 0x92 {
			r.Errorf("PUBCOMP %#x", p.code)
		}
	}},
	{v311: "MQTT-4.3.3-2", v5: "MQTT-4.3.3-11", name: "PUBREL of an identifier never used", run: func(r *run) {
		c := r.client()
		c.send(ack(tPUBREL, 77))
		if p := c.acked(tPUBCOMP, 77); r.version == v5 && p.code != 0x92 && p.code != 0 {
			r.Errorf("PUBCOMP %#x", p.code)
		}
	}},
	{v5: "MQTT-4.3.3-4", name: "PUBREC of an identifier never used", run: func(r *run) {
		c := r.client()
		c.send(ack(tPUBREC, 77))
		is(r, "PUBREL", c.acked(tPUBREL, 77).code, 0x92)
	}},
	{v311: "MQTT-2.3.1-6", v5: "MQTT-2.2.1-5", name: "PUBACK and PUBCOMP of an identifier never used", run: func(r *run) {
		c := r.client()
		c.send(ack(tPUBACK, 77), ack(tPUBCOMP, 78))
		c.ping()
	}},
	{v311: "MQTT-3.3.1-3", v5: "MQTT-3.3.1-3", name: "DUP is not passed on", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 1)
		c.send(publish{topic: r.topic("a"), qos: 1, id: 3, dup: true, payload: "x"}.encode(r.version))
		for range 2 {
			if p, err := c.next(patience); err != nil || p.kind != tPUBLISH && p.kind != tPUBACK || p.dup {
				r.Errorf("got %v (%v)", p, err)
			}
		}
	}},
	{v311: "MQTT-2.3.1-4", v5: "MQTT-2.2.1-4", name: "unacknowledged messages have identifiers of their own", run: func(r *run) {
		c, pub := r.client(), r.client()
		c.sub(r.topic("a"), 2)
		ids := map[int]bool{}
		for i := range 10 {
			pub.pub(publish{topic: r.topic("a"), qos: byte(1 + i%2)})
			ids[c.expect(tPUBLISH).id] = true
		}
		is(r, "identifiers", len(ids), 10)
	}},
	{v311: "MQTT-2.3.1-5", v5: "MQTT-2.2.1-2", name: "QoS 0 has no packet identifier", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 0)
		c.pub(publish{topic: r.topic("a"), payload: "\x00\x01"})
		c.get("\x00\x01")
	}},
	{v311: "MQTT-3.3.2-3", v5: "MQTT-3.3.2-3", name: "the topic is the publisher's", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("+/b/#"), 0)
		c.pub(publish{topic: r.topic("a/b/c d/é"), payload: "x"})
		is(r, "topic", c.get("x").topic, r.topic("a/b/c d/é"))
	}},
	{v311: "3.3.3", v5: "3.3.3", name: "an empty payload", run: payload("")},
	{v311: "3.3.3", v5: "3.3.3", name: "every byte in a payload", run: func(r *run) {
		var all [256]byte
		for i := range all {
			all[i] = byte(i)
		}
		payload(string(all[:]))(r)
	}},
	{v311: "2.2.3", v5: "2.1.4", name: "127 bytes", run: sized(127)},
	{v311: "2.2.3", v5: "2.1.4", name: "128 bytes", run: sized(128)},
	{v311: "2.2.3", v5: "2.1.4", name: "16383 bytes", run: sized(16383)},
	{v311: "2.2.3", v5: "2.1.4", name: "16384 bytes", run: sized(16384)},
	{v31: "3.1 §2.1", v311: "2.2.3", v5: "2.1.4", name: "200 KiB", run: payload(strings.Repeat("fanfare.", 25<<10))},
	{v311: "MQTT-1.5.3-3", v5: "MQTT-1.5.4-3", name: "U+FEFF stays", run: topicStays("\ufeffa/b\ufeff")},
	{v311: "MQTT-4.7.3-4", v5: "MQTT-4.7.3-4", name: "no normalization", run: topicStays("e\u0301/\u00e9")},
	{v311: "4.7.3", v5: "4.7.3", name: "empty levels", run: topicStays("/a//b/")},
	{v311: "MQTT-1.5.3-1", v5: "MQTT-1.5.4-1", name: "characters beyond the first plane", run: topicStays("🎺/\U0010fffd")},
	{v311: "MQTT-4.1.0-1", v5: "MQTT-4.1.0-1", name: "subscriptions live as long as the connection", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 1)
		for i := range 50 {
			c.pubGet(publish{topic: r.topic("a"), qos: 1, payload: fmt.Sprint(i)})
		}
	}},
}

// pubGet publishes to the client's own subscription, where the
// acknowledgement and the message may come in either order.
func (c *client) pubGet(p publish) {
	c.t.Helper()
	p.id = c.packetID()
	c.send(p.encode(c.version))
	var got received
	want := 1
	if p.qos > 0 {
		want = 2
	}
	for range want {
		in, err := c.next(patience)
		switch {
		case err != nil:
			c.t.Fatal(err)
		case in.kind == tPUBLISH:
			got = in
		case in.kind != tPUBACK || in.id != p.id || p.qos != 1:
			c.t.Fatalf("got %v", in)
		}
	}
	if got.kind != tPUBLISH || got.payload != p.payload {
		c.t.Fatalf("got %v, want payload %q", got, p.payload)
	}
	c.finish(got)
}

// roundTrip publishes and receives with one QoS.
func roundTrip(qos byte) func(r *run) {
	return func(r *run) {
		sub, pub := r.client(), r.client()
		is(r, "SUBACK", sub.sub(r.topic("a"), qos), qos)
		pub.pub(publish{topic: r.topic("a"), qos: qos, payload: "hi"})
		p := sub.get("hi")
		is(r, "QoS", p.qos, qos)
		is(r, "DUP", p.dup, false)
		is(r, "RETAIN", p.retain, false)
		sub.ping()
	}
}

func twiceOneID(qos byte, dup bool) func(r *run) {
	return func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), qos)
		pub.pub(publish{topic: r.topic("a"), qos: qos, id: 4, payload: "one"})
		pub.pub(publish{topic: r.topic("a"), qos: qos, id: 4, payload: "two", dup: dup})
		sub.get("one")
		sub.get("two")
	}
}

func repeated(dup bool) func(r *run) {
	return func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 2)
		first := publish{topic: r.topic("a"), qos: 2, id: 4, payload: "one"}
		pub.send(first.encode(r.version))
		pub.acked(tPUBREC, 4)
		first.dup = dup
		pub.send(first.encode(r.version))
		pub.acked(tPUBREC, 4)
		pub.send(ack(tPUBREL, 4))
		pub.acked(tPUBCOMP, 4)
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "marker"})
		sub.get("one")
		sub.get("marker")
	}
}

func payload(s string) func(r *run) {
	return func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 1)
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: s})
		sub.get(s)
	}
}

// sized makes the Remaining Length of a PUBLISH exactly n.
func sized(n int) func(r *run) {
	return func(r *run) {
		topic := r.topic("a")
		head := 2 + len(topic)
		if r.version == v5 {
			head++
		}
		sub, pub := r.client(), r.client()
		sub.sub(topic, 0)
		pub.pub(publish{topic: topic, payload: strings.Repeat("x", n-head)})
		sub.get(strings.Repeat("x", n-head))
	}
}

func topicStays(name string) func(r *run) {
	return func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.target.prefix+"/"+r.unique+"/"+name, 1)
		pub.pub(publish{topic: r.target.prefix + "/" + r.unique + "/" + name, qos: 1, payload: "x"})
		is(r, "topic", sub.get("x").topic, r.target.prefix+"/"+r.unique+"/"+name)
	}
}
