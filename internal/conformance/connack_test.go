package conformance_test

import (
	"slices"
	"strings"
)

// clientIDRules are about the client identifier: section 3.1.3.1.
var clientIDRules = []rule{
	{v31: "3.1 §3.1", v311: "MQTT-3.1.3-5", v5: "MQTT-3.1.3-5", name: "23 characters", run: func(r *run) {
		id := (r.id("") + "0123456789abcdefghijklmnopqrstuvwxyz")[:23]
		r.connect(connect{id: id}).ping()
	}},
	{v311: "MQTT-3.1.3-5", v5: "MQTT-3.1.3-5", name: "capitals and digits", run: func(r *run) {
		r.connect(connect{id: "ABCXYZ" + r.id("")}).ping()
	}},
	{v311: "MQTT-3.1.3-6", v5: "MQTT-3.1.3-6", name: "none, with a clean session", run: func(r *run) { r.connect(connect{}).ping() }},
	{v5: "MQTT-3.1.3-7", name: "none, and the server tells the one it made", run: func(r *run) {
		if value(r.connect(connect{}).connack.props, pAssignedID) == "" {
			r.Error("no Assigned Client Identifier")
		}
	}},
	{v5: "MQTT-3.2.2-16", name: "assigned identifiers differ, and can be resumed", run: func(r *run) {
		forever := list(num(pSessionExpiry, 60))
		one := r.connect(connect{props: forever})
		two := r.connect(connect{props: forever})
		a, b := value(one.connack.props, pAssignedID), value(two.connack.props, pAssignedID)
		if a == "" || a == b {
			r.Fatalf("assigned %q and %q", a, b)
		}
		one.leave(0)
		is(r, "Session Present", r.connect(connect{id: a, unclean: true}).connack.present, true)
	}},
	{v5: "MQTT-3.1.3-6", name: "none, with Clean Start 0", run: func(r *run) {
		c := r.connect(connect{unclean: true})
		is(r, "Session Present", c.connack.present, false)
	}},
	{v311: "MQTT-3.1.3-8", name: "none, with Clean Session 0", run: func(r *run) {
		c := r.try(connect{unclean: true})
		is(r, "code", c.connack.code, 0x02)
		c.closed()
	}},
	{v311: "MQTT-3.1.3-7", name: "none needs a clean session", run: func(r *run) {
		c := r.try(connect{unclean: true})
		is(r, "Session Present", c.connack.present, false)
		c.closed()
	}},
	{v5: "MQTT-3.2.2-16", name: "no assigned identifier for who has one", run: func(r *run) {
		is(r, "Assigned Client Identifier", value(r.client().connack.props, pAssignedID), "")
	}},
	{v311: "MQTT-3.1.3-4", v5: "MQTT-3.1.3-4", name: "not UTF-8", run: func(r *run) {
		c := r.dial()
		c.send(r.hello(connect{id: "x\xff"}).encode())
		c.dropped()
	}},
	{v311: "MQTT-3.1.3-3", v5: "MQTT-3.1.3-3", name: "missing", run: func(r *run) {
		parts := [][]byte{str("MQTT"), u8(int(r.version)), u8(0x02), u16(0)}
		if r.version == v5 {
			parts = append(parts, u8(0))
		}
		c := r.dial()
		c.send(frame(0x10, parts...))
		c.dropped()
	}},
	{v311: "MQTT-3.1.3-9", v5: "MQTT-3.1.3-8", name: "far too long", fanfare: true, run: func(r *run) {
		c := r.try(connect{id: strings.Repeat("x", 60_000)})
		want := byte(0x02)
		if r.version == v5 {
			want = 0x85
		}
		is(r, "code", c.connack.code, want)
		c.closed()
	}},
	{v311: "MQTT-3.1.3-2", v5: "MQTT-3.1.3-2", name: "two identifiers are two sessions", run: func(r *run) {
		one, two := r.client(), r.client()
		one.ping()
		two.ping()
	}},
}

// connackRules are about CONNACK: section 3.2.
var connackRules = []rule{
	{v311: "MQTT-3.1.4-2", v5: "MQTT-3.1.4-2", name: "a wrong password", fanfare: true, run: badPassword},
	{v311: "MQTT-3.2.2-5", v5: "MQTT-3.2.2-7", name: "no password", fanfare: true, run: func(r *run) {
		in := r.fresh()
		in.noPassword = true
		r.refused(in)
	}},
	{v311: "MQTT-3.2.2-4", v5: "MQTT-3.2.2-6", name: "a refusal has no session", fanfare: true, run: func(r *run) {
		id := r.id("s")
		in := connect{id: id, unclean: true, props: expiry(r.version, 60)}
		r.connect(in).leave(0)
		in.password = "wrong"
		is(r, "Session Present", r.refused(in).present, false)
	}},
	{v311: "MQTT-3.1.4-5", v5: "MQTT-3.1.4-6", name: "what follows a refused CONNECT is ignored", fanfare: true, run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 0)
		in := r.fresh()
		in.password = "wrong"
		c := r.dial()
		c.offer(append(r.hello(in).encode(), publish{topic: r.topic("a"), payload: "smuggled"}.encode(r.version)...))
		c.dropped()
		r.client().pub(publish{topic: r.topic("a"), payload: "marker"})
		sub.get("marker")
	}},
	{v5: "MQTT-3.2.2-9", name: "QoS 2 is there", run: func(r *run) { is(r, "Maximum QoS", number(r.client().connack.props, pMaximumQoS), -1) }},
	{v5: "MQTT-3.2.2-13", name: "retained messages are there", run: capability(pRetainAvailable)},
	{v5: "3.2.2.3.11", name: "wildcards are there", run: capability(pWildcards)},
	{v5: "3.2.2.3.12", name: "subscription identifiers are there", run: capability(pIdentifiers)},
	{v5: "3.2.2.3.13", name: "shared subscriptions are there", run: capability(pShared)},
	{v5: "3.2.2.3.3", name: "Receive Maximum is not 0", run: func(r *run) {
		if n := number(r.client().connack.props, pReceiveMaximum); n == 0 {
			r.Error("Receive Maximum 0")
		}
	}},
	{v5: "MQTT-3.2.2-15", name: "the largest packet is announced", fanfare: true, run: func(r *run) {
		is(r, "Maximum Packet Size", number(r.client().connack.props, pMaximumPacket), 256<<10)
	}},
	{v5: "MQTT-3.2.2-17", name: "topic aliases are there", run: func(r *run) {
		if n := number(r.client().connack.props, pTopicAliasMax); n < 1 {
			r.Errorf("Topic Alias Maximum %d", n)
		}
	}},
	{v5: "3.2.2.3.2", name: "a session that may not live for ever is told", fanfare: true, run: func(r *run) {
		c := r.connect(connect{id: r.id("s"), props: list(num(pSessionExpiry, 0xffffffff))})
		if n := number(c.connack.props, pSessionExpiry); n < 1 || n > 7*24*3600 {
			r.Errorf("Session Expiry Interval %d, want at most 7 days", n)
		}
		c.leave(0, num(pSessionExpiry, 0))
	}},
	{v5: "MQTT-3.1.2-28", name: "Response Information only on request", run: func(r *run) {
		is(r, "Response Information", value(r.client().connack.props, pResponseInfo), "")
		no := r.fresh()
		no.props = list(num(pRequestResponse, 0))
		is(r, "Response Information", value(r.connect(no).connack.props, pResponseInfo), "")
	}},
	{v5: "3.2.2.3.15", name: "Response Information on request, and it works", fanfare: true, run: responseInformation},
	{v5: "MQTT-4.12.0-6", name: "no Authentication Method unasked", run: func(r *run) {
		is(r, "Authentication Method", value(r.client().connack.props, pAuthMethod), "")
	}},
	{v5: "MQTT-3.2.2-8", name: "a refusal's code is one of CONNACK's", fanfare: true, run: func(r *run) {
		in := r.fresh()
		in.username = "acme/nowhere"
		if code := r.refused(in).code; code != 0x86 && code != 0x87 {
			r.Errorf("code %x", code)
		}
	}},
	{v5: "MQTT-3.2.2-19", name: "a refusal fits the client's Maximum Packet Size", fanfare: true, run: func(r *run) {
		in := r.fresh()
		in.password, in.props = "wrong", list(num(pMaximumPacket, 10))
		if p := r.refused(in); p.size > 10 {
			r.Errorf("CONNACK of %d bytes", p.size)
		}
	}},
	{v311: "MQTT-3.2.2-1", v5: "MQTT-3.2.2-2", name: "a clean session is not present", run: func(r *run) {
		id := r.id("s")
		r.connect(connect{id: id, unclean: true, props: expiry(r.version, 60)}).leave(0)
		is(r, "Session Present", r.connect(connect{id: id}).connack.present, false)
	}},
}

// expiry is a Session Expiry Interval, where there is such a thing.
func expiry(version byte, seconds int) []prop {
	if version < v5 {
		return nil
	}
	return list(num(pSessionExpiry, seconds))
}

// refused connects, sees a refusal and the end of the connection.
func (r *run) refused(in connect) received {
	r.Helper()
	c := r.try(in)
	if c.connack.code == 0 {
		r.Fatal("CONNECT is accepted")
	}
	c.closed()
	return c.connack
}

func badPassword(r *run) {
	in := r.fresh()
	in.password = "wrong"
	want := []byte{4, 5}
	if r.version == v5 {
		want = []byte{0x86, 0x87}
	}
	if code := r.refused(in).code; !slices.Contains(want, code) {
		r.Errorf("code %#x, want one of % x", code, want)
	}
}

// capability fails if the server says that it lacks something.
func capability(id byte) func(r *run) {
	return func(r *run) {
		if n := number(r.client().connack.props, id); n == 0 {
			r.Errorf("property %#x says that it is not available", id)
		}
	}
}

// responseInformation uses the topics that the server offers for answers.
func responseInformation(r *run) {
	in := r.fresh()
	in.props = list(num(pRequestResponse, 1))
	c := r.connect(in)
	info := value(c.connack.props, pResponseInfo)
	if info == "" {
		r.Fatal("no Response Information")
	}
	answer := strings.TrimSuffix(info, "/") + "/answer"
	is(r, "SUBACK", c.sub(answer, 1), 1)
}
