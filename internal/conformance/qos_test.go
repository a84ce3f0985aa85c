package conformance_test

import "fmt"

// resumable is a CONNECT whose session outlives its connection.
func (r *run) resumable(name string) connect {
	return connect{id: r.id(name), unclean: true, props: expiry(r.version, 60)}
}

// goodbye ends a session for good.
func (r *run) goodbye(c *client) {
	r.Helper()
	if r.version == v5 {
		c.leave(0, num(pSessionExpiry, 0))
		return
	}
	c.lost()
	r.connect(connect{id: c.id}).leave(0)
}

// qosRules are about what is in flight when a connection is lost: sections 4.3
// and 4.4.
var qosRules = []rule{
	{v31: "3.1 §4.1", v311: "MQTT-4.4.0-1", v5: "MQTT-4.4.0-1", name: "QoS 1 without PUBACK is sent again", run: resent(1)},
	{v31: "3.1 §4.1", v311: "MQTT-4.4.0-1", v5: "MQTT-4.4.0-1", name: "QoS 2 without PUBREC is sent again", run: resent(2)},
	{v311: "MQTT-3.3.1-1", v5: "MQTT-3.3.1-1", name: "what is sent again has DUP", run: func(r *run) {
		sub := r.halfway(1)
		is(r, "DUP", sub.expect(tPUBLISH).dup, true)
		r.goodbye(sub)
	}},
	{v311: "MQTT-2.3.1-3", v5: "MQTT-4.4.0-1", name: "with its packet identifier", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 1)
		pub := r.client()
		var ids []int
		for i := range 3 {
			pub.pub(publish{topic: r.topic("a"), qos: 1, payload: fmt.Sprint(i)})
			ids = append(ids, sub.expect(tPUBLISH).id)
		}
		sub.lost()
		sub = r.connect(r.resumable("s"))
		for i := range 3 {
			is(r, "packet identifier", sub.get(fmt.Sprint(i)).id, ids[i])
		}
		r.goodbye(sub)
	}},
	{v311: "MQTT-4.3.2-1", v5: "MQTT-4.3.2-3", name: "what was acknowledged is not sent again", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 1)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "one"})
		sub.get("one")
		sub.ping() // the PUBACK has arrived
		sub.lost()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "two"})
		sub = r.connect(r.resumable("s"))
		sub.get("two")
		r.goodbye(sub)
	}},
	{v311: "MQTT-4.4.0-1", v5: "MQTT-4.3.3-5", name: "PUBREL without PUBCOMP is sent again", run: pubrelAgain},
	{v311: "MQTT-4.3.3-1", v5: "MQTT-4.3.3-6", name: "after PUBREC no PUBLISH", run: pubrelAgain},
	{v311: "MQTT-4.3.3-1", v5: "MQTT-4.3.3-4", name: "PUBREC again is answered by PUBREL again", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 2)
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
		p := sub.expect(tPUBLISH)
		for range 2 {
			sub.send(ack(tPUBREC, p.id))
			sub.acked(tPUBREL, p.id)
		}
		sub.send(ack(tPUBCOMP, p.id))
		sub.ping()
	}},
	{v31: "3.1 §4.1", v311: "MQTT-4.3.3-2", v5: "MQTT-4.3.3-10", name: "a publisher's QoS 2 goes on after a resume", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 2)
		pub := r.connect(r.resumable("p"))
		once := publish{topic: r.topic("a"), qos: 2, id: 7, payload: "once"}
		pub.send(once.encode(r.version))
		pub.acked(tPUBREC, 7)
		pub.lost()
		pub = r.connect(r.resumable("p"))
		once.dup = true
		pub.send(once.encode(r.version))
		pub.acked(tPUBREC, 7)
		pub.send(ack(tPUBREL, 7))
		pub.acked(tPUBCOMP, 7)
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "marker"})
		sub.get("once")
		sub.get("marker")
		r.goodbye(pub)
	}},
	{v311: "MQTT-4.3.3-2", v5: "MQTT-4.3.3-11", name: "a publisher's PUBREL after a resume", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 2)
		pub := r.connect(r.resumable("p"))
		pub.send(publish{topic: r.topic("a"), qos: 2, id: 7, payload: "once"}.encode(r.version))
		pub.acked(tPUBREC, 7)
		pub.lost()
		pub = r.connect(r.resumable("p"))
		pub.send(ack(tPUBREL, 7))
		is(r, "PUBCOMP", pub.acked(tPUBCOMP, 7).code, 0)
		sub.get("once")
		r.goodbye(pub)
	}},
	{v5: "MQTT-4.4.0-2", name: "an error in PUBACK ends the delivery", run: refusedDelivery(1, tPUBACK)},
	{v5: "MQTT-4.4.0-2", name: "an error in PUBREC ends the delivery", run: refusedDelivery(2, tPUBREC)},
	{v311: "MQTT-4.4.0-1", v5: "MQTT-4.4.0-1", name: "nothing is sent again while the connection lives", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 1)
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "unanswered"})
		p := sub.expect(tPUBLISH)
		r.until(1500)
		sub.ping()
		sub.finish(p)
	}},
	{v311: "MQTT-4.5.0-1", v5: "MQTT-4.5.0-1", name: "QoS 1 and 2 wait for who is away", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("+"), 2)
		sub.leave(0)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "one"})
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "two"})
		sub = r.connect(r.resumable("s"))
		is(r, "DUP", sub.get("one").dup, false)
		is(r, "QoS", sub.get("two").qos, 2)
		r.goodbye(sub)
	}},
}

// halfway is a subscriber that was lost between a message and its
// acknowledgement, resumed.
func (r *run) halfway(qos byte) *client {
	r.Helper()
	sub := r.connect(r.resumable("s"))
	sub.sub(r.topic("a"), qos)
	r.client().pub(publish{topic: r.topic("a"), qos: qos, payload: "x"})
	sub.expect(tPUBLISH)
	sub.lost()
	return r.connect(r.resumable("s"))
}

func resent(qos byte) func(r *run) {
	return func(r *run) {
		sub := r.halfway(qos)
		is(r, "Session Present", sub.connack.present, r.version != v31)
		is(r, "QoS", sub.get("x").qos, qos)
		sub.ping()
		r.goodbye(sub)
	}
}

func pubrelAgain(r *run) {
	sub := r.connect(r.resumable("s"))
	sub.sub(r.topic("a"), 2)
	r.client().pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
	p := sub.expect(tPUBLISH)
	sub.send(ack(tPUBREC, p.id))
	sub.acked(tPUBREL, p.id)
	sub.lost()
	sub = r.connect(r.resumable("s"))
	sub.acked(tPUBREL, p.id)
	sub.send(ack(tPUBCOMP, p.id))
	sub.ping()
	r.goodbye(sub)
}

// refusedDelivery answers a message by an error: it must not come again, and
// its place in the window is free.
func refusedDelivery(qos, kind byte) func(r *run) {
	return func(r *run) {
		in := r.resumable("s")
		in.props = append(in.props, num(pReceiveMaximum, 1))
		sub := r.connect(in)
		sub.sub(r.topic("a"), qos)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: qos, payload: "unwanted"})
		p := sub.expect(tPUBLISH)
		sub.send(frame(kind<<4, u16(p.id), raw(0x80, 0)))
		pub.pub(publish{topic: r.topic("a"), qos: qos, payload: "next"})
		sub.get("next")
		sub.ping()
		sub.lost()
		sub = r.connect(in)
		pub.pub(publish{topic: r.topic("a"), qos: qos, payload: "last"})
		sub.get("last")
		r.goodbye(sub)
	}
}

// orderRules are about the order of messages: section 4.6.
var orderRules = []rule{
	{v311: "MQTT-4.6.0-6", v5: "MQTT-4.6.0-5", name: "QoS 0 in order", run: inOrder(0)},
	{v311: "MQTT-4.6.0-5", v5: "MQTT-4.6.0-6", name: "QoS 1 in order", run: inOrder(1)},
	{v311: "MQTT-4.6.0-6", v5: "MQTT-4.6.0-5", name: "QoS 2 in order", run: inOrder(2)},
	{v311: "MQTT-4.6.0-1", v5: "MQTT-4.6.0-6", name: "again in the first order", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 2)
		pub := r.client()
		for i := range 9 {
			pub.pub(publish{topic: r.topic("a"), qos: byte(1 + i%2), payload: fmt.Sprint(i)})
			sub.expect(tPUBLISH)
		}
		sub.lost()
		sub = r.connect(r.resumable("s"))
		for i := range 9 {
			is(r, "payload", sub.expect(tPUBLISH).payload, fmt.Sprint(i))
		}
		r.goodbye(sub)
	}},
	{v311: "MQTT-4.6.0-6", v5: "MQTT-4.6.0-5", name: "what waited comes before what is new", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 1)
		sub.leave(0)
		pub := r.client()
		for i := range 30 {
			pub.pub(publish{topic: r.topic("a"), qos: 1, payload: fmt.Sprint(i)})
		}
		sub = r.connect(r.resumable("s"))
		for i := range 30 {
			pub.pub(publish{topic: r.topic("a"), qos: 1, payload: fmt.Sprint(30 + i)})
			sub.get(fmt.Sprint(i))
		}
		for i := range 30 {
			sub.get(fmt.Sprint(30 + i))
		}
		r.goodbye(sub)
	}},
	{v311: "MQTT-4.6.0-2", v5: "MQTT-4.3.2-4", name: "PUBACKs in the order of the messages", run: ackOrder(1, tPUBACK)},
	{v311: "MQTT-4.6.0-3", v5: "MQTT-4.3.3-8", name: "PUBRECs in the order of the messages", run: ackOrder(2, tPUBREC)},
	{v311: "MQTT-4.6.0-4", v5: "MQTT-4.3.3-4", name: "PUBRELs in the order of the PUBRECs", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 2)
		var recs []byte
		var ids []int
		for range 10 {
			pub.pub(publish{topic: r.topic("a"), qos: 2})
			ids = append(ids, sub.expect(tPUBLISH).id)
			recs = append(ack(tPUBREC, ids[len(ids)-1]), recs...)
		}
		sub.send(recs) // the last message's first
		for i := range ids {
			sub.acked(tPUBREL, ids[len(ids)-1-i])
		}
	}},
}

func ackOrder(qos, kind byte) func(r *run) {
	return func(r *run) {
		pub := r.client()
		var packets []byte
		for id := 20; id >= 1; id-- {
			packets = append(packets, publish{topic: r.topic("a"), qos: qos, id: id}.encode(r.version)...)
		}
		pub.send(packets)
		for id := 20; id >= 1; id-- {
			pub.acked(kind, id)
		}
	}
}

func inOrder(qos byte) func(r *run) {
	return func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("+"), qos)
		for i := range 40 {
			pub.pub(publish{topic: r.topic(fmt.Sprint(i % 3)), qos: qos, payload: fmt.Sprint(i)})
		}
		for i := range 40 {
			sub.get(fmt.Sprint(i))
		}
	}
}
