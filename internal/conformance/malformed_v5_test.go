package conformance_test

import "slices"

// connectWith is a CONNECT with a property block, given as bytes.
func connectWith(block []byte) func(r *run) {
	return func(r *run) {
		in := r.hello(r.fresh())
		c := r.dial()
		c.send(frame(0x10, str("MQTT"), u8(5), u8(in.flags()), u16(0), varint(len(block)), block,
			str(in.id), str(in.username), str(in.password)))
		c.dropped()
	}
}

func bad(name string, block []byte) rule {
	return rule{v5: "MQTT-3.1.4-1", name: name, run: connectWith(block)}
}

func twice(p prop) []byte { return slices.Concat(p.encode(), p.encode()) }

// malformedConnectRules are CONNECTs that must not be accepted.
var malformedConnectRules = []rule{
	bad("CONNECT: an unknown property", hx("7f 00")),
	bad("CONNECT: a property of PUBLISH", hx("01 00")),
	bad("CONNECT: a property of CONNACK", hx("24 01")),
	bad("CONNECT: Receive Maximum 0", hx("21 00 00")),
	bad("CONNECT: Maximum Packet Size 0", hx("27 00 00 00 00")),
	bad("CONNECT: Request Problem Information 2", hx("17 02")),
	bad("CONNECT: Request Response Information 2", hx("19 02")),
	bad("CONNECT: Session Expiry Interval twice", twice(num(pSessionExpiry, 1))),
	bad("CONNECT: Receive Maximum twice", twice(num(pReceiveMaximum, 1))),
	bad("CONNECT: Maximum Packet Size twice", twice(num(pMaximumPacket, 100))),
	bad("CONNECT: Topic Alias Maximum twice", twice(num(pTopicAliasMax, 1))),
	bad("CONNECT: Request Response Information twice", twice(num(pRequestResponse, 1))),
	bad("CONNECT: Request Problem Information twice", twice(num(pRequestProblem, 1))),
	bad("CONNECT: Authentication Method twice", twice(text(pAuthMethod, "JWT"))),
	bad("CONNECT: Authentication Data without a method", text(pAuthData, "x").encode()),
	bad("CONNECT: a property cut short", hx("11 00 00")),
	bad("CONNECT: a user property without a value", hx("26 00 01 61")),
	bad("CONNECT: a user property that is not UTF-8", user("a", "\xff").encode()),
	{v5: "MQTT-1.5.7-1", name: "a key that is not UTF-8", run: connectWith(user("\xed\xa0\x80", "v").encode())},
	{v5: "MQTT-2.2.2-1", name: "CONNECT without a property length", run: func(r *run) {
		c := r.dial()
		c.send(frame(0x10, str("MQTT"), u8(5), u8(2), u16(0)))
		c.dropped()
	}},
	{v311: "MQTT-3.1.4-1", v5: "MQTT-3.1.4-1", name: "bytes after the end of CONNECT", run: func(r *run) {
		in := r.hello(r.fresh()).encode()
		body := in[1+len(varint(len(in)-2)):]
		c := r.dial()
		c.send(frame(0x10, body, raw(0)))
		c.dropped()
	}},
	{v311: "MQTT-3.1.4-1", v5: "MQTT-3.1.4-1", name: "flags of CONNECT's header", run: func(r *run) {
		in := r.hello(r.fresh()).encode()
		in[0] = 0x11
		c := r.dial()
		c.send(in)
		c.dropped()
	}},
	{v311: "MQTT-3.1.3-11", v5: "MQTT-3.1.3-12", name: "a user name that is not UTF-8", run: func(r *run) {
		in := r.fresh()
		in.username = "a\xff"
		c := r.dial()
		c.send(r.hello(in).encode())
		c.dropped()
	}},
	{v311: "MQTT-3.1.3-10", v5: "MQTT-3.1.3-11", name: "a will topic that is not UTF-8", run: badWill(will{topic: "a\xff"})},
	{v311: "MQTT-3.1.3-1", v5: "MQTT-3.1.3-1", name: "fields cut short", run: func(r *run) {
		in := r.hello(r.fresh()).encode()
		body := in[1+len(varint(len(in)-2)):]
		c := r.dial()
		c.send(frame(0x10, body[:len(body)-1]))
		c.dropped()
	}},
	{v5: "3.1.3.2", name: "a will with a property of PUBLISH", run: badWill(will{topic: "acme/chat/open/a", props: list(num(pTopicAlias, 1))})},
	{v5: "3.1.3.2", name: "a will with a delay twice", run: badWill(will{
		topic: "acme/chat/open/a", props: list(num(pWillDelay, 1), num(pWillDelay, 1)),
	})},
	{v5: "3.1.3.2", name: "a will with Payload Format Indicator 2", run: badWill(will{topic: "acme/chat/open/a", props: list(num(pFormat, 2))})},
	{v5: "MQTT-4.7.0-1", name: "a will to a wildcard", run: badWill(will{topic: "acme/chat/open/#"})},
}

func badWill(w will) func(r *run) {
	return func(r *run) {
		in := r.fresh()
		in.will = &w
		c := r.dial()
		c.send(r.hello(in).encode())
		c.dropped()
	}
}

// publishWith is a PUBLISH of QoS 0 with a property block, given as bytes.
func publishWith(block []byte) func(r *run) []byte {
	return func(r *run) []byte {
		return frame(0x30, str(r.topic("a")), varint(len(block)), block, []byte("hi"))
	}
}

// subscribeWith is a SUBSCRIBE with a property block, given as bytes.
func subscribeWith(block []byte) func(r *run) []byte {
	return func(r *run) []byte {
		return frame(0x82, u16(1), varint(len(block)), block, str(r.topic("a")), raw(0))
	}
}

// malformedV5Rules are packets that only MQTT 5.0 can spoil.
var malformedV5Rules = []rule{
	built("", "2.2.2.2", "PUBLISH: an unknown property", publishWith(hx("7f 00"))),
	built("", "2.2.2.2", "PUBLISH: a property identifier of two bytes", publishWith(hx("81 00 00"))),
	built("", "2.2.2.2", "PUBLISH: a property of CONNECT", publishWith(hx("11 00 00 00 01"))),
	built("", "2.2.2.2", "PUBLISH: Payload Format Indicator twice", publishWith(hx("01 00 01 00"))),
	built("", "2.2.2.2", "PUBLISH: Message Expiry Interval twice", publishWith(twice(num(pMessageExpiry, 9)))),
	built("", "2.2.2.2", "PUBLISH: Topic Alias twice", publishWith(twice(num(pTopicAlias, 1)))),
	built("", "2.2.2.2", "PUBLISH: Response Topic twice", publishWith(twice(text(pResponseTopic, "a")))),
	built("", "2.2.2.2", "PUBLISH: Correlation Data twice", publishWith(twice(text(pCorrelation, "a")))),
	built("", "2.2.2.2", "PUBLISH: Content Type twice", publishWith(twice(text(pContentType, "a")))),
	built("", "3.3.2.3.2", "PUBLISH: Payload Format Indicator 2", publishWith(hx("01 02"))),
	built("", "MQTT-3.3.2-8", "PUBLISH: Topic Alias 0", publishWith(hx("23 00 00")), 0x94, 0x82, 0x81),
	built("", "MQTT-3.3.4-6", "PUBLISH: a Subscription Identifier", publishWith(hx("0b 01"))),
	built("", "MQTT-3.3.2-14", "PUBLISH: a wildcard in the Response Topic", publishWith(text(pResponseTopic, "acme/#").encode()), 0x81, 0x82, 0x90),
	built("", "MQTT-3.3.2-13", "PUBLISH: a Response Topic that is not UTF-8", publishWith(text(pResponseTopic, "a\xff").encode()), 0x81, 0x82, 0x90),
	built("", "MQTT-3.3.2-19", "PUBLISH: a Content Type that is not UTF-8", publishWith(text(pContentType, "a\xff").encode())),
	built("", "MQTT-1.5.7-1", "PUBLISH: a user property that is not UTF-8", publishWith(user("a\xc0\x80", "b").encode())),
	built("", "MQTT-1.5.4-2", "PUBLISH: U+0000 in a user property", publishWith(user("a", "\x00").encode())),
	built("", "2.2.2.1", "PUBLISH: properties beyond the packet", func(r *run) []byte {
		return frame(0x30, str(r.topic("a")), raw(0x7f))
	}),
	built("", "2.2.2.1", "PUBLISH: a property beyond the properties", publishWith(hx("03 00 09 61"))),
	built("", "MQTT-1.5.5-1", "PUBLISH: a property length of two bytes for one", func(r *run) []byte {
		return frame(0x30, str(r.topic("a")), hx("80 00"))
	}),
	built("", "MQTT-2.2.2-1", "PUBLISH without a property length", func(r *run) []byte { return frame(0x30, str(r.topic("a"))) }),
	vector("", "MQTT-1.5.5-1", "a Remaining Length of two bytes for one", "c0 80 00"),
	built("", "3.8.2.1.2", "SUBSCRIBE: Subscription Identifier 0", subscribeWith(hx("0b 00"))),
	built("", "3.8.2.1.2", "SUBSCRIBE: Subscription Identifier twice", subscribeWith(hx("0b 01 0b 02"))),
	built("", "MQTT-1.5.5-1", "SUBSCRIBE: Subscription Identifier of five bytes", subscribeWith(hx("0b 80 80 80 80 01"))),
	built("", "2.2.2.2", "SUBSCRIBE: a property of PUBLISH", subscribeWith(hx("23 00 01"))),
	built("", "3.8.3.1", "SUBSCRIBE: Retain Handling 3", subscribeTo("acme/chat/open/a", 0x30)),
	built("", "MQTT-3.8.3-4", "SUBSCRIBE: No Local on a shared subscription", func(r *run) []byte {
		return subscribe(v5, 1, nil, filter{"$share/g/" + r.topic("a"), noLocal})
	}),
	built("", "2.2.2.2", "UNSUBSCRIBE: a property of SUBSCRIBE", func(r *run) []byte {
		return frame(0xa2, u16(1), hx("02 0b 01"), str(r.topic("a")))
	}),
	vector("", "MQTT-3.4.2-1", "PUBACK: an unknown reason code", "40 04 00 01 42 00"),
	vector("", "MQTT-3.5.2-1", "PUBREC: an unknown reason code", "50 04 00 01 42 00"),
	vector("", "MQTT-3.6.2-1", "PUBREL: an unknown reason code", "62 04 00 01 42 00"),
	vector("", "MQTT-3.7.2-1", "PUBCOMP: an unknown reason code", "70 04 00 01 42 00"),
	vector("", "2.2.2.2", "PUBACK: a property of PUBLISH", "40 06 00 01 00 02 01 00"),
	vector("", "2.2.2.2", "PUBACK: Reason String twice", "40 0c 00 01 00 08 1f 00 01 61 1f 00 01 61"),
	vector("", "MQTT-3.14.2-1", "DISCONNECT: an unknown reason code", "e0 02 42 00"),
	vector("", "2.2.2.2", "DISCONNECT: a property of PUBLISH", "e0 04 00 02 01 00"),
	vector("", "2.2.2.2", "DISCONNECT: Session Expiry Interval twice", "e0 0c 00 0a 11 00 00 00 00 11 00 00 00 00"),
	built("", "3.14.2.2.2", "DISCONNECT: an expiry after none", func(*run) []byte {
		return disconnect(v5, 0, num(pSessionExpiry, 10))
	}, 0x82),
	built("", "MQTT-4.12.0-7", "AUTH without a method in CONNECT", func(*run) []byte {
		return auth(0x19, text(pAuthMethod, "JWT"), text(pAuthData, "x"))
	}, 0x82),
	vector("", "MQTT-3.15.1-1", "flags of AUTH", "f1 00"),
	vector("", "MQTT-3.15.2-1", "AUTH: an unknown reason code", "f0 02 42 00"),
}
