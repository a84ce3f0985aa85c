package conformance_test

import (
	"encoding/hex"
	"strings"
)

// hx is bytes in hexadecimal, with spaces.
func hx(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// vector is something that must not be sent after a CONNECT.
func vector(v311, v5, name, bytes string) rule {
	return rule{v311: v311, v5: v5, name: name, run: malformed(func(*run) []byte { return hx(bytes) })}
}

// built is a vector that depends on the case or the version.
func built(v311, v5, name string, b func(r *run) []byte, codes ...byte) rule {
	return rule{v311: v311, v5: v5, name: name, run: malformed(b, codes...)}
}

// malformed sends bytes on a connection, which must end: with MQTT 5.0 by a
// DISCONNECT with one of the codes (else Malformed Packet or Protocol Error),
// before without a word. The server must live on.
func malformed(b func(r *run) []byte, codes ...byte) func(r *run) {
	if len(codes) == 0 {
		codes = []byte{0x81, 0x82}
	}
	return func(r *run) {
		c := r.client()
		c.send(b(r))
		c.closed(codes...)
		r.client().ping()
	}
}

func topicOf(topic string) func(r *run) []byte {
	return func(r *run) []byte { return publish{topic: topic}.encode(r.version) }
}

func subscribeTo(name string, opts byte) func(r *run) []byte {
	return func(r *run) []byte { return subscribe(r.version, 1, nil, filter{name, opts}) }
}

// malformedRules are for both versions: sections 1.5, 2 and 4.7, 4.8 (4.13).
var malformedRules = []rule{
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "packet type 0", "00 00"),
	vector("MQTT-4.8.0-1", "", "packet type 15", "f0 00"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "a Remaining Length of five bytes", "c0 80 80 80 80 01"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "a Remaining Length without end", "30 ff ff ff ff ff"),
	vector("MQTT-2.2.2-2", "MQTT-2.1.3-1", "flags of PINGREQ", "c1 00"),
	vector("MQTT-2.2.2-2", "MQTT-2.1.3-1", "flags of PUBACK", "41 02 00 01"),
	vector("MQTT-2.2.2-2", "MQTT-2.1.3-1", "flags of PUBREC", "52 02 00 01"),
	vector("MQTT-3.6.1-1", "MQTT-3.6.1-1", "flags 0000 of PUBREL", "60 02 00 01"),
	vector("MQTT-3.6.1-1", "MQTT-3.6.1-1", "flags 1111 of PUBREL", "6f 02 00 01"),
	vector("MQTT-2.2.2-2", "MQTT-2.1.3-1", "flags of PUBCOMP", "74 02 00 01"),
	vector("MQTT-3.14.1-1", "MQTT-3.14.1-1", "flags of DISCONNECT", "e8 00"),
	built("MQTT-3.8.1-1", "MQTT-3.8.1-1", "flags 0000 of SUBSCRIBE", flags(0x80, subscribeTo("a", 0))),
	built("MQTT-3.8.1-1", "MQTT-3.8.1-1", "flags 0011 of SUBSCRIBE", flags(0x83, subscribeTo("a", 0))),
	built("MQTT-3.10.1-1", "MQTT-3.10.1-1", "flags 0000 of UNSUBSCRIBE", flags(0xa0, func(r *run) []byte {
		return unsubscribe(r.version, 1, "a")
	})),
	built("MQTT-3.3.1-4", "MQTT-3.3.1-4", "QoS 3", func(r *run) []byte {
		return publish{topic: r.topic("a"), qos: 3, id: 1}.encode(r.version)
	}),
	built("MQTT-3.3.1-2", "MQTT-3.3.1-2", "DUP with QoS 0", func(r *run) []byte {
		return publish{topic: r.topic("a"), dup: true}.encode(r.version)
	}),
	built("MQTT-4.7.3-1", "MQTT-4.7.3-1", "an empty topic", topicOf(""), 0x81, 0x82, 0x90),
	built("MQTT-3.3.2-2", "MQTT-3.3.2-2", "# in a topic", topicOf("acme/chat/#"), 0x81, 0x82, 0x90),
	built("MQTT-3.3.2-2", "MQTT-4.7.0-1", "+ in a topic", topicOf("acme/+/a"), 0x81, 0x82, 0x90),
	built("MQTT-4.7.3-2", "MQTT-4.7.3-2", "U+0000 in a topic", topicOf("acme/chat/\x00"), 0x81, 0x82, 0x90),
	built("MQTT-1.5.3-2", "MQTT-1.5.4-2", "U+0000 in a filter", subscribeTo("acme/\x00", 0)),
	built("MQTT-1.5.3-1", "MQTT-1.5.4-1", "a surrogate in a topic", topicOf("acme/\xed\xa0\x80"), 0x81, 0x82, 0x90),
	built("MQTT-1.5.3-1", "MQTT-1.5.4-1", "a surrogate in a filter", subscribeTo("acme/\xed\xbf\xbf", 0)),
	built("MQTT-3.3.2-1", "MQTT-3.3.2-1", "a topic cut in a character", topicOf("acme/\xc3"), 0x81, 0x82, 0x90),
	built("MQTT-1.5.3-1", "MQTT-1.5.4-1", "an overlong character", topicOf("acme/\xc0\xaf"), 0x81, 0x82, 0x90),
	built("MQTT-1.5.3-1", "MQTT-1.5.4-1", "beyond U+10FFFF", topicOf("acme/\xf4\x90\x80\x80"), 0x81, 0x82, 0x90),
	vector("MQTT-3.3.2-1", "MQTT-3.3.2-1", "a topic longer than its packet", "30 04 00 05 61 62"),
	vector("MQTT-3.3.2-1", "MQTT-3.3.2-1", "a PUBLISH without a topic", "30 00"),
	vector("MQTT-3.3.2-1", "MQTT-3.3.2-1", "a PUBLISH of one byte", "30 01 00"),
	built("MQTT-2.3.1-1", "MQTT-2.2.1-3", "packet identifier 0 of PUBLISH", func(r *run) []byte {
		return publish{topic: r.topic("a"), qos: 1}.encode(r.version)
	}),
	vector("MQTT-2.3.1-1", "MQTT-2.2.1-3", "no packet identifier of PUBLISH", "32 03 00 01 61"),
	built("MQTT-2.3.1-1", "MQTT-2.2.1-3", "packet identifier 0 of SUBSCRIBE", func(r *run) []byte {
		return subscribe(r.version, 0, nil, filter{r.topic("a"), 0})
	}),
	built("MQTT-2.3.1-1", "MQTT-2.2.1-3", "packet identifier 0 of UNSUBSCRIBE", func(r *run) []byte {
		return unsubscribe(r.version, 0, r.topic("a"))
	}),
	built("MQTT-3.8.3-3", "MQTT-3.8.3-2", "SUBSCRIBE without a filter", func(r *run) []byte { return subscribe(r.version, 1, nil) }),
	built("MQTT-3.8.3-4", "MQTT-3.8.3-5", "SUBSCRIBE with QoS 3", subscribeTo("acme/chat/open/a", 3)),
	built("MQTT-3.8.3-4", "MQTT-3.8.3-5", "reserved bits of the options", subscribeTo("acme/chat/open/a", 0x80)),
	built("MQTT-3.8.3-4", "MQTT-3.8.3-5", "reserved bit 6 of the options", subscribeTo("acme/chat/open/a", 0x41)),
	built("MQTT-3.8.3-1", "MQTT-3.8.3-1", "a filter that is not UTF-8", subscribeTo("acme/\xff", 0)),
	built("MQTT-4.7.3-1", "MQTT-4.7.3-1", "an empty filter", subscribeTo("", 0), 0x81, 0x82, 0x8f),
	built("MQTT-3.8.3-3", "MQTT-3.8.3-2", "a filter without options", func(r *run) []byte {
		b := subscribe(r.version, 1, nil, filter{"ab", 0})
		b[1]--
		return b[:len(b)-1]
	}),
	built("MQTT-3.10.3-2", "MQTT-3.10.3-2", "UNSUBSCRIBE without a filter", func(r *run) []byte { return unsubscribe(r.version, 1) }),
	built("MQTT-3.10.3-1", "MQTT-3.10.3-1", "UNSUBSCRIBE that is not UTF-8", func(r *run) []byte {
		return unsubscribe(r.version, 1, "a\xff")
	}),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "CONNACK from a client", "20 02 00 00"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "SUBACK from a client", "90 04 00 01 00 00"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "UNSUBACK from a client", "b0 04 00 01 00 00"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "PINGRESP from a client", "d0 00"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "a PUBACK of one byte", "40 01 00"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "an empty PUBREL", "62 00"),
	vector("MQTT-4.8.0-1", "MQTT-4.13.1-1", "a PINGREQ with a payload", "c0 01 00"),
	vector("MQTT-4.8.0-1", "", "a PUBACK of three bytes", "40 03 00 01 00"),
	vector("MQTT-4.8.0-1", "", "a DISCONNECT with a payload", "e0 01 00"),
	{v311: "MQTT-4.7.1-2", v5: "MQTT-4.7.1-1", name: "# before the end of a filter", run: badFilter("a/#/b")},
	{v311: "MQTT-4.7.1-2", v5: "MQTT-4.7.1-1", name: "# within a level", run: badFilter("a#")},
	{v311: "MQTT-4.7.1-3", v5: "MQTT-4.7.1-2", name: "+ within a level", run: badFilter("a+/b")},
	{v311: "MQTT-4.8.0-2", v5: "MQTT-4.13.1-1", name: "one's mistake is not another's", run: func(r *run) {
		other, c := r.client(), r.client()
		c.send(hx("00 00"))
		c.dropped()
		other.ping()
	}},
}

// flags puts another first byte before a packet.
func flags(first byte, b func(r *run) []byte) func(r *run) []byte {
	return func(r *run) []byte {
		out := b(r)
		out[0] = first
		return out
	}
}

// badFilter subscribes: the filter is refused, or the connection ends.
func badFilter(name string) func(r *run) {
	return func(r *run) {
		c := r.client()
		c.send(subscribe(r.version, 1, nil, filter{r.topic(name), 0}))
		p, err := c.next(patience)
		switch {
		case err != nil && r.version < v5:
		case err == nil && p.kind == tSUBACK && len(p.codes) == 1 && p.codes[0] >= 0x80:
		case err == nil && p.kind == tDISCONNECT && p.code >= 0x80:
		default:
			r.Errorf("got %v (%v), want a refusal", p, err)
		}
	}
}
