package conformance_test

import (
	"fmt"
	"time"
)

// willRules are about Will Messages: sections 3.1.2.5 and 3.1.3.2.
var willRules = []rule{
	{v31: "3.1 §3.1", v311: "MQTT-3.1.2-8", v5: "MQTT-3.1.2-8", name: "a lost connection publishes the will", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		c.lost()
		w.get("gone")
	}},
	{v5: "MQTT-3.1.2-7", name: "with the session that it belongs to", run: func(r *run) {
		w := r.watcher()
		in := r.resumable("s")
		in.will = &will{topic: r.topic("w"), payload: "gone", qos: 1}
		r.connect(in).lost()
		w.get("gone")
		r.goodbye(r.connect(r.resumable("s")))
	}},
	{v31: "3.1 §3.14", v311: "MQTT-3.14.4-3", v5: "MQTT-3.14.4-3", name: "DISCONNECT discards the will", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		c.leave(0)
		r.nothingBut(w)
	}},
	{v311: "MQTT-3.1.2-10", v5: "MQTT-3.1.2-10", name: "a will is published once", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		id := c.id
		c.lost()
		w.get("gone")
		r.connect(connect{id: id, unclean: true}).lost()
		r.nothingBut(w)
	}},
	{v311: "MQTT-3.1.2-12", v5: "MQTT-3.1.2-8", name: "no will, no message", run: func(r *run) {
		w := r.watcher()
		r.client().lost()
		r.nothingBut(w)
	}},
	{v5: "3.14.2.1", name: "DISCONNECT 0x04 publishes the will", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		c.leave(0x04)
		w.get("gone")
	}},
	{v5: "3.14.2.1", name: "so does another error of the client's", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		c.leave(0x80)
		w.get("gone")
	}},
	{v311: "MQTT-3.1.2-8", v5: "MQTT-3.1.2-8", name: "an error publishes the will", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		c.send(hx("00 00"))
		c.dropped()
		w.get("gone")
	}},
	{v311: "MQTT-3.1.2-8", v5: "MQTT-3.1.2-8", name: "so does the end of Keep Alive", run: func(r *run) {
		w := r.watcher()
		in := r.fresh()
		in.keepAlive, in.will = 1, &will{topic: r.topic("w"), payload: "gone", qos: 1}
		r.connect(in)
		w.get("gone")
	}},
	{v311: "MQTT-3.1.2-8", v5: "MQTT-3.1.2-8", name: "so does a takeover", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		r.connect(connect{id: c.id})
		c.closed(0x8e)
		w.get("gone")
	}},
	{v311: "MQTT-3.1.2-16", v5: "MQTT-3.1.2-14", name: "a will that is not retained", run: func(r *run) {
		w, c := r.willing(will{qos: 1})
		c.lost()
		w.get("gone")
		late := r.client()
		late.sub(r.topic("w"), 1)
		r.nothingBut(late)
	}},
	{v31: "3.1 §3.1", v311: "MQTT-3.1.2-17", v5: "MQTT-3.1.2-15", name: "a will that is retained", run: func(r *run) {
		w, c := r.willing(will{qos: 1, retain: true})
		c.lost()
		is(r, "RETAIN", w.get("gone").retain, false)
		late := r.client()
		late.sub(r.topic("w"), 1)
		is(r, "RETAIN", late.get("gone").retain, true)
		r.clear(r.topic("w"))
	}},
	{v311: "MQTT-3.1.2-9", v5: "MQTT-3.1.2-9", name: "a will of QoS 0", run: willQoS(0)},
	{v311: "MQTT-3.1.2-14", v5: "MQTT-3.1.2-12", name: "a will of QoS 2", run: willQoS(2)},
	{v311: "3.1.3.3", v5: "3.1.3.4", name: "an empty will", run: func(r *run) {
		w := r.watcher()
		in := r.fresh()
		in.will = &will{topic: r.topic("w"), qos: 1}
		r.connect(in).lost()
		w.get("")
	}},
	{v5: "MQTT-3.1.3-9", name: "back before the delay: no will", run: func(r *run) {
		w := r.watcher()
		in := r.resumable("s")
		in.will = r.delayed(2)
		r.connect(in).lost()
		c := r.connect(r.resumable("s"))
		r.until(2600)
		r.nothingBut(w)
		r.goodbye(c)
	}},
	{v5: "3.1.3.2.2", name: "the delay passes", run: func(r *run) {
		w := r.watcher()
		in := r.resumable("s")
		in.will = r.delayed(1)
		c := r.connect(in)
		from := time.Now()
		c.lost()
		w.get("gone")
		if after := time.Since(from); after < 900*time.Millisecond || after > 8*time.Second {
			r.Errorf("after %v, want 1 s", after)
		}
		r.goodbye(r.connect(r.resumable("s")))
	}},
	{v5: "3.1.3.2.2", name: "the session ends before the delay", run: func(r *run) {
		w := r.watcher()
		in := r.fresh()
		in.will = r.delayed(60)
		r.connect(in).lost()
		w.get("gone")
	}},
	{v5: "3.1.3.2.2", name: "a session of one second ends before the delay", run: func(r *run) {
		w := r.watcher()
		in := r.fresh()
		in.props, in.will = expiry(v5, 1), r.delayed(60)
		r.connect(in).lost()
		w.get("gone")
	}},
	{v5: "3.1.3.2.2", name: "Clean Start ends the session, so the will goes out", run: func(r *run) {
		w := r.watcher()
		in := r.resumable("s")
		in.will = r.delayed(60)
		r.connect(in).lost()
		r.connect(connect{id: in.id})
		w.get("gone")
	}},
	{v5: "MQTT-3.1.3-10", name: "all properties of a will", run: willProperties},
}

// watcher is subscribed to the case's will topic.
func (r *run) watcher() *client {
	r.Helper()
	c := r.client()
	c.sub(r.topic("w"), 2)
	return c
}

// willing is a watcher, and a client with that will.
func (r *run) willing(w will) (watcher, c *client) {
	r.Helper()
	watcher = r.watcher()
	w.topic, w.payload = r.topic("w"), "gone"
	in := r.fresh()
	in.will = &w
	return watcher, r.connect(in)
}

func (r *run) delayed(seconds int) *will {
	return &will{topic: r.topic("w"), payload: "gone", qos: 1, props: list(num(pWillDelay, seconds))}
}

// nothingBut publishes a marker to the will topic, which must be the next
// message.
func (r *run) nothingBut(c *client) {
	r.Helper()
	r.client().pub(publish{topic: r.topic("w"), qos: 1, payload: "marker"})
	c.get("marker")
}

func willQoS(qos byte) func(r *run) {
	return func(r *run) {
		w, c := r.willing(will{qos: qos})
		c.lost()
		is(r, "QoS", w.get("gone").qos, qos)
	}
}

func willProperties(r *run) {
	w, c := r.willing(will{qos: 1, props: list(
		num(pFormat, 1), num(pMessageExpiry, 100), text(pContentType, "text/plain"),
		text(pResponseTopic, r.topic("answer")), text(pCorrelation, "\x00\xff"),
		user("b", "1"), user("a", "2"), user("b", "3"),
	)})
	c.lost()
	p := w.get("gone")
	is(r, "Payload Format Indicator", number(p.props, pFormat), 1)
	if n := number(p.props, pMessageExpiry); n < 80 || n > 100 {
		r.Errorf("Message Expiry Interval %d", n)
	}
	is(r, "Content Type", value(p.props, pContentType), "text/plain")
	is(r, "Response Topic", value(p.props, pResponseTopic), r.topic("answer"))
	is(r, "Correlation Data", value(p.props, pCorrelation), "\x00\xff")
	is(r, "User Properties", fmt.Sprint(users(p)), "[b=1 a=2 b=3]")
	is(r, "Will Delay Interval", number(p.props, pWillDelay), -1)
}

// users are the User Properties, in order.
func users(p received) []string {
	var out []string
	for _, u := range all(p.props, pUser) {
		out = append(out, u.k+"="+u.s)
	}
	return out
}
