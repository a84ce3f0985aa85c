package edge

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/coder/websocket"
)

// webSocketHandler serves MQTT over WebSocket at /mqtt (MQTT 3.1.1 §6).
func (e *Edge) webSocketHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mqtt", e.upgrade)
	return mux
}

func (e *Edge) upgrade(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"mqtt", "mqttv3.1"}, // [MQTT-6.0.0-4]
		// A device is known by the token in its CONNECT, never by a cookie, so
		// a page of any origin may connect.
		InsecureSkipVerify: true,
	})
	if err != nil {
		e.log.DebugContext(r.Context(), "WebSocket upgrade failed", slog.Any("error", err), slog.String("remote", r.RemoteAddr))
		return
	}
	// Only binary frames are MQTT; others close the connection. [MQTT-6.0.0-1]
	// A packet may span frames and a frame hold several. [MQTT-6.0.0-2]
	nc := websocket.NetConn(context.WithoutCancel(r.Context()), ws, websocket.MessageBinary)
	e.adopt(newTransport(addressed{Conn: nc, remote: r.RemoteAddr}))
}
