package edge_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// The opcodes of RFC 6455 §5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// frame is a client's WebSocket frame, masked as it must be.
func frame(op byte, fin bool, payload []byte) []byte {
	head := []byte{op, 0}
	if fin {
		head[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		head[1] = byte(n)
	case n < 1<<16:
		head[1] = 126
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	default:
		head[1] = 127
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	head[1] |= 0x80
	mask := [4]byte{1, 2, 3, 4}
	head = append(head, mask[:]...)
	for i, b := range payload {
		head = append(head, b^mask[i%4])
	}
	return head
}

// request is an upgrade request that offers those subprotocols.
func request(path, offered string) string {
	r := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	if offered != "" {
		r += "Sec-WebSocket-Protocol: " + offered + "\r\n"
	}
	return r + "\r\n"
}

// raw is a WebSocket of which every frame is seen.
type raw struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

// answer is what came of an upgrade request.
type answer struct {
	status int
	header http.Header
	body   string
}

func ask(t *testing.T, nc net.Conn, request string) (*raw, answer) {
	t.Helper()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(nc, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(nc)
	got, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode == http.StatusSwitchingProtocols {
		return &raw{t, nc, r}, answer{got.StatusCode, got.Header, ""}
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &raw{t, nc, r}, answer{got.StatusCode, got.Header, string(body)}
}

func upgraded(t *testing.T, nc net.Conn, offered string) *raw {
	t.Helper()
	ws, got := ask(t, nc, request("/mqtt", offered))
	if got.status != http.StatusSwitchingProtocols {
		t.Fatalf("got %d", got.status)
	}
	return ws
}

func (r *raw) send(frames ...[]byte) {
	r.t.Helper()
	for _, f := range frames {
		if _, err := r.nc.Write(f); err != nil {
			r.t.Fatal(err)
		}
	}
}

// next reads one frame of the server, which does not mask.
func (r *raw) next() (op byte, payload []byte) {
	r.t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		r.t.Fatal(err)
	}
	if head[0]&0x80 == 0 || head[0]&0x70 != 0 || head[1] >= 126 {
		r.t.Fatalf("unexpected frame % x", head)
	}
	payload = make([]byte, head[1])
	if _, err := io.ReadFull(r.r, payload); err != nil {
		r.t.Fatal(err)
	}
	return head[0] & 0xf, payload
}

func (r *raw) want(op byte, payload string) {
	r.t.Helper()
	gotOp, got := r.next()
	if gotOp != op || !strings.HasPrefix(string(got), payload) {
		r.t.Errorf("got opcode %#x % x, want %#x % x", gotOp, got, op, payload)
	}
}

const (
	connack  = "\x20\x02\x00\x00"
	pingresp = "\xd0\x00"
	pingreq  = "\xc0\x00"
)

func (w *world) hello() []byte {
	w.t.Helper()
	return packet.Connect{
		Clean: true, ClientID: "browser", KeepAlive: 60,
		HasUsername: true, Username: "acme/chat", HasPassword: true, Password: []byte(w.token("acme", "ana")),
	}.Append(nil)
}

func TestWebSocketUpgrade(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, tt := range []struct {
		name, request string
		status        int
		chosen        string
	}{
		{"mqtt", request("/mqtt", "mqtt"), 101, "mqtt"},
		{"MQTT 3.1", request("/mqtt", "mqttv3.1"), 101, "mqttv3.1"},
		{"several", request("/mqtt", "chat, mqttv3.1, mqtt"), 101, "mqtt"},
		{"in two lines", request("/mqtt", "chat\r\nSec-WebSocket-Protocol: mqtt"), 101, "mqtt"},
		{"none", request("/mqtt", ""), 101, ""},
		{"only others", request("/mqtt", "chat, mqttx"), 400, ""},
		{"other path", request("/", "mqtt"), 404, ""},
		{"below the path", request("/mqtt/x", "mqtt"), 404, ""},
		{"no upgrade", "GET /mqtt HTTP/1.1\r\nHost: localhost\r\n\r\n", 426, ""},
		{"POST", "POST /mqtt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405, ""},
		{"old version", strings.Replace(request("/mqtt", "mqtt"), "Version: 13", "Version: 8", 1), 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, answer := ask(t, w.tcp(edge.WS), tt.request)
			if answer.status != tt.status {
				t.Fatalf("got %d, want %d", answer.status, tt.status)
			}
			if got := answer.header.Get("Sec-WebSocket-Protocol"); got != tt.chosen { // [MQTT-6.0.0-4]
				t.Errorf("subprotocol %q, want %q", got, tt.chosen)
			}
			if got := answer.header.Get("Sec-WebSocket-Extensions"); got != "" {
				t.Errorf("extensions %q, want none: compression is off", got)
			}
		})
	}
}

// A packet may span frames and messages, and each may hold several packets.
// [MQTT-6.0.0-2].
func TestWebSocketFraming(t *testing.T) {
	t.Parallel()
	w := start(t)
	hello := w.hello()
	pings := []byte(pingreq + pingreq + pingreq)
	for _, tt := range []struct {
		name   string
		frames [][]byte
		pings  int
	}{
		{"all in one", [][]byte{frame(opBinary, true, append(hello, pings...))}, 3},
		{"packets across messages", [][]byte{
			frame(opBinary, true, hello[:5]), frame(opBinary, true, append(hello[5:len(hello):len(hello)], pings[:1]...)), frame(opBinary, true, pings[1:4]),
			frame(opBinary, true, pings[4:]),
		}, 3},
		{"fragments with a ping and empty ones between", [][]byte{
			frame(opBinary, false, hello[:1]), frame(opContinuation, false, nil), frame(opPong, true, []byte("unasked")),
			frame(opContinuation, false, hello[1:9]), frame(opContinuation, true, append(hello[9:len(hello):len(hello)], pings...)),
			frame(opBinary, true, nil),
		}, 3},
		{"a byte a frame", func() (all [][]byte) {
			for _, b := range append(hello, pings...) {
				all = append(all, frame(opBinary, true, []byte{b}))
			}
			return all
		}(), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ws := upgraded(t, w.tcp(edge.WS), "mqtt")
			ws.send(tt.frames...)
			var got string
			for want := connack + strings.Repeat(pingresp, tt.pings); len(got) < len(want); {
				op, payload := ws.next()
				if op != opBinary {
					t.Fatalf("got opcode %#x", op)
				}
				if got += string(payload); !strings.HasPrefix(want, got) {
					t.Fatalf("got % x", got)
				}
			}
		})
	}
}

func TestWebSocketControlFrames(t *testing.T) {
	t.Parallel()
	w := start(t)
	ws := upgraded(t, w.tcp(edge.WS), "mqtt")
	ws.send(frame(opPing, true, []byte("before")))
	ws.want(opPong, "before")
	ws.send(frame(opBinary, true, w.hello()))
	ws.want(opBinary, connack)
	ws.send(frame(opPing, true, []byte("after")))
	ws.want(opPong, "after")
	ws.send(frame(opBinary, true, []byte(pingreq)))
	ws.want(opBinary, pingresp)

	ws.send(frame(opClose, true, []byte{0x03, 0xe8})) // 1000
	ws.want(opClose, "\x03\xe8")
	gone(t, ws.nc)
}

func TestWebSocketClosingFrames(t *testing.T) {
	t.Parallel()
	w := start(t)
	hello := w.hello()
	for _, tt := range []struct {
		name   string
		frames [][]byte
		code   string
	}{
		{"text", [][]byte{frame(opText, true, []byte("hello"))}, "\x03\xeb"}, // 1003
		{"reserved opcode", [][]byte{frame(0x3, true, nil)}, "\x03\xea"},     // 1002
		{"not masked", [][]byte{{0x82, 0x01, 0xc0}}, ""},                     // closed without a word
		{"continuation of nothing", [][]byte{frame(opContinuation, true, []byte{0xc0})}, "\x03\xea"},
		{"garbage", [][]byte{frame(opBinary, true, []byte{0x10, 0xff, 0xff, 0xff, 0xff})}, "\x03\xe8"}, // 1000
		{"goodbye", [][]byte{frame(opBinary, true, append(hello, 0xe0, 0))}, "\x03\xe8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ws := upgraded(t, w.tcp(edge.WS), "mqtt")
			ws.send(tt.frames...)
			if tt.code == "" {
				gone(t, ws.nc)
				return
			}
			op, payload := ws.next()
			if op == opBinary { // the CONNACK of goodbye
				op, payload = ws.next()
			}
			if op != opClose || !strings.HasPrefix(string(payload), tt.code) {
				t.Errorf("got opcode %#x % x, want a closing frame of % x", op, payload, tt.code)
			}
			gone(t, ws.nc)
		})
	}
	until(t, "every place is free", func() bool { open, _, _ := w.edge.Places(); return open == 0 })
}

// What bounds memory is the packet, not the message that carries it.
func TestWebSocketLimits(t *testing.T) {
	t.Parallel()
	w := start(t)
	ws := upgraded(t, w.tcp(edge.WS), "mqtt")
	ws.send(frame(opBinary, true, w.hello()))
	ws.want(opBinary, connack)
	var all []byte
	for range 8 {
		all = append(all, publish("acme/chat/users/ana/up/x", strings.Repeat("x", 100_000), 0, 0)...)
	}
	ws.send(frame(opBinary, true, append(all, pingreq...)))
	ws.want(opBinary, pingresp)
	ws.send(frame(opBinary, false, []byte{0x30, 0x80, 0x80, 0x80, 0x01})) // a packet of 2 MiB
	if op, _ := ws.next(); op != opClose {
		t.Errorf("got opcode %#x", op)
	}
}

func TestWebSocketRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	w := start(t)
	_, answer := ask(t, w.tcp(edge.WS), request("/mqtt", "chat"))
	if !strings.Contains(answer.body, "mqttv3.1") {
		t.Errorf("%q does not say what would do", answer.body)
	}
	if n := w.metric("websocket_upgrade_failures_total", ""); n != 1 {
		t.Errorf("counted %v", n)
	}
}
