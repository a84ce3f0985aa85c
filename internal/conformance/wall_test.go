package conformance_test

import (
	"errors"
	"io"
)

// outside are filters that nobody of acme may subscribe.
var outside = []string{
	"#", "+/#", "/#", "globex/#", "globex/chat/x", "+/chat/x", "+/+/users/eve/#", "acme", "acme/#",
	"$share/g/globex/chat/x", "$share/g/#", "$queue/globex/#", "$local/globex/#", "$local/#", "$SYS/#", "$SYS/broker/uptime",
	"acme/chat/users/bob/#", "acme/other/x",
}

// wallRules are about who may hear and say what.
var wallRules = []rule{
	{v31: "3.1 §3.9", v311: "MQTT-3.9.3-2", v5: "MQTT-3.9.3-2", name: "filters outside the wall", fanfare: true, run: func(r *run) {
		c := r.client()
		for _, name := range outside {
			is(r, name, c.sub(name, 1), r.denied())
		}
	}},
	{v311: "MQTT-4.7.2-1", v5: "MQTT-4.7.2-1", name: "$SYS is not for tenants", fanfare: true, run: func(r *run) {
		c := r.client()
		is(r, "SUBACK", c.sub("$SYS/#", 0), r.denied())
		is(r, "SUBACK", c.sub("$SYS/broker/version", 0), r.denied())
	}},
	{v311: "MQTT-3.3.5-2", v5: "3.3.4", name: "a publish outside the wall reaches nobody", fanfare: true, run: smuggle},
	{v5: "3.4.2.1", name: "a denied publish is told", fanfare: true, run: func(r *run) {
		c := r.client()
		for qos := byte(1); qos <= 2; qos++ {
			is(r, "code", c.pub(publish{topic: "globex/chat/x", qos: qos}).code, 0x87)
			is(r, "code", c.pub(publish{topic: "acme/chat/users/bob/x", qos: qos}).code, 0x87)
		}
		c.ping()
	}},
	{v5: "MQTT-4.3.3-9", name: "after a refused PUBREC the identifier is free", fanfare: true, run: func(r *run) {
		sub, pub := r.client(), r.client()
		sub.sub(r.topic("a"), 2)
		pub.send(publish{topic: "globex/x", qos: 2, id: 3}.encode(v5))
		is(r, "code", pub.acked(tPUBREC, 3).code, 0x87)
		pub.pub(publish{topic: r.topic("a"), qos: 2, id: 3, payload: "x"})
		sub.get("x")
	}},
	{v311: "3.1.4", v5: "3.1.4", name: "a will outside the wall", fanfare: true, run: func(r *run) {
		in := r.fresh()
		in.will = &will{topic: "globex/chat/x", payload: "gone"}
		r.refused(in)
	}},
	{v311: "extension", v5: "extension", name: "$local hears this node", fanfare: true, run: func(r *run) {
		c := r.client()
		is(r, "SUBACK", c.sub("$local/"+r.topic("#"), 1), 1)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		is(r, "topic", c.get("x").topic, r.topic("a"))
	}},
	{v311: "extension", v5: "extension", name: "topics that begin with $ are nobody's", fanfare: true, run: func(r *run) {
		c := r.client()
		c.pubAny(r, "$SYS/broker/uptime")
		c.pubAny(r, "$share/g/acme/chat/open/x")
	}},
}

// pubAny publishes where it is not allowed: MQTT 5.0 tells it, older versions
// acknowledge or close.
func (c *client) pubAny(r *run, topic string) {
	r.Helper()
	c.send(publish{topic: topic, qos: 1, id: c.packetID()}.encode(c.version))
	p, err := c.next(patience)
	switch {
	case errors.Is(err, io.EOF) && c.version < v5:
	case err == nil && p.kind == tPUBACK && (c.version < v5 || p.code >= 0x80):
	default:
		r.Errorf("%s: got %v (%v)", topic, p, err)
	}
}

// smuggle publishes to globex; its listener hears only its own marker.
func smuggle(r *run) {
	f := r.target.fanfare
	at := r.eve()
	topic := f.other.TopicPrefix + "/users/eve/up/" + r.unique
	is(r, "SUBACK", at.sub(f.other.TopicPrefix+"/users/eve/#", 1), 1)
	r.client().pubAny(r, topic)
	at.pub(publish{topic: topic, qos: 1, id: 1, payload: "own"})
	at.get("own")
}
