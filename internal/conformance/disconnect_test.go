package conformance_test

import (
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
)

// eve is a client of the other organization.
func (r *run) eve() *client {
	r.Helper()
	f := r.target.fanfare
	issued, err := f.api.With(f.other.APIKey.Secret).IssueToken(r.Context(), f.other.ID, spec.TokenRequest{User: "eve"})
	if err != nil {
		r.Fatal(err)
	}
	in := r.fresh()
	in.username, in.password = f.other.TopicPrefix, issued.Value.Token
	return r.connect(in)
}

// disconnectRules are about DISCONNECT: section 3.14.
var disconnectRules = []rule{
	{v31: "3.1 §3.14", v311: "MQTT-3.14.4-1", v5: "MQTT-3.14.4-2", name: "the server closes", run: func(r *run) { r.client().leave(0) }},
	{v311: "MQTT-3.14.4-2", v5: "MQTT-3.14.4-1", name: "what follows DISCONNECT is ignored", run: func(r *run) {
		sub, c := r.client(), r.client()
		sub.sub(r.topic("a"), 0)
		c.send(disconnect(r.version, 0), publish{topic: r.topic("a"), payload: "late"}.encode(r.version))
		c.closed()
		r.client().pub(publish{topic: r.topic("a"), payload: "marker"})
		sub.get("marker")
	}},
	{v5: "3.14.2.1", name: "every code that a client may send", run: func(r *run) {
		for _, code := range []byte{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99} {
			r.client().leave(code)
		}
	}},
	{v5: "3.14.2.2", name: "with a Reason String and User Properties", run: func(r *run) {
		r.client().leave(0, text(pReason, "done"), user("a", "b"), user("a", "c"))
	}},
	{v5: "3.14.2", name: "with a code and no properties", run: func(r *run) {
		c := r.client()
		c.send(hx("e0 01 00"))
		c.closed()
	}},
	{v5: "MQTT-4.13.2-1", name: "an error code closes", run: func(r *run) {
		c := r.client()
		c.send(hx("82 02 00 01"))
		c.closed(0x81, 0x82)
	}},
	{v5: "3.4.2.1", name: "acknowledgements with a code, without properties", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 2)
		pub := r.client()
		pub.pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		p := sub.expect(tPUBLISH)
		sub.send(frame(tPUBACK<<4, u16(p.id), raw(0)))
		pub.pub(publish{topic: r.topic("a"), qos: 2, payload: "y"})
		p = sub.expect(tPUBLISH)
		sub.send(frame(tPUBREC<<4, u16(p.id), raw(0x10)))
		sub.acked(tPUBREL, p.id)
		sub.send(frame(tPUBCOMP<<4, u16(p.id), raw(0x92, 0)))
		sub.ping()
	}},
	{v5: "3.4.2.2", name: "acknowledgements with properties", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 1)
		r.client().pub(publish{topic: r.topic("a"), qos: 1, payload: "x"})
		p := sub.expect(tPUBLISH)
		sub.send(frame(tPUBACK<<4, u16(p.id), raw(0), withProps(list(text(pReason, "fine"), user("k", "v")))))
		sub.ping()
	}},
	{v5: "3.15", name: "empty connections do not stay", fanfare: true, run: func(r *run) {
		r.dial().closedWithin(30 * time.Second)
	}},
}
