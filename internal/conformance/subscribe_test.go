package conformance_test

import "fmt"

// subscribeRules are about SUBSCRIBE and SUBACK: sections 3.8 and 3.9.
var subscribeRules = []rule{
	{v31: "3.1 §3.9", v311: "MQTT-3.8.4-1", v5: "MQTT-3.8.4-1", name: "SUBSCRIBE is answered", run: func(r *run) {
		is(r, "code", r.client().sub(r.topic("a"), 0), 0)
	}},
	{v311: "MQTT-2.3.1-7", v5: "MQTT-2.2.1-6", name: "by its packet identifier", run: packetIdentifiers},
	{v311: "MQTT-3.8.4-2", v5: "MQTT-3.8.4-2", name: "by its packet identifier, at the bounds", run: packetIdentifiers},
	{v311: "MQTT-3.9.3-1", v5: "MQTT-3.9.3-1", name: "codes in the order of the filters", run: func(r *run) {
		p := r.client().subscribe(nil, filter{r.topic("a"), 2}, filter{r.topic("b"), 0}, filter{r.topic("c"), 1})
		is(r, "codes", string(p.codes), "\x02\x00\x01")
	}},
	{v311: "MQTT-3.9.3-2", v5: "MQTT-3.9.3-2", name: "a refused filter among others", fanfare: true, run: func(r *run) {
		p := r.client().subscribe(nil, filter{r.topic("a"), 1}, filter{"globex/x", 1}, filter{r.topic("c"), 2})
		is(r, "codes", string(p.codes), string([]byte{1, r.denied(), 2}))
	}},
	{v311: "MQTT-3.8.4-5", v5: "MQTT-3.8.4-6", name: "a code for each of many filters", run: func(r *run) {
		var filters []filter
		for i := range 50 {
			filters = append(filters, filter{r.topic(fmt.Sprint(i)), byte(i % 3)})
		}
		for i, code := range r.client().subscribe(nil, filters...).codes {
			is(r, "code", code, byte(i%3))
		}
	}},
	{v311: "MQTT-3.8.4-4", v5: "MQTT-3.8.4-5", name: "several filters are several SUBSCRIBEs", run: func(r *run) {
		c := r.client()
		c.subscribe(nil, filter{r.topic("a"), 0}, filter{r.topic("b"), 1})
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), payload: "a"})
		c.get("a")
		pub.pub(publish{topic: r.topic("b"), qos: 1, payload: "b"})
		c.get("b")
	}},
	{v31: "3.1 §3.9", v311: "MQTT-3.8.4-5", v5: "MQTT-3.8.4-7", name: "the granted QoS", run: func(r *run) {
		c := r.client()
		for qos := range byte(3) {
			is(r, "granted", c.sub(r.topic("a"), qos), qos)
		}
	}},
	{v31: "3.1 §4.1", v311: "MQTT-3.8.4-6", v5: "MQTT-3.8.4-8", name: "the lower QoS of message and subscription", run: func(r *run) {
		sub, pub := r.client(), r.client()
		for granted := range byte(3) {
			topic := r.topic(fmt.Sprint(granted))
			sub.sub(topic, granted)
			for qos := range byte(3) {
				text := fmt.Sprint(granted, qos)
				pub.pub(publish{topic: topic, qos: qos, payload: text})
				is(r, "QoS of "+text, sub.get(text).qos, min(granted, qos))
			}
		}
	}},
	{v311: "MQTT-3.8.4-3", v5: "MQTT-3.8.4-3", name: "the same filter again takes the first one's place", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 2)
		sub.sub(r.topic("a"), 0)
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		is(r, "QoS", sub.get("x").qos, 0)
		sub.sub(r.topic("a"), 1)
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "y"})
		is(r, "QoS", sub.get("y").qos, 1)
		sub.ping()
	}},
	{v5: "MQTT-3.8.4-4", name: "no message is lost when a subscription is replaced", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 1)
		for i := range 20 {
			pub.send(publish{topic: r.topic("a"), qos: 1, id: i + 1, payload: fmt.Sprint(i)}.encode(r.version))
			if i == 10 {
				sub.sub(r.topic("a"), 1)
			}
		}
		for i := range 20 {
			sub.get(fmt.Sprint(i))
		}
	}},
	{v311: "MQTT-3.3.5-1", v5: "MQTT-3.3.4-2", name: "overlapping filters: the highest QoS", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.subscribe(nil, filter{r.topic("#"), 0}, filter{r.topic("+"), 2}, filter{r.topic("a"), 1})
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
		is(r, "QoS", sub.get("x").qos, 2)
		pub.pub(publish{topic: r.topic("a/b"), qos: 2, payload: "y"})
		is(r, "QoS", sub.get("y").qos, 0)
	}},
	{v311: "MQTT-3.8.3-2", v5: "3.8.3", name: "wildcards are supported", run: func(r *run) {
		c := r.client()
		is(r, "#", c.sub(r.topic("#"), 0), 0)
		is(r, "+", c.sub(r.topic("+/a"), 0), 0)
	}},
}

func packetIdentifiers(r *run) {
	c := r.client()
	for _, id := range []int{1, 256, 65535} {
		c.send(subscribe(r.version, id, nil, filter{r.topic("a"), 0}))
		is(r, "SUBACK", c.expect(tSUBACK).id, id)
		c.send(unsubscribe(r.version, id, r.topic("a")))
		is(r, "UNSUBACK", c.expect(tUNSUBACK).id, id)
	}
}

// unsubscribeRules are about UNSUBSCRIBE: sections 3.10 and 3.11.
var unsubscribeRules = []rule{
	{v31: "3.1 §3.10", v311: "MQTT-3.10.4-2", v5: "MQTT-3.10.4-2", name: "no new message after UNSUBACK", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.subscribe(nil, filter{r.topic("a"), 1}, filter{r.topic("b"), 1})
		sub.unsub(r.topic("a"))
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "unwanted"})
		pub.pub(publish{topic: r.topic("b"), qos: 1, payload: "marker"})
		sub.get("marker")
	}},
	{v311: "MQTT-3.10.4-4", v5: "MQTT-3.10.4-4", name: "UNSUBSCRIBE is answered", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 0)
		p := c.unsub(r.topic("a"))
		if r.version == v5 {
			is(r, "codes", string(p.codes), "\x00")
		}
	}},
	{v31: "3.1 §3.11", v311: "MQTT-3.10.4-5", v5: "MQTT-3.10.4-5", name: "also for what was never subscribed", run: func(r *run) {
		p := r.client().unsub(r.topic("a"))
		if r.version == v5 {
			is(r, "codes", string(p.codes), "\x11")
		}
	}},
	{v311: "MQTT-3.10.4-1", v5: "MQTT-3.10.4-1", name: "filters are compared letter by letter", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a/b"), 0)
		sub.unsub(r.topic("a/+"), r.topic("#"), r.topic("A/b"))
		pub.pub(publish{topic: r.topic("a/b"), payload: "x"})
		sub.get("x")
	}},
	{v311: "MQTT-3.10.4-6", v5: "MQTT-3.10.4-6", name: "several filters in one UNSUBSCRIBE", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.subscribe(nil, filter{r.topic("a"), 0}, filter{r.topic("b"), 0}, filter{r.topic("c"), 0})
		sub.unsub(r.topic("a"), r.topic("c"))
		for _, name := range []string{"a", "c", "b"} {
			pub.pub(publish{topic: r.topic(name), payload: name})
		}
		sub.get("b")
	}},
	{v5: "MQTT-3.11.3-1", name: "codes in the order of the filters", run: func(r *run) {
		c := r.client()
		c.subscribe(nil, filter{r.topic("a"), 0}, filter{r.topic("c"), 0})
		is(r, "codes", string(c.unsub(r.topic("a"), r.topic("b"), r.topic("c")).codes), "\x00\x11\x00")
	}},
	{v5: "MQTT-3.11.3-2", name: "a code of its own for each filter", run: func(r *run) {
		is(r, "codes", len(r.client().unsub(r.topic("a"), r.topic("a"), r.topic("b")).codes), 3)
	}},
	{v311: "MQTT-3.10.4-3", v5: "MQTT-3.10.4-3", name: "what was begun is finished", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 2)
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
		p := sub.expect(tPUBLISH)
		sub.unsub(r.topic("a"))
		sub.finish(p)
		sub.ping()
	}},
}

// matches are filters, topics, and whether they match: section 4.7.
var matches = []struct {
	filter, topic string
	match         bool
}{
	{"sport/tennis/#", "sport/tennis", true},
	{"sport/tennis/#", "sport/tennis/player1", true},
	{"sport/tennis/#", "sport/tennis/player1/ranking/x", true},
	{"sport/tennis/#", "sport/tennisx", false},
	{"sport/+", "sport", false},
	{"sport/+", "sport/", true},
	{"sport/+", "sport/a", true},
	{"sport/+", "sport/a/b", false},
	{"+/+", "/finance", true},
	{"/+", "/finance", true},
	{"+", "/finance", false},
	{"+/a/+", "x/a/y", true},
	{"+/a/+", "x/b/y", false},
	{"a/+/c/#", "a/b/c", true},
	{"a/+/c/#", "a//c/d", true},
	{"a", "A", false},
	{"a", "a/", false},
	{"a//b", "a/b", false},
}

// filterRules have a case for each row of matches.
var filterRules = func() []rule {
	var rules []rule
	for _, m := range matches {
		v311Clause, v5Clause := "MQTT-4.7.1-3", "MQTT-4.7.1-2"
		if m.filter[len(m.filter)-1] == '#' {
			v311Clause, v5Clause = "MQTT-4.7.1-2", "MQTT-4.7.1-1"
		}
		rules = append(rules, rule{
			v311: v311Clause, v5: v5Clause, name: fmt.Sprintf("%s matches %s: %v", m.filter, m.topic, m.match), run: func(r *run) {
				base := r.target.prefix + "/" + r.unique + "/"
				sub, pub := r.client(), r.client()
				sub.subscribe(nil, filter{base + "in/" + m.filter, 1}, filter{base + "marker", 1})
				pub.pub(publish{topic: base + "in/" + m.topic, qos: 1, payload: "x"})
				pub.pub(publish{topic: base + "marker", qos: 1, payload: "marker"})
				if m.match {
					sub.get("x")
				}
				sub.get("marker")
			},
		})
	}
	return rules
}()
