package conformance_test

import (
	"fmt"
	"strings"
)

// propertyRules are about what a message brings with it: section 3.3.2.3.
var propertyRules = []rule{
	{v5: "MQTT-3.3.2-4", name: "Payload Format Indicator", run: passed1(num(pFormat, 1))},
	{v5: "MQTT-3.3.2-15", name: "Response Topic", run: passed1(text(pResponseTopic, "acme/chat/open/answers/é"))},
	{v5: "MQTT-3.3.2-16", name: "Correlation Data", run: passed1(text(pCorrelation, "\x00\xff\xc0"))},
	{v5: "MQTT-3.3.2-16", name: "Correlation Data of no bytes", run: func(r *run) {
		p := r.passOn(1, text(pCorrelation, ""))
		if get(p.props, pCorrelation) == nil {
			r.Error("no Correlation Data")
		}
	}},
	{v5: "MQTT-3.3.2-20", name: "Content Type", run: passed1(text(pContentType, "application/json; charset=utf-8"))},
	{v5: "MQTT-3.3.2-17", name: "User Properties of QoS 0", run: userProperties(0)},
	{v5: "MQTT-3.3.2-18", name: "User Properties of QoS 1, in order", run: userProperties(1)},
	{v5: "MQTT-3.3.2-18", name: "User Properties of QoS 2, in order", run: userProperties(2)},
	{v5: "3.3.2.3", name: "nothing is added to a plain message", run: func(r *run) {
		p := r.passOn(1)
		is(r, "properties", len(p.props), 0)
	}},
	{v5: "3.3.2.3.3", name: "no expiry, none on the way", run: func(r *run) {
		is(r, "Message Expiry Interval", number(r.passOn(2, num(pFormat, 0)).props, pMessageExpiry), -1)
	}},
	{v5: "3.3.2.3.2", name: "UTF-8 that is none is refused", fanfare: true, run: func(r *run) {
		c := r.client()
		for qos := byte(1); qos <= 2; qos++ {
			p := c.pub(publish{topic: r.topic("a"), qos: qos, payload: "\xff", props: list(num(pFormat, 1))})
			is(r, "code", p.code, 0x99)
		}
		is(r, "code", c.pub(publish{topic: r.topic("a"), qos: 1, payload: "é", props: list(num(pFormat, 1))}).code < 0x80, true)
	}},
	{v5: "MQTT-3.4.2-1", name: "a PUBACK's code is one of PUBACK's", run: codes(1)},
	{v5: "MQTT-3.5.2-1", name: "a PUBREC's code is one of PUBREC's", run: codes(2)},
	{v5: "MQTT-3.1.2-29", name: "no Reason String for who wants none", fanfare: true, run: func(r *run) {
		in := r.fresh()
		in.props = list(num(pRequestProblem, 0))
		c := r.connect(in)
		suback := c.subscribe(nil, filter{"globex/x", 0})
		is(r, "SUBACK", len(suback.props), 0)
		is(r, "PUBACK", len(c.pub(publish{topic: "globex/x", qos: 1}).props), 0)
		is(r, "PUBREC", len(c.pub(publish{topic: "globex/x", qos: 2}).props), 0)
		is(r, "UNSUBACK", len(c.unsub("globex/x").props), 0)
	}},
	{v5: "3.14.2.2.3", name: "a Reason String with DISCONNECT", fanfare: true, run: func(r *run) {
		c := r.client()
		c.send(r.hello(r.fresh()).encode())
		if value(c.expect(tDISCONNECT).props, pReason) == "" {
			r.Error("no Reason String")
		}
	}},
	{v5: "3.4.2.2.2", name: "a Reason String with a refused PUBLISH", fanfare: true, run: func(r *run) {
		if value(r.client().pub(publish{topic: "globex/x", qos: 1}).props, pReason) == "" {
			r.Error("no Reason String")
		}
	}},
	{v5: "4.10", name: "request and response", run: requestResponse},
	{v311: "MQTT-7.0.0-2", v5: "4.1", name: "versions understand each other", run: acrossVersions},
}

// passOn publishes with properties and returns what a subscriber receives.
func (r *run) passOn(qos byte, props ...prop) received {
	r.Helper()
	sub := r.client()
	sub.sub(r.topic("a"), qos)
	r.client().pub(publish{topic: r.topic("a"), qos: qos, payload: "x", props: props})
	return sub.get("x")
}

// passed1 is a property that must arrive as it was sent.
func passed1(want prop) func(r *run) {
	return func(r *run) {
		p := r.passOn(1, want)
		if got := get(p.props, want.id); got == nil || *got != want {
			r.Errorf("got %v, want %+v", p.props, want)
		}
	}
}

func userProperties(qos byte) func(r *run) {
	return func(r *run) {
		p := r.passOn(qos, user("b", "1"), user("", ""), user("a", strings.Repeat("é", 300)), user("b", "2"), user("b", "1"))
		is(r, "User Properties", strings.Join(users(p), " "), "b=1 = a="+strings.Repeat("é", 300)+" b=2 b=1")
	}
}

// codes publishes where nobody listens.
func codes(qos byte) func(r *run) {
	return func(r *run) {
		if code := r.client().pub(publish{topic: r.topic("nobody"), qos: qos}).code; code != 0 && code != 0x10 {
			r.Errorf("code %#x, want Success or No matching subscribers", code)
		}
	}
}

// requestResponse asks and answers as section 4.10 shows it.
func requestResponse(r *run) {
	asking, answering := r.client(), r.client()
	asking.sub(r.topic("answer"), 1)
	answering.sub(r.topic("question"), 1)
	asking.pub(publish{topic: r.topic("question"), qos: 1, payload: "6*7", props: list(
		text(pResponseTopic, r.topic("answer")), text(pCorrelation, "q1"),
	)})
	q := answering.get("6*7")
	answering.pub(publish{topic: value(q.props, pResponseTopic), qos: 1, payload: "42", props: list(
		text(pCorrelation, value(q.props, pCorrelation)),
	)})
	is(r, "Correlation Data", value(asking.get("42").props, pCorrelation), "q1")
}

// acrossVersions publishes in each version and receives in each.
func acrossVersions(r *run) {
	subs := map[byte]*client{}
	for _, version := range []byte{v311, v5} {
		in := r.fresh()
		in.version = version
		subs[version] = r.connect(in)
		subs[version].sub(r.topic("a"), 2)
	}
	for _, version := range []byte{v311, v5} {
		in := r.fresh()
		in.version = version
		pub := r.connect(in)
		for qos := range byte(3) {
			message := fmt.Sprint(version, qos)
			p := publish{topic: r.topic("a"), qos: qos, payload: message}
			if version == v5 {
				p.props = list(user("k", "v"))
			}
			pub.pub(p)
			is(r, "QoS", subs[v311].get(message).qos, qos)
			got := subs[v5].get(message)
			is(r, "User Properties", len(got.props) == 1, version == v5)
		}
	}
}
