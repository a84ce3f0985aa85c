package broker

import "time"

// The types of events. Each is a word that can stand in a NATS subject.
const (
	EventConnected    = "connected"
	EventDisconnected = "disconnected"
)

// Event tells of a client, for the device registry and for webhooks. Events
// are told at most once: whoever must know for certain asks.
type Event struct {
	Type     string `json:"type"`
	Org      string `json:"org"`
	App      string `json:"app"`
	User     string `json:"user"`
	ClientID string `json:"client_id"`
	// Node is where the client is or was connected, Instance which start of it.
	Node     string `json:"node"`
	Instance string `json:"instance,omitempty"`
	// Epoch of the connection, by which events of one session can be put in order.
	Epoch uint64 `json:"epoch,omitempty"`
	// Reason is why a connection ended; empty otherwise.
	Reason string `json:"reason,omitempty"`
	// Will says that the client's will is published.
	Will bool      `json:"will,omitempty"`
	At   time.Time `json:"at"`
}
