package conformance_test

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// sharedRules are about shared subscriptions: section 4.8.2. Versions before
// 5.0 have them as an extension.
var sharedRules = []rule{
	{v31: "extension", v311: "extension", v5: "4.8.2", name: "each message to one of the group, QoS 0", run: divided("$share/g/", 0)},
	{v31: "extension", v311: "extension", v5: "4.8.2", name: "each message to one of the group, QoS 1", run: divided("$share/g/", 1)},
	{v311: "extension", v5: "4.8.2", name: "each message to one of the group, QoS 2", run: divided("$share/g/", 2)},
	{v31: "extension", v311: "extension", v5: "extension", name: "$queue, QoS 0", fanfare: true, run: divided("$queue/", 0)},
	{v311: "extension", v5: "extension", name: "$queue, QoS 1", fanfare: true, run: divided("$queue/", 1)},
	{v5: "MQTT-4.8.2-3", name: "the granted QoS", run: func(r *run) {
		c := r.client()
		c.sub("$share/g/"+r.topic("a"), 1)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
		is(r, "QoS", c.get("x").qos, 1)
		pub.pub(publish{topic: r.topic("a"), qos: 0, payload: "y"})
		is(r, "QoS", c.get("y").qos, 0)
	}},
	{v5: "4.8.2", name: "two groups and a subscriber of its own", run: func(r *run) {
		one, two, own := r.client(), r.client(), r.client()
		one.sub("$share/g/"+r.topic("a"), 1)
		two.sub("$share/h/"+r.topic("+"), 1)
		own.sub(r.topic("a"), 1)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		for _, c := range []*client{one, two, own} {
			c.get("x")
		}
	}},
	{v5: "MQTT-4.8.2-1", name: "$share without a name", run: badShare("$share//", "a")},
	{v5: "MQTT-4.8.2-2", name: "$share without a filter", run: badShare("$share/g", "")},
	{v5: "MQTT-4.8.2-2", name: "+ in a share's name", run: badShare("$share/g+/", "a")},
	{v5: "MQTT-4.8.2-2", name: "# in a share's name", run: badShare("$share/#/", "a")},
	{v311: "extension", v5: "4.8.2", name: "UNSUBSCRIBE of a share", run: func(r *run) {
		one, two := r.client(), r.client()
		one.sub("$share/g/"+r.topic("a"), 1)
		two.sub("$share/g/"+r.topic("a"), 1)
		two.unsub("$share/g/" + r.topic("a"))
		pub := r.client()
		for i := range 5 {
			pub.pub(publish{topic: r.topic("a"), qos: 1, payload: fmt.Sprint(i)})
			one.get(fmt.Sprint(i))
		}
	}},
	{v311: "extension", v5: "4.8.2", name: "who is gone gets no share", run: func(r *run) {
		one, two := r.client(), r.client()
		one.sub("$share/g/"+r.topic("a"), 1)
		two.sub("$share/g/"+r.topic("a"), 1)
		two.leave(0)
		pub := r.client()
		for i := range 5 {
			pub.pub(publish{topic: r.topic("a"), qos: 1, payload: fmt.Sprint(i)})
			one.get(fmt.Sprint(i))
		}
	}},
	{v5: "MQTT-4.8.2-4", name: "QoS 2 begun with one is finished with it", run: func(r *run) {
		one := r.connect(r.resumable("s"))
		one.sub("$share/g/"+r.topic("a"), 2)
		r.client().pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
		p := one.expect(tPUBLISH)
		two := r.client()
		two.sub("$share/g/"+r.topic("a"), 2)
		one.lost()
		one = r.connect(r.resumable("s"))
		again := one.get("x")
		is(r, "packet identifier", again.id, p.id)
		is(r, "DUP", again.dup, true)
		two.ping()
		r.goodbye(one)
	}},
	{v5: "MQTT-4.8.2-5", name: "QoS 2 begun with a session that ends goes to nobody else", run: func(r *run) {
		one, two := r.client(), r.client()
		one.sub("$share/g/"+r.topic("a"), 2)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
		one.expect(tPUBLISH)
		two.sub("$share/g/"+r.topic("a"), 2)
		one.lost()
		two.sub(r.topic("a"), 2)
		pub.pub(publish{topic: r.topic("a"), qos: 0, payload: "marker"})
		is(r, "payload", two.expect(tPUBLISH).payload, "marker")
	}},
	{v5: "MQTT-4.8.2-6", name: "what a member refuses goes to nobody else", run: func(r *run) {
		one := r.client()
		one.sub("$share/g/"+r.topic("a"), 1)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		p := one.expect(tPUBLISH)
		two := r.client()
		two.sub("$share/g/"+r.topic("a"), 1)
		one.send(frame(tPUBACK<<4, u16(p.id), raw(0x80, 0)))
		one.ping()
		r.until(500)
		two.ping()
	}},
	{v5: "4.8.2", name: "a share has Subscription Identifiers", run: func(r *run) {
		c := r.client()
		c.sub("$share/g/"+r.topic("a"), 1, num(pSubscriptionID, 5))
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		is(r, "identifiers", fmt.Sprint(identifiers(c.get("x"))), "[5]")
	}},
}

// divided publishes to a group of two and counts: each message must reach one
// of them, and each member get something.
func divided(prefix string, qos byte) func(r *run) {
	return func(r *run) {
		one, two, pub := r.client(), r.client(), r.client()
		is(r, "SUBACK", one.sub(prefix+r.topic("#"), qos), qos)
		is(r, "SUBACK", two.sub(prefix+r.topic("#"), qos), qos)
		const n = 40
		for i := range n {
			pub.pub(publish{topic: r.topic("a"), qos: qos, payload: fmt.Sprint(i)})
		}
		seen, shares := map[string]int{}, map[*client]int{}
		deadline := time.Now().Add(patience)
		for len(seen) < n && time.Now().Before(deadline) {
			for _, c := range []*client{one, two} {
				if p, ok := r.soon(c); ok {
					seen[p.payload]++
					shares[c]++
				}
			}
		}
		for i := range n {
			is(r, fmt.Sprint("copies of ", i), seen[fmt.Sprint(i)], 1)
		}
		if shares[one] == 0 || shares[two] == 0 {
			r.Errorf("shares %d and %d", shares[one], shares[two])
		}
	}
}

// soon takes a message if one comes at once.
func (r *run) soon(c *client) (received, bool) {
	r.Helper()
	p, err := c.next(100 * time.Millisecond)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return p, false
	}
	if err != nil || p.kind != tPUBLISH {
		r.Fatalf("got %v (%v), want a message", p, err)
	}
	c.finish(p)
	return p, true
}

func badShare(prefix, name string) func(r *run) {
	return func(r *run) {
		c := r.client()
		full := prefix
		if name != "" {
			full += r.topic(name)
		}
		c.send(subscribe(v5, 1, nil, filter{full, 0}))
		p, err := c.next(patience)
		refused := err == nil && (p.kind == tSUBACK && p.codes[0] >= 0x80 || p.kind == tDISCONNECT && p.code >= 0x80)
		if !refused {
			r.Errorf("got %v (%v), want a refusal", p, err)
		}
	}
}
