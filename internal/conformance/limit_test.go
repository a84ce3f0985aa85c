package conformance_test

import (
	"fmt"
	"strings"
)

// expiryRules are about Message Expiry Interval: section 3.3.2.3.3.
var expiryRules = []rule{
	{v5: "MQTT-3.3.2-5", name: "an expired message is not delivered", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 1)
		sub.leave(0)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "old", props: list(num(pMessageExpiry, 1))})
		r.until(2200)
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "new"})
		sub = r.connect(r.resumable("s"))
		sub.get("new")
		r.goodbye(sub)
	}},
	{v5: "MQTT-3.3.2-6", name: "the time that is left", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 1)
		sub.leave(0)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x", props: list(num(pMessageExpiry, 60))})
		r.until(1300)
		sub = r.connect(r.resumable("s"))
		if n := number(sub.get("x").props, pMessageExpiry); n < 40 || n > 59 {
			r.Errorf("Message Expiry Interval %d, want less than 60", n)
		}
		r.goodbye(sub)
	}},
	{v5: "MQTT-3.3.2-6", name: "a message that did not wait", run: func(r *run) {
		for qos := range byte(3) {
			if n := number(r.passOn(qos, num(pMessageExpiry, 1000)).props, pMessageExpiry); n < 990 || n > 1000 {
				r.Errorf("QoS %d: Message Expiry Interval %d, want 1000", qos, n)
			}
		}
	}},
	{v5: "MQTT-4.3.3-7", name: "what was sent does not expire", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 2)
		r.client().pub(publish{topic: r.topic("a"), qos: 2, payload: "x", props: list(num(pMessageExpiry, 1))})
		p := sub.expect(tPUBLISH)
		r.until(2200)
		sub.finish(p)
		sub.ping()
		r.goodbye(sub)
	}},
	{v5: "MQTT-4.3.3-13", name: "QoS 2 of an expired message is acknowledged to the end", run: func(r *run) {
		c := r.client()
		c.send(publish{topic: r.topic("a"), qos: 2, id: 5, props: list(num(pMessageExpiry, 1))}.encode(v5))
		c.acked(tPUBREC, 5)
		r.until(2200)
		c.send(ack(tPUBREL, 5))
		c.acked(tPUBCOMP, 5)
	}},
}

// limitRules are about Receive Maximum and Maximum Packet Size: sections
// 3.1.2.11 and 4.9.
var limitRules = []rule{
	{v5: "MQTT-3.3.4-9", name: "not more than the client's Receive Maximum", run: func(r *run) {
		sub := r.windowed(2)
		for i := range 6 {
			sub.finish(sub.want(r, fmt.Sprint(i)))
		}
	}},
	{v5: "MQTT-4.9.0-2", name: "the window stays shut without acknowledgements", run: func(r *run) {
		sub := r.windowed(2)
		first, second := sub.want(r, "0"), sub.want(r, "1")
		r.until(700)
		sub.ping()
		sub.finish(first)
		third := sub.want(r, "2")
		r.until(300)
		sub.ping()
		sub.finish(second)
		sub.finish(third)
		sub.want(r, "3")
	}},
	{v5: "MQTT-3.3.4-10", name: "a shut window holds nothing else", run: func(r *run) {
		sub := r.windowed(1)
		p := sub.want(r, "0")
		is(r, "SUBACK", sub.sub(r.topic("other"), 0), 0)
		sub.unsub(r.topic("other"))
		sub.ping()
		sub.finish(p)
		sub.want(r, "1")
	}},
	{v5: "MQTT-4.9.0-3", name: "QoS 0 passes a shut window", run: func(r *run) {
		sub := r.windowed(1)
		p := sub.want(r, "0")
		sub.sub(r.topic("other"), 0)
		r.client().pub(publish{topic: r.topic("other"), payload: "quick"})
		sub.get("quick")
		sub.finish(p)
	}},
	{v5: "MQTT-4.9.0-1", name: "QoS 2 counts until PUBCOMP", run: func(r *run) {
		in := r.fresh()
		in.props = list(num(pReceiveMaximum, 1))
		sub, pub := r.connect(in), r.client()
		sub.sub(r.topic("a"), 2)
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "0"})
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "1"})
		p := sub.want(r, "0")
		sub.send(ack(tPUBREC, p.id))
		sub.acked(tPUBREL, p.id)
		r.until(300)
		sub.ping()
		sub.send(ack(tPUBCOMP, p.id))
		sub.want(r, "1")
	}},
	{v5: "MQTT-3.3.4-7", name: "more than the server's Receive Maximum", run: receiveMaximum},
	{v5: "MQTT-3.1.2-24", name: "not more than the client's Maximum Packet Size", run: tooLarge(1)},
	{v5: "MQTT-3.1.2-25", name: "what is too large counts as delivered", run: tooLarge(2)},
	{v5: "MQTT-3.1.2-24", name: "the same with QoS 0", run: tooLarge(0)},
	{v5: "MQTT-3.9.2-1", name: "SUBACK fits the client's Maximum Packet Size", fanfare: true, run: smallAnswers(func(c *client) received {
		return c.subscribe(nil, filter{"globex/x", 0})
	})},
	{v5: "MQTT-3.11.2-1", name: "UNSUBACK fits it", run: smallAnswers(func(c *client) received { return c.unsub("x") })},
	{v5: "MQTT-3.4.2-2", name: "PUBACK fits it", fanfare: true, run: smallAnswers(func(c *client) received {
		return c.pub(publish{topic: "globex/x", qos: 1})
	})},
	{v5: "MQTT-3.5.2-2", name: "PUBREC fits it", fanfare: true, run: smallAnswers(func(c *client) received {
		return c.pub(publish{topic: "globex/x", qos: 2})
	})},
	{v5: "MQTT-3.6.2-2", name: "PUBREL fits it", run: smallAnswers(func(c *client) received {
		c.send(ack(tPUBREC, 99))
		return c.expect(tPUBREL)
	})},
	{v5: "MQTT-3.7.2-2", name: "PUBCOMP fits it", run: smallAnswers(func(c *client) received {
		c.send(ack(tPUBREL, 99))
		return c.expect(tPUBCOMP)
	})},
	{v5: "MQTT-3.14.2-3", name: "DISCONNECT fits it", run: smallAnswers(func(c *client) received {
		c.send(hx("00 00"))
		return c.expect(tDISCONNECT)
	})},
	{v311: "4.8", v5: "3.2.2.3.6", name: "a packet beyond the server's maximum", fanfare: true, run: func(r *run) {
		c := r.client()
		c.offer(publish{topic: r.topic("a"), payload: strings.Repeat("x", 257<<10)}.encode(r.version))
		c.closed(0x95)
	}},
	{v311: "4.8", v5: "3.2.2.3.6", name: "a length beyond the server's maximum, at once", fanfare: true, run: func(r *run) {
		c := r.client()
		c.send(hx("30 ff ff ff 7f 00 01 61"))
		c.closed(0x95)
	}},
}

// windowed has a Receive Maximum and six QoS 1 messages waiting.
func (r *run) windowed(most int) *client {
	r.Helper()
	in := r.fresh()
	in.props = list(num(pReceiveMaximum, most))
	sub, pub := r.connect(in), r.client()
	sub.sub(r.topic("a"), 1)
	for i := range 6 {
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: fmt.Sprint(i)})
	}
	return sub
}

// want expects a message and does not acknowledge it.
func (c *client) want(r *run, payload string) received {
	r.Helper()
	p := c.expect(tPUBLISH)
	is(r, "payload", p.payload, payload)
	return p
}

// receiveMaximum sends one QoS 2 message more than the server takes.
func receiveMaximum(r *run) {
	c := r.client()
	most := number(c.connack.props, pReceiveMaximum)
	if most < 0 {
		most = 65535
	}
	if most > 2000 {
		if r.target.fanfare != nil {
			r.Errorf("Receive Maximum %d", most)
		}
		return
	}
	for id := 1; id <= most; id++ {
		c.send(publish{topic: r.topic("a"), qos: 2, id: id}.encode(v5))
		c.acked(tPUBREC, id)
	}
	c.send(publish{topic: r.topic("a"), qos: 2, id: most + 1}.encode(v5))
	c.closed(0x93)
}

func tooLarge(qos byte) func(r *run) {
	return func(r *run) {
		in := r.fresh()
		in.props = list(num(pMaximumPacket, 200), num(pReceiveMaximum, 1))
		sub, pub := r.connect(in), r.client()
		sub.sub(r.topic("a"), qos)
		for range 3 {
			pub.pub(publish{topic: r.topic("a"), qos: qos, payload: strings.Repeat("x", 300)})
		}
		pub.pub(publish{topic: r.topic("a"), qos: qos, payload: "small"})
		sub.get("small")
	}
}

// smallAnswers has an answer that must stay below 16 bytes.
func smallAnswers(ask func(c *client) received) func(r *run) {
	return func(r *run) {
		in := r.fresh()
		in.props = list(num(pMaximumPacket, 16))
		if p := ask(r.connect(in)); p.size > 16 {
			r.Errorf("%d bytes: %v", p.size, p)
		}
	}
}
