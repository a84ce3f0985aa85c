package conformance_test

import "fmt"

// aliasRules are about topic aliases: section 3.3.2.3.4.
var aliasRules = []rule{
	{v5: "MQTT-3.3.2-12", name: "a client's alias", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 1)
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "set", props: list(num(pTopicAlias, 1))})
		pub.pub(publish{qos: 1, payload: "use", props: list(num(pTopicAlias, 1))})
		is(r, "topic", sub.get("set").topic, r.topic("a"))
		is(r, "topic", sub.get("use").topic, r.topic("a"))
	}},
	{v5: "MQTT-3.3.2-12", name: "every alias up to the maximum", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("+"), 1)
		most := min(number(pub.connack.props, pTopicAliasMax), 200)
		for i := 1; i <= most; i++ {
			pub.pub(publish{topic: r.topic(fmt.Sprint(i)), qos: 1, payload: "set", props: list(num(pTopicAlias, i))})
			sub.get("set")
		}
		for i := 1; i <= most; i++ {
			pub.pub(publish{qos: 1, payload: "use", props: list(num(pTopicAlias, i))})
			is(r, "topic", sub.get("use").topic, r.topic(fmt.Sprint(i)))
		}
	}},
	{v5: "3.3.2.3.4", name: "an alias is set anew", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("+"), 1)
		for _, name := range []string{"a", "b"} {
			pub.pub(publish{topic: r.topic(name), qos: 1, payload: name, props: list(num(pTopicAlias, 1))})
			sub.get(name)
			pub.pub(publish{qos: 1, payload: name, props: list(num(pTopicAlias, 1))})
			is(r, "topic", sub.get(name).topic, r.topic(name))
		}
	}},
	{v5: "MQTT-3.3.2-9", name: "an alias beyond the maximum", run: func(r *run) {
		c := r.client()
		n := max(number(c.connack.props, pTopicAliasMax), 0)
		if n == 65535 {
			return
		}
		c.send(publish{topic: r.topic("a"), props: list(num(pTopicAlias, n+1))}.encode(v5))
		c.closed(0x94)
	}},
	{v5: "MQTT-3.2.2-18", name: "an alias that was never set", run: func(r *run) {
		c := r.client()
		c.send(publish{props: list(num(pTopicAlias, 1))}.encode(v5))
		c.closed(0x82, 0x94)
	}},
	{v5: "MQTT-3.3.2-7", name: "aliases end with the connection", run: func(r *run) {
		c := r.connect(r.resumable("s"))
		c.pub(publish{topic: r.topic("a"), qos: 1, props: list(num(pTopicAlias, 1))})
		c.lost()
		c = r.connect(r.resumable("s"))
		c.send(publish{qos: 1, id: 9, props: list(num(pTopicAlias, 1))}.encode(v5))
		c.closed(0x82, 0x94)
		r.goodbye(r.connect(r.resumable("s")))
	}},
	{v5: "MQTT-3.1.2-27", name: "no alias to who wants none", run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 1)
		for range 5 {
			pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
			p := sub.get("x")
			is(r, "topic", p.topic, r.topic("a"))
			is(r, "Topic Alias", number(p.props, pTopicAlias), -1)
		}
	}},
	{v5: "MQTT-3.1.2-26", name: "aliases to the client are within its maximum", run: func(r *run) {
		names, used := serverAliases(r, 2, 5)
		is(r, "messages", names, 15)
		if r.target.fanfare != nil && used == 0 {
			r.Error("no alias is used")
		}
	}},
	{v5: "MQTT-3.3.2-11", name: "aliases to the client, one topic", run: func(r *run) {
		_, used := serverAliases(r, 1, 1)
		if r.target.fanfare != nil && used == 0 {
			r.Error("no alias is used")
		}
	}},
	{v5: "MQTT-3.3.2-9", name: "a publisher's alias is not its subscribers'", run: func(r *run) {
		p := r.passOn(1, num(pTopicAlias, 1))
		is(r, "Topic Alias", number(p.props, pTopicAlias), -1)
	}},
}

// serverAliases receives three messages on each of some topics with a Topic
// Alias Maximum, checks every alias, and counts messages and uses.
func serverAliases(r *run, most, topics int) (messages, used int) {
	in := r.fresh()
	in.props = list(num(pTopicAliasMax, most))
	sub, pub := r.connect(in), r.client()
	sub.sub(r.topic("+"), 1)
	known := map[int]string{}
	for range 3 {
		for i := range topics {
			pub.pub(publish{topic: r.topic(fmt.Sprint(i)), qos: 1, payload: "x"})
			p := sub.get("x")
			messages++
			alias := number(p.props, pTopicAlias)
			if alias == 0 || alias > most {
				r.Fatalf("Topic Alias %d, want at most %d", alias, most)
			}
			switch {
			case p.topic == "":
				p.topic = known[alias]
				used++
			case alias > 0:
				known[alias] = p.topic
			}
			is(r, "topic", p.topic, r.topic(fmt.Sprint(i)))
		}
	}
	return messages, used
}
