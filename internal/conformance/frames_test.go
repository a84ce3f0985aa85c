package conformance_test

import (
	"bufio"
	"slices"
)

// webSocketRules are about MQTT over WebSocket: section 6.
var webSocketRules = []rule{
	{v311: "MQTT-6.0.0-1", v5: "MQTT-6.0.0-1", name: "a text frame ends the connection", webSocket: true, run: func(r *run) {
		c, ws := r.open("mqtt")
		_ = ws.frame(wsFinal|wsText, r.hello(r.fresh()).encode())
		c.dropped()
	}},
	{v311: "MQTT-6.0.0-1", v5: "MQTT-6.0.0-1", name: "a text frame after CONNECT", webSocket: true, run: func(r *run) {
		c, ws := r.open("mqtt")
		c.send(r.hello(r.fresh()).encode())
		c.expect(tCONNACK)
		_ = ws.frame(wsFinal|wsText, pingreq())
		c.dropped()
	}},
	{v311: "MQTT-6.0.0-2", v5: "MQTT-6.0.0-2", name: "several packets in a frame", webSocket: true, run: func(r *run) {
		c, _ := r.open("mqtt")
		c.send(r.hello(r.fresh()).encode(), pingreq(), pingreq())
		is(r, "code", c.expect(tCONNACK).code, 0)
		c.expect(tPINGRESP)
		c.expect(tPINGRESP)
	}},
	{v311: "MQTT-6.0.0-2", v5: "MQTT-6.0.0-2", name: "a packet across frames", webSocket: true, run: func(r *run) {
		c, _ := r.open("mqtt")
		for piece := range slices.Chunk(r.hello(r.fresh()).encode(), 5) {
			c.send(piece)
		}
		is(r, "code", c.expect(tCONNACK).code, 0)
		c.send(pingreq()[:1])
		c.send(slices.Concat(pingreq()[1:], pingreq()))
		c.expect(tPINGRESP)
		c.expect(tPINGRESP)
	}},
	{v311: "MQTT-6.0.0-2", v5: "MQTT-6.0.0-2", name: "a fragmented frame", webSocket: true, run: func(r *run) {
		c, ws := r.open("mqtt")
		hello := r.hello(r.fresh()).encode()
		for i, part := range [][]byte{hello[:3], {}, hello[3:9], hello[9:]} {
			first := []byte{wsBinary, wsContinuation, wsContinuation, wsFinal | wsContinuation}[i]
			if err := ws.frame(first, part); err != nil {
				r.Fatal(err)
			}
		}
		is(r, "code", c.expect(tCONNACK).code, 0)
	}},
	{v311: "RFC 6455", v5: "RFC 6455", name: "a ping between fragments", webSocket: true, run: func(r *run) {
		c, ws := r.open("mqtt")
		hello := r.hello(r.fresh()).encode()
		_ = ws.frame(wsBinary, hello[:7])
		_ = ws.frame(wsFinal|wsPing, []byte("are you there"))
		_ = ws.frame(wsFinal|wsContinuation, hello[7:])
		is(r, "code", c.expect(tCONNACK).code, 0)
		is(r, "pongs", ws.pongs, 1)
	}},
	{v311: "RFC 6455", v5: "RFC 6455", name: "an empty frame", webSocket: true, run: func(r *run) {
		c, _ := r.open("mqtt")
		c.send(nil)
		c.send(r.hello(r.fresh()).encode())
		is(r, "code", c.expect(tCONNACK).code, 0)
	}},
	{v311: "RFC 6455", v5: "RFC 6455", name: "a close frame ends the connection", webSocket: true, run: func(r *run) {
		c, ws := r.open("mqtt")
		c.send(r.hello(r.fresh()).encode())
		c.expect(tCONNACK)
		_ = ws.frame(wsFinal|wsClose, u16(1000))
		c.dropped()
	}},
	{v311: "MQTT-6.0.0-4", v5: "MQTT-6.0.0-4", name: "the subprotocol is mqtt", webSocket: true, run: func(r *run) {
		_, ws := r.open("mqtt")
		is(r, "subprotocol", ws.subprotocol, "mqtt")
	}},
	{v311: "MQTT-6.0.0-3", v5: "MQTT-6.0.0-3", name: "mqtt among other subprotocols", webSocket: true, run: func(r *run) {
		_, ws := r.open("soap, mqtt")
		is(r, "subprotocol", ws.subprotocol, "mqtt")
	}},
	{v31: "extension", name: "the subprotocol mqttv3.1", webSocket: true, run: func(r *run) {
		c, ws := r.open("mqttv3.1")
		is(r, "subprotocol", ws.subprotocol, "mqttv3.1")
		c.send(r.hello(r.fresh()).encode())
		is(r, "code", c.expect(tCONNACK).code, 0)
	}},
}

// open opens a WebSocket with that offer of subprotocols.
func (r *run) open(offer string) (*client, *wsStream) {
	r.Helper()
	conn, err := r.link.socket(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = conn.Close() })
	ws, err := upgrade(conn, r.link.url, offer)
	if err != nil {
		r.Fatal(err)
	}
	return &client{t: r.T, stream: ws, r: bufio.NewReader(ws), version: r.version}, ws
}
