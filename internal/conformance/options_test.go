package conformance_test

import (
	"fmt"
	"slices"
)

// optionRules are about the Subscription Options: section 3.8.3.1.
var optionRules = []rule{
	{v5: "MQTT-3.8.3-3", name: "No Local", run: func(r *run) {
		one, two := r.client(), r.client()
		one.sub(r.topic("a"), 1|noLocal)
		two.sub(r.topic("a"), 1|noLocal)
		one.pub(publish{topic: r.topic("a"), qos: 1, payload: "from one"})
		two.get("from one")
		two.pub(publish{topic: r.topic("a"), qos: 1, payload: "from two"})
		one.get("from two")
		two.ping()
	}},
	{v5: "MQTT-3.8.3-3", name: "without No Local one's own messages come", run: func(r *run) {
		c := r.client()
		c.sub(r.topic("a"), 0)
		c.pub(publish{topic: r.topic("a"), payload: "x"})
		c.get("x")
	}},
	{v5: "MQTT-3.8.3-3", name: "No Local of one filter, not of another", run: func(r *run) {
		c := r.client()
		c.subscribe(nil, filter{r.topic("a"), noLocal}, filter{r.topic("+"), 0})
		c.pub(publish{topic: r.topic("a"), payload: "x"})
		c.get("x")
	}},
	{v5: "MQTT-3.3.1-12", name: "Retain As Published 0", run: retainFlag(0, false)},
	{v5: "MQTT-3.3.1-13", name: "Retain As Published 1", run: retainFlag(asPublished, true)},
	{v5: "MQTT-3.3.1-13", name: "Retain As Published 1, not retained", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), asPublished)
		r.client().pub(publish{topic: r.topic("a"), payload: "x"})
		is(r, "RETAIN", sub.get("x").retain, false)
	}},
	{v5: "MQTT-3.3.1-9", name: "Retain Handling 0: at every SUBSCRIBE", run: retainHandling(0, true, true)},
	{v5: "MQTT-3.3.1-10", name: "Retain Handling 1: for a new subscription", run: retainHandling(retainIfNew, true, false)},
	{v5: "MQTT-3.3.1-11", name: "Retain Handling 2: never", run: retainHandling(retainNothing, false, false)},
	{v5: "MQTT-3.3.1-10", name: "Retain Handling 1 after UNSUBSCRIBE", run: func(r *run) {
		r.client().pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "x"})
		sub := r.client()
		for range 2 {
			sub.sub(r.topic("a"), retainIfNew)
			sub.get("x")
			sub.unsub(r.topic("a"))
		}
		r.clear(r.topic("a"))
	}},
}

// clear removes a retained message.
func (r *run) clear(topic string) {
	r.Helper()
	r.client().pub(publish{topic: topic, qos: 1, retain: true})
}

func retainFlag(opts byte, want bool) func(r *run) {
	return func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), opts)
		r.client().pub(publish{topic: r.topic("a"), retain: true, payload: "x"})
		is(r, "RETAIN", sub.get("x").retain, want)
		r.clear(r.topic("a"))
	}
}

// retainHandling subscribes twice and says when the retained message must come.
func retainHandling(opts byte, first, second bool) func(r *run) {
	return func(r *run) {
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "kept"})
		sub := r.client()
		for i, want := range []bool{first, second} {
			sub.sub(r.topic("a"), 1|opts)
			if want {
				is(r, "RETAIN", sub.get("kept").retain, true)
			}
			marker := fmt.Sprint("marker ", i)
			pub.pub(publish{topic: r.topic("a"), qos: 1, payload: marker})
			sub.get(marker)
		}
		r.clear(r.topic("a"))
	}
}

// identifierRules are about Subscription Identifiers: sections 3.3.4 and 3.8.2.
var identifierRules = []rule{
	{v5: "MQTT-3.3.4-3", name: "the identifier comes with the message", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 1, num(pSubscriptionID, 268435455))
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		is(r, "identifiers", fmt.Sprint(identifiers(sub.get("x"))), "[268435455]")
	}},
	{v5: "MQTT-3.3.4-4", name: "all identifiers of overlapping filters", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 0, num(pSubscriptionID, 1))
		sub.sub(r.topic("+"), 0, num(pSubscriptionID, 200))
		sub.sub(r.topic("#"), 0)
		sub.sub(r.topic("b"), 0, num(pSubscriptionID, 7))
		r.client().pub(publish{topic: r.topic("a"), payload: "x"})
		is(r, "identifiers", fmt.Sprint(identifiers(sub.get("x"))), "[1 200]")
	}},
	{v5: "MQTT-3.3.4-3", name: "one identifier for several filters", run: func(r *run) {
		sub := r.client()
		sub.subscribe(list(num(pSubscriptionID, 9)), filter{r.topic("a"), 0}, filter{r.topic("b"), 0})
		pub := r.client()
		for _, name := range []string{"a", "b"} {
			pub.pub(publish{topic: r.topic(name), payload: name})
			is(r, "identifiers", fmt.Sprint(identifiers(sub.get(name))), "[9]")
		}
	}},
	{v5: "MQTT-3.8.4-3", name: "a new SUBSCRIBE changes the identifier, or takes it away", run: func(r *run) {
		sub, pub := r.client(), r.client()
		for _, step := range []struct {
			props []prop
			want  string
		}{{list(num(pSubscriptionID, 1)), "[1]"}, {list(num(pSubscriptionID, 2)), "[2]"}, {nil, "[]"}} {
			sub.sub(r.topic("a"), 0, step.props...)
			pub.pub(publish{topic: r.topic("a"), payload: step.want})
			is(r, "identifiers", fmt.Sprint(identifiers(sub.get(step.want))), step.want)
		}
	}},
	{v5: "MQTT-3.3.4-3", name: "identifiers live in the session", run: func(r *run) {
		sub := r.connect(r.resumable("s"))
		sub.sub(r.topic("a"), 1, num(pSubscriptionID, 42))
		sub.leave(0)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		sub = r.connect(r.resumable("s"))
		is(r, "identifiers", fmt.Sprint(identifiers(sub.get("x"))), "[42]")
		r.goodbye(sub)
	}},
	{v5: "MQTT-3.3.4-3", name: "retained messages have them too", run: func(r *run) {
		r.client().pub(publish{topic: r.topic("a"), qos: 1, retain: true, payload: "x"})
		sub := r.client()
		sub.sub(r.topic("+"), 1, num(pSubscriptionID, 3))
		is(r, "identifiers", fmt.Sprint(identifiers(sub.get("x"))), "[3]")
		r.clear(r.topic("a"))
	}},
}

func identifiers(p received) []int {
	ids := []int{}
	for _, id := range all(p.props, pSubscriptionID) {
		ids = append(ids, id.n)
	}
	slices.Sort(ids)
	return ids
}
