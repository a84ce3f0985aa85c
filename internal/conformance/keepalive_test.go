package conformance_test

import "time"

// keepAliveRules are about Keep Alive: section 3.1.2.10.
var keepAliveRules = []rule{
	{v31: "3.1 §3.1", v311: "MQTT-3.1.2-24", v5: "MQTT-3.1.2-22", name: "silence ends the connection", run: func(r *run) {
		in := r.fresh()
		in.keepAlive = 1
		c := r.connect(in)
		from := time.Now()
		c.dropped()
		if after := time.Since(from); after < 1400*time.Millisecond || after > 6*time.Second {
			r.Errorf("closed after %v, want one and a half times 1 s", after)
		}
	}},
	{v311: "MQTT-3.1.2-24", v5: "MQTT-3.2.2-22", name: "the client's Keep Alive counts, and PINGREQ is a sign of life", run: stayAlive(func(c *client, _ *run) { c.ping() })},
	{v311: "MQTT-3.1.2-24", v5: "MQTT-3.1.2-22", name: "any packet is a sign of life", run: stayAlive(func(c *client, r *run) {
		c.send(publish{topic: r.topic("a")}.encode(r.version))
	})},
	{v311: "3.1.2.10", v5: "3.1.2.10", name: "Keep Alive 0 is off", run: func(r *run) {
		c := r.client()
		r.until(2500)
		c.ping()
	}},
	{v311: "3.1.2.10", v5: "3.1.2.10", name: "what the client receives is no sign of life", run: func(r *run) {
		in := r.fresh()
		in.keepAlive = 1
		sub, pub := r.connect(in), r.client()
		sub.sub(r.topic("a"), 0)
		for range 12 {
			pub.pub(publish{topic: r.topic("a")})
			r.until(250)
		}
		for {
			p, err := sub.next(patience)
			if err != nil || p.kind == tDISCONNECT {
				return
			}
		}
	}},
}

// stayAlive keeps a connection of Keep Alive 1 for more than two seconds.
func stayAlive(sign func(c *client, r *run)) func(r *run) {
	return func(r *run) {
		in := r.fresh()
		in.keepAlive = 1
		c := r.connect(in)
		for range 4 {
			r.until(600)
			sign(c, r)
		}
		c.ping()
	}
}
