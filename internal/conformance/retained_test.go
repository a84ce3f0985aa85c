package conformance_test

import "fmt"

// retainedRules are about retained messages: section 3.3.1.3.
var retainedRules = []rule{
	{v31: "3.1 §3.3", v311: "MQTT-3.3.1-6", v5: "MQTT-3.3.1-9", name: "a new subscription gets the retained message", run: func(r *run) {
		r.keep("kept", 1)
		c := r.client()
		c.sub(r.topic("a"), 1)
		c.get("kept")
		r.clear(r.topic("a"))
	}},
	{v311: "MQTT-3.3.1-8", v5: "3.3.1.3", name: "with RETAIN 1", run: func(r *run) {
		r.keep("kept", 1)
		c := r.client()
		c.sub(r.topic("a"), 1)
		is(r, "RETAIN", c.get("kept").retain, true)
		r.clear(r.topic("a"))
	}},
	{v311: "MQTT-3.3.1-9", v5: "MQTT-3.3.1-12", name: "a standing subscription gets it with RETAIN 0", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 1)
		r.keep("kept", 1)
		is(r, "RETAIN", c.get("kept").retain, false)
		r.clear(r.topic("a"))
	}},
	{v311: "MQTT-3.3.1-5", v5: "MQTT-3.3.1-5", name: "the last one replaces those before", run: func(r *run) {
		r.keep("one", 1)
		r.keep("two", 2)
		r.only("two")
		r.clear(r.topic("a"))
	}},
	{v311: "MQTT-3.3.1-7", v5: "MQTT-3.3.1-5", name: "QoS 0 replaces QoS 1", run: func(r *run) {
		r.keep("one", 1)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), retain: true, payload: "two"})
		pub.ping()
		// The server takes QoS 0 as it comes: it is asked until it has.
		for range 100 {
			c := r.client()
			c.sub(r.topic("a"), 1)
			if c.expect(tPUBLISH).payload == "two" {
				r.clear(r.topic("a"))
				return
			}
			r.until(50)
		}
		r.Error("the older message stays")
	}},
	{v31: "3.1 §3.3", v311: "MQTT-3.3.1-10", v5: "MQTT-3.3.1-6", name: "an empty payload removes it", run: func(r *run) {
		r.keep("kept", 1)
		r.clear(r.topic("a"))
		r.only("")
	}},
	{v311: "MQTT-3.3.1-10", v5: "MQTT-3.3.1-6", name: "and is a message like others", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 1)
		r.clear(r.topic("a"))
		c.get("")
	}},
	{v311: "MQTT-3.3.1-11", v5: "MQTT-3.3.1-7", name: "an empty payload is not kept", run: func(r *run) {
		r.clear(r.topic("a"))
		r.only("")
	}},
	{v311: "MQTT-3.3.1-12", v5: "MQTT-3.3.1-8", name: "RETAIN 0 keeps nothing", run: func(r *run) {
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "passing"})
		r.only("")
	}},
	{v311: "MQTT-3.3.1-12", v5: "MQTT-3.3.1-8", name: "RETAIN 0 replaces nothing", run: func(r *run) {
		r.keep("kept", 1)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "passing"})
		r.client().pub(publish{topic: r.topic("a"), qos: 1})
		r.only("kept")
		r.clear(r.topic("a"))
	}},
	{v311: "MQTT-3.3.1-6", v5: "MQTT-3.3.1-9", name: "all that a wildcard matches", run: wildcardRetained},
	{v311: "MQTT-3.8.4-3", v5: "MQTT-3.8.4-4", name: "the same SUBSCRIBE again gets it again", run: func(r *run) {
		r.keep("kept", 1)
		c := r.client()
		for range 3 {
			c.sub(r.topic("a"), 1)
			c.get("kept")
		}
		r.clear(r.topic("a"))
	}},
	{v311: "MQTT-3.8.4-6", v5: "MQTT-3.8.4-8", name: "with the lower QoS", run: func(r *run) {
		r.keep("kept", 2)
		for qos := range byte(3) {
			c := r.client()
			c.sub(r.topic("a"), qos)
			is(r, "QoS", c.get("kept").qos, qos)
		}
		r.clear(r.topic("a"))
	}},
	{v5: "MQTT-3.3.2-5", name: "a retained message expires", run: func(r *run) {
		r.client().pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "kept", props: list(num(pMessageExpiry, 1))})
		r.until(2200)
		r.only("")
	}},
	{v5: "MQTT-3.3.2-6", name: "and tells the time that is left", run: func(r *run) {
		r.client().pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "kept", props: list(num(pMessageExpiry, 50))})
		r.until(1200)
		c := r.client()
		c.sub(r.topic("a"), 1)
		if n := number(c.get("kept").props, pMessageExpiry); n < 30 || n > 49 {
			r.Errorf("Message Expiry Interval %d, want less than 50", n)
		}
		r.clear(r.topic("a"))
	}},
	{v5: "MQTT-3.3.2-17", name: "a retained message keeps its properties", run: func(r *run) {
		r.client().pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "kept", props: list(
			text(pContentType, "x/y"), user("a", "1"), user("a", "2"),
		)})
		c := r.client()
		c.sub(r.topic("a"), 1)
		p := c.get("kept")
		is(r, "Content Type", value(p.props, pContentType), "x/y")
		is(r, "User Properties", fmt.Sprint(users(p)), "[a=1 a=2]")
		r.clear(r.topic("a"))
	}},
	{v5: "4.8.2", name: "a shared subscription gets no retained messages", run: func(r *run) {
		r.keep("kept", 1)
		c := r.client()
		c.sub("$share/g/"+r.topic("a"), 1)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "live"})
		c.get("live")
		r.clear(r.topic("a"))
	}},
}

// keep publishes a retained message to a.
func (r *run) keep(payload string, qos byte) {
	r.Helper()
	r.client().pub(publish{topic: r.topic("a"), qos: qos, retain: true, payload: payload})
}

// only subscribes to a: that retained message must come and no other, or none.
func (r *run) only(payload string) {
	r.Helper()
	c := r.client()
	c.sub(r.topic("a"), 1)
	if payload != "" {
		c.get(payload)
	}
	r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "marker"})
	c.get("marker")
}

func wildcardRetained(r *run) {
	pub := r.client()
	for i := range 30 {
		pub.pub(publish{topic: r.topic(fmt.Sprintf("a/%d/b", i)), qos: 1, retain: true, payload: fmt.Sprint(i)})
	}
	pub.pub(publish{topic: r.topic("a/x"), qos: 1, retain: true, payload: "other"})
	c := r.client()
	c.sub(r.topic("a/+/b"), 1)
	seen := map[string]bool{}
	for range 30 {
		p := c.expect(tPUBLISH)
		c.finish(p)
		if !p.retain {
			r.Errorf("%s has no RETAIN", p.topic)
		}
		seen[p.payload] = true
	}
	is(r, "retained messages", len(seen), 30)
	c.ping()
	for i := range 30 {
		pub.pub(publish{topic: r.topic(fmt.Sprintf("a/%d/b", i)), qos: 1, retain: true})
	}
	r.clear(r.topic("a/x"))
}
