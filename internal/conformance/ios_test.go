package conformance_test

import "bytes"

// oldVersionRules are about telling the versions apart, and what MQTT 3.1
// lacks.
var oldVersionRules = []rule{
	{v31: "3.1 §3.1", name: "MQTT 3.1 has no Session Present", run: func(r *run) {
		r.connect(r.resumable("s")).leave(0)
		c := r.connect(r.resumable("s"))
		is(r, "Session Present", c.connack.present, false)
		r.goodbye(c)
	}},
	{v31: "3.1 §3.1", name: "level 4 with the name of MQTT 3.1", run: wrongName("MQIsdp", v311)},
	{v31: "3.1 §3.1", name: "level 5 with the name of MQTT 3.1", run: wrongName("MQIsdp", v5)},
	{v311: "MQTT-3.1.2-1", name: "level 3 with the name of MQTT 3.1.1", run: wrongName("MQTT", v31)},
	{v31: "3.1 §3.1", name: "a wrong password", fanfare: true, run: func(r *run) {
		in := r.fresh()
		in.password = "wrong"
		if code := r.refused(in).code; code != 4 && code != 5 {
			r.Errorf("code %d", code)
		}
	}},
	{v31: "3.1 §3.3", name: "garbage ends the connection", run: func(r *run) {
		c := r.client()
		c.send(hx("00 00"))
		c.closed()
	}},
}

// wrongName sends a CONNECT whose name and level do not belong together.
func wrongName(name string, level byte) func(r *run) {
	return func(r *run) {
		in := r.hello(r.fresh())
		parts := [][]byte{str(name), u8(int(level)), u8(in.flags()), u16(0)}
		if level == v5 {
			parts = append(parts, u8(0))
		}
		c := r.dial()
		c.send(frame(0x10, append(parts, str(in.id), str(in.username), str(in.password))...))
		c.dropped()
	}
}

// iosRules are what MQTT-Client-Framework for iOS sends, by its sources: the
// protocol levels 3 and 4, cleanSession NO, Keep Alive 60, subscriptions of QoS
// 2, a will, and over TLS the same bytes.
var iosRules = []rule{
	{v31: "MQTT-Client-Framework", v311: "MQTT-Client-Framework", name: "its CONNECT, byte for byte", run: func(r *run) {
		c := r.dial()
		hello := r.iosHello()
		c.id = hello.id
		c.send(hello.encode())
		is(r, "code", c.expect(tCONNACK).code, 0)
		if want := []byte{0x00, 0x3c}; !bytes.Contains(hello.encode(), want) {
			r.Fatal("the fixture has no Keep Alive of 60 s")
		}
		r.goodbye(c)
	}},
	{v31: "MQTT-Client-Framework", v311: "MQTT-Client-Framework", name: "its session over a loss of network", run: func(r *run) {
		app := r.iosConnect()
		is(r, "granted", app.sub(r.topic("#"), 2), 2)
		app.lost()
		pub := r.client()
		for qos := range byte(3) {
			pub.pub(publish{topic: r.topic("a"), qos: qos, payload: string('0' + rune(qos))})
		}
		app = r.iosConnect()
		is(r, "Session Present", app.connack.present, r.version == v311)
		app.get("1")
		app.get("2")
		app.send(disconnect(r.version, 0))
		app.closed()
		r.goodbye(r.iosConnect())
	}},
	{v31: "MQTT-Client-Framework", v311: "MQTT-Client-Framework", name: "it subscribes on every connect", run: func(r *run) {
		for range 3 {
			app := r.iosConnect()
			app.subscribe(nil, filter{r.topic("a"), 2}, filter{r.topic("b/+"), 1})
			r.client().pub(publish{topic: r.topic("a"), qos: 2, payload: "x"})
			app.get("x")
			app.ping()
			app.lost()
		}
		r.goodbye(r.iosConnect())
	}},
	{v31: "MQTT-Client-Framework", v311: "MQTT-Client-Framework", name: "its QoS 2 publish is resumed with DUP", run: func(r *run) {
		sub := r.client()
		sub.sub(r.topic("a"), 2)
		app := r.iosConnect()
		first := publish{topic: r.topic("a"), qos: 2, id: 1, payload: "once"}
		app.send(first.encode(r.version))
		app.acked(tPUBREC, 1)
		app.lost()
		app = r.iosConnect()
		first.dup = true
		app.send(first.encode(r.version))
		app.acked(tPUBREC, 1)
		app.send(ack(tPUBREL, 1))
		app.acked(tPUBCOMP, 1)
		sub.get("once")
		sub.ping()
		r.goodbye(app)
	}},
	{v31: "MQTT-Client-Framework", v311: "MQTT-Client-Framework", name: "its will", run: func(r *run) {
		w := r.watcher()
		in := r.iosHello()
		in.will = &will{topic: r.topic("w"), payload: "offline", qos: 1, retain: true}
		c := r.connect(in)
		c.lost()
		w.get("offline")
		r.clear(r.topic("w"))
		r.goodbye(r.iosConnect())
	}},
}

func (r *run) iosHello() connect {
	return r.hello(connect{id: r.id("ios"), unclean: true, keepAlive: 60})
}

func (r *run) iosConnect() *client {
	r.Helper()
	return r.connect(r.iosHello())
}
