package packet

import "errors"

// Errors of Split and Decode. What breaks the rules of the encoding is a
// *Malformed, and errors.Is(err, ErrMalformed).
var (
	// ErrMalformed matches every *Malformed.
	ErrMalformed = errors.New("malformed packet")
	// ErrTooLarge: the packet is over the limit given to Split.
	ErrTooLarge = errors.New("packet too large")
	// ErrUnsupportedVersion: a CONNECT of a protocol version that is not
	// implemented. The server answers CONNACK 0x01, or 0x84 in the form of
	// 5.0 to those of a later level, and closes [MQTT-3.1.2-2].
	ErrUnsupportedVersion = errors.New("unsupported protocol version")
)

// Malformed says which packet broke which rule. All fields come from
// small fixed sets, never from the network, so that they can label a metric.
type Malformed struct { //nolint:errname // packet.Malformed says it; an Error suffix would only repeat the context
	Packet Type
	Clause string     // "MQTT-3.3.2-2", or "section 3.2.2.1" for a rule without a tag
	Why    string     // for the log
	Reason ReasonCode // what MQTT 5.0 answers: MalformedPacket or ProtocolError
}

// Error is one line for the log.
func (m *Malformed) Error() string {
	return "malformed " + m.Packet.String() + ": " + m.Why + " [" + m.Clause + "]"
}

// Unwrap makes errors.Is(err, ErrMalformed) true.
func (m *Malformed) Unwrap() error { return ErrMalformed }
