package conformance_test

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The opcodes of RFC 6455, section 5.2.
const (
	wsContinuation byte = 0x0
	wsText         byte = 0x1
	wsBinary       byte = 0x2
	wsClose        byte = 0x8
	wsPing         byte = 0x9
	wsPong         byte = 0xA
	wsFinal        byte = 0x80
)

// wsStream is a WebSocket whose frames the cases can make themselves.
type wsStream struct {
	net.Conn

	r           *bufio.Reader
	rest        []byte // of the frame that is being read
	subprotocol string
	pongs       int
}

// upgrade performs the handshake of RFC 6455, section 4.1.
func upgrade(conn net.Conn, u *url.URL, subprotocol string) (*wsStream, error) {
	key := base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16]))
	request := "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n"
	if subprotocol != "" {
		request += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, fmt.Errorf("the WebSocket handshake: %w", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the WebSocket handshake is answered %s", answer.Status)
	}
	_ = conn.SetDeadline(time.Time{})
	return &wsStream{Conn: conn, r: r, subprotocol: answer.Header.Get("Sec-WebSocket-Protocol")}, nil
}

// frame writes one masked frame: the opcode, with wsFinal or without.
func (w *wsStream) frame(first byte, payload []byte) error {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := []byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	_, err := w.Conn.Write(b)
	return err
}

// Write sends one binary frame.
func (w *wsStream) Write(b []byte) (int, error) {
	if err := w.frame(wsFinal|wsBinary, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read returns bytes of the server's binary frames.
func (w *wsStream) Read(b []byte) (int, error) {
	for len(w.rest) == 0 {
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// next reads a frame. The server's are never masked.
func (w *wsStream) next() error {
	var head [2]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return err
	}
	n := uint64(head[1])
	long := map[byte]int{126: 2, 127: 8}[head[1]]
	if long > 0 {
		size := make([]byte, 8)
		if _, err := io.ReadFull(w.r, size[8-long:]); err != nil {
			return err
		}
		n = binary.BigEndian.Uint64(size)
	}
	if head[1]&0x80 != 0 || n > 1<<24 {
		return errors.New("the server masks its frames, or writes far too long ones")
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(w.r, payload); err != nil {
		return err
	}
	switch head[0] & 0x0f {
	case wsBinary, wsContinuation:
		w.rest = payload
	case wsPing:
		return w.frame(wsFinal|wsPong, payload)
	case wsPong:
		w.pongs++
	case wsClose:
		return io.EOF
	default: // [MQTT-6.0.0-1]
		return fmt.Errorf("the server sends a frame of type %x", head[0]&0x0f)
	}
	return nil
}
