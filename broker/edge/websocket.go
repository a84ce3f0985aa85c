package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// subprotocols are MQTT's names among WebSocket's: that of 3.1.1 and 5.0, and
// that of 3.1. [MQTT-6.0.0-3].
var subprotocols = []string{"mqtt", "mqttv3.1"}

const (
	// maxRequest bounds the head of an upgrade request; browsers send cookies.
	maxRequest = 32 << 10
	// closeGrace is how long a client may take to answer a closing frame.
	closeGrace = time.Second
)

// guestKey is the key of a request's connection in its context.
type guestKey struct{}

// webSocketServer serves MQTT over WebSocket at /mqtt (MQTT 3.1.1 §6).
func (e *Edge) webSocketServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mqtt", e.upgrade)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: handshakeTimeout,
		ReadTimeout:       handshakeTimeout,
		WriteTimeout:      handshakeTimeout,
		IdleTimeout:       handshakeTimeout,
		MaxHeaderBytes:    maxRequest,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			return context.WithValue(ctx, guestKey{}, nc)
		},
	}
}

func (e *Edge) upgrade(w http.ResponseWriter, r *http.Request) {
	nc, ok := r.Context().Value(guestKey{}).(net.Conn)
	g := guestOf(nc)
	if !ok || g == nil {
		http.Error(w, "no connection", http.StatusInternalServerError)
		return
	}
	if !offersMQTT(r.Header) {
		e.stats.upgradeFailed.Inc()
		http.Error(w, "the WebSocket subprotocol must be mqtt or mqttv3.1", http.StatusBadRequest)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    subprotocols, // [MQTT-6.0.0-4]
		CompressionMode: websocket.CompressionDisabled,
		// A device is known by the token in its CONNECT, never by a cookie, so
		// a page of any origin may connect.
		InsecureSkipVerify: true,
	})
	if err != nil {
		e.stats.upgradeFailed.Inc()
		e.log.DebugContext(r.Context(), "WebSocket upgrade failed", slog.Any("error", err), slog.String("remote", r.RemoteAddr))
		return
	}
	ws.SetReadLimit(-1) // a message is a piece of a stream: the packets in it have their own limit
	e.adopt(newTransport(&webSocket{ws: ws, Conn: nc}, g))
}

// guestOf is the guest beneath a connection.
func guestOf(nc net.Conn) *guest {
	switch nc := nc.(type) {
	case *guest:
		return nc
	case *tls.Conn:
		g, _ := nc.NetConn().(*guest)
		return g
	}
	return nil
}

// offersMQTT reports whether a request may be MQTT: it names one of the
// subprotocols, or none, as some clients do.
func offersMQTT(h http.Header) bool {
	named := false
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			named = named || name != ""
			for _, known := range subprotocols {
				if strings.EqualFold(name, known) {
					return true
				}
			}
		}
	}
	return !named
}

// webSocket is a WebSocket as a stream of bytes: a packet may span messages and
// a message hold several. [MQTT-6.0.0-2] Deadlines are the socket's.
type webSocket struct {
	net.Conn // beneath the frames

	ws *websocket.Conn
	r  io.Reader // of the message that is being read; the reader's
}

// Read reads from the binary messages. Anything else than binary closes the
// connection. [MQTT-6.0.0-1].
func (s *webSocket) Read(p []byte) (int, error) {
	n, err := s.read(p)
	if err != nil {
		_ = s.ws.CloseNow() // its own state; the socket is closed either way
	}
	return n, err
}

func (s *webSocket) read(p []byte) (int, error) {
	for {
		if s.r == nil {
			if err := s.next(); err != nil {
				return 0, err
			}
		}
		n, err := s.r.Read(p)
		if errors.Is(err, io.EOF) {
			s.r, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// errText is what a client that sends text is closed for.
var errText = errors.New("a text frame, which MQTT does not have")

// next begins a message. Pings are answered while it waits for one.
func (s *webSocket) next() error {
	kind, r, err := s.ws.Reader(context.Background())
	if err != nil {
		switch websocket.CloseStatus(err) {
		case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
			return io.EOF
		default:
			return err
		}
	}
	if kind != websocket.MessageBinary {
		s.closeWith(websocket.StatusUnsupportedData, "only binary frames are MQTT")
		return errText
	}
	s.r = r
	return nil
}

// Write sends p as one message.
func (s *webSocket) Write(p []byte) (int, error) {
	if err := s.ws.Write(context.Background(), websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// farewell closes with a closing frame, and waits shortly for the client's.
func (s *webSocket) farewell() { s.closeWith(websocket.StatusNormalClosure, "") }

func (s *webSocket) closeWith(code websocket.StatusCode, reason string) {
	if err := s.SetDeadline(time.Now().Add(closeGrace)); err == nil {
		_ = s.ws.Close(code, reason) // the client may be gone already
	}
	_ = s.Close() // nobody could do anything about it
}
