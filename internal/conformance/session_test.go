package conformance_test

import "time"

// sessionRules are about the life of sessions: sections 3.1.2.4, 3.1.2.11.2, 4.1.
var sessionRules = []rule{
	{v311: "MQTT-3.2.2-3", v5: "MQTT-3.1.2-6", name: "a first session is not present", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		is(r, "Session Present", c.connack.present, false)
		r.goodbye(c)
	}},
	{v311: "MQTT-3.2.2-2", v5: "MQTT-3.2.2-3", name: "a kept session is present", run: func(r *run) {
		r.connect(r.resumable("s")).leave(0)
		c := r.connect(r.resumable("s"))
		is(r, "Session Present", c.connack.present, true)
		r.goodbye(c)
	}},
	{v31: "3.1 §3.1", v311: "MQTT-3.1.2-4", v5: "MQTT-3.1.2-5", name: "subscriptions are resumed", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.sub(r.topic("a"), 1)
		c.leave(0)
		c = r.connect(r.resumable("s"))
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		c.get("x")
		r.goodbye(c)
	}},
	{v31: "3.1 §3.1", v311: "MQTT-3.1.2-6", v5: "MQTT-3.1.2-4", name: "a clean session discards the old one", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.sub(r.topic("a"), 1)
		c.leave(0)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "old"})
		c = r.connect(connect{id: r.id("s")})
		c.sub(r.topic("marker"), 1)
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "unwanted"})
		pub.pub(publish{topic: r.topic("marker"), qos: 1, payload: "marker"})
		c.get("marker")
	}},
	{v311: "MQTT-3.1.4-3", v5: "MQTT-3.1.4-4", name: "a clean session leaves nothing", run: func(r *run) {
		r.connect(connect{id: r.id("s")}).leave(0)
		c := r.connect(r.resumable("s"))
		is(r, "Session Present", c.connack.present, false)
		r.goodbye(c)
	}},
	{v311: "MQTT-3.1.2-5", v5: "MQTT-3.1.2-23", name: "the session keeps what comes while its client is away", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.sub(r.topic("a"), 2)
		c.lost()
		pub := r.client()
		for _, text := range []string{"one", "two", "three"} {
			pub.pub(publish{topic: r.topic("a"), qos: 2, payload: text})
		}
		c = r.connect(r.resumable("s"))
		for _, text := range []string{"one", "two", "three"} {
			c.get(text)
		}
		r.goodbye(c)
	}},
	{v311: "MQTT-4.1.0-2", v5: "MQTT-4.1.0-2", name: "the session ends in its time", run: sessionEnds},
	{v5: "3.1.2.11.2", name: "without an interval the session ends with its connection", run: func(r *run) {
		r.connect(connect{id: r.id("s"), unclean: true}).leave(0)
		is(r, "Session Present", r.connect(connect{id: r.id("s"), unclean: true}).connack.present, false)
	}},
	{v5: "3.1.2.11.2", name: "Clean Start 1 with an interval: the session stays", run: func(r *run) {
		r.connect(connect{id: r.id("s"), props: expiry(v5, 60)}).leave(0)
		c := r.connect(r.resumable("s"))
		is(r, "Session Present", c.connack.present, true)
		r.goodbye(c)
	}},
	{v5: "3.14.2.2.2", name: "DISCONNECT ends the session", run: func(r *run) {
		r.connect(r.resumable("s")).leave(0, num(pSessionExpiry, 0))
		is(r, "Session Present", r.connect(connect{id: r.id("s"), unclean: true}).connack.present, false)
	}},
	{v5: "3.14.2.2.2", name: "DISCONNECT makes the session longer", run: func(r *run) {
		r.connect(connect{id: r.id("s"), props: expiry(v5, 1)}).leave(0, num(pSessionExpiry, 60))
		r.until(2200)
		c := r.connect(r.resumable("s"))
		is(r, "Session Present", c.connack.present, true)
		r.goodbye(c)
	}},
	{v5: "3.1.2.11.2", name: "a resume has an interval of its own", run: func(r *run) {
		r.connect(r.resumable("s")).leave(0)
		r.connect(connect{id: r.id("s"), unclean: true}).leave(0)
		is(r, "Session Present", r.connect(connect{id: r.id("s"), unclean: true}).connack.present, false)
	}},
	{v5: "MQTT-3.14.2-2", name: "the server's DISCONNECT has no Session Expiry Interval", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.send(hx("00 00"))
		if p, err := c.next(patience); err == nil {
			is(r, "Session Expiry Interval", number(p.props, pSessionExpiry), -1)
		}
		r.goodbye(r.connect(r.resumable("s")))
	}},
}

// sessionEnds lets a session expire; before MQTT 5.0 only a clean session
// does, and at once.
func sessionEnds(r *run) {
	in := connect{id: r.id("s")}
	if r.version == v5 {
		in.props = expiry(v5, 1)
	}
	r.connect(in).leave(0)
	if r.version == v5 {
		// The bound is the next whole second, and a server may be lazy: it is
		// asked again, with sessions that it must not keep.
		r.until(1500)
	}
	deadline := time.Now().Add(patience)
	again := r.resumable("s")
	for r.connect(again).connack.present {
		if time.Now().After(deadline) || r.version < v5 {
			r.Fatal("the session is still present")
		}
		r.connect(connect{id: r.id("s"), unclean: true, props: expiry(v5, 1)}).leave(0)
		r.until(1500)
	}
}

// resumeRules are about what a resume must not forget.
var resumeRules = []rule{
	{v5: "MQTT-3.1.2-5", name: "options are resumed", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.sub(r.topic("a"), 1|noLocal|asPublished)
		c.leave(0)
		c = r.connect(r.resumable("s"))
		c.pub(publish{topic: r.topic("a"), qos: 1, payload: "own"})
		r.client().pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "other's"})
		is(r, "RETAIN", c.get("other's").retain, true)
		r.clear(r.topic("a"))
		r.goodbye(c)
	}},
	{v311: "MQTT-3.1.2-4", v5: "MQTT-3.1.2-5", name: "UNSUBSCRIBE is not forgotten", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.subscribe(nil, filter{r.topic("a"), 1}, filter{r.topic("b"), 1})
		c.unsub(r.topic("a"))
		c.leave(0)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "unwanted"})
		pub.pub(publish{topic: r.topic("b"), qos: 1, payload: "b"})
		c = r.connect(r.resumable("s"))
		c.get("b")
		r.goodbye(c)
	}},
	{v311: "MQTT-3.1.2-4", v5: "MQTT-3.1.2-5", name: "retained messages do not come again at a resume", run: func(r *run) {
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "kept"})
		c := r.connect(r.resumable("s"))
		c.sub(r.topic("a"), 1)
		c.get("kept")
		c.leave(0)
		c = r.connect(r.resumable("s"))
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "marker"})
		c.get("marker")
		r.clear(r.topic("a"))
		r.goodbye(c)
	}},
	{v311: "MQTT-3.1.2-7", v5: "MQTT-4.1.0-2", name: "retained messages are not part of a session", run: func(r *run) {
		c := r.client()
		c.pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "kept"})
		c.leave(0)
		sub := r.client()
		sub.sub(r.topic("a"), 1)
		sub.get("kept")
		r.clear(r.topic("a"))
	}},
	{v5: "4.1", name: "a session moves between the versions' ways of asking", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.sub(r.topic("a"), 2)
		c.lost()
		r.client().pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
		old := connect{id: r.id("s"), version: v311, unclean: true}
		c = r.connect(old)
		is(r, "Session Present", c.connack.present, true)
		c.get("x")
		c.lost()
		r.goodbye(r.connect(r.resumable("s")))
	}},
}

// takeoverRules are about two connections of one client: section 3.1.4.
var takeoverRules = []rule{
	{v31: "3.1 §3.1", v311: "MQTT-3.1.4-2", v5: "MQTT-3.1.4-3", name: "the older connection ends", run: func(r *run) {
		one := r.connect(connect{id: r.id("s")})
		two := r.connect(connect{id: r.id("s")})
		one.closed(0x8e)
		two.ping()
	}},
	{v311: "MQTT-3.1.4-2", v5: "MQTT-3.1.4-3", name: "the newer one has the session", run: func(r *run) {
		one := r.connect(r.resumable("s"))
		one.sub(r.topic("a"), 1)
		two := r.connect(r.resumable("s"))
		is(r, "Session Present", two.connack.present, true)
		one.closed(0x8e)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		two.get("x")
		r.goodbye(two)
	}},
	{v311: "MQTT-3.1.4-2", v5: "MQTT-3.1.4-3", name: "five times in a row", run: func(r *run) {
		last := r.connect(connect{id: r.id("s")})
		for range 5 {
			next := r.connect(connect{id: r.id("s")})
			last.closed(0x8e)
			last = next
		}
		last.ping()
	}},
	{v311: "MQTT-3.1.4-2", v5: "MQTT-3.1.4-3", name: "another user's client of that name is another", fanfare: true, run: func(r *run) {
		mine := r.connect(connect{id: r.id("s")})
		other := r.connect(connect{id: r.id("s"), password: r.tokenOf("bob", time.Hour)})
		mine.ping()
		other.ping()
	}},
}
