package packet

// Disconnect is a client's farewell: its will is not published.
type Disconnect struct{}

// Decode reads a DISCONNECT.
func (p *Disconnect) Decode(f Frame) error {
	c := open(f, DISCONNECT, 0, "MQTT-3.14.1-1")
	return c.end()
}

// Append writes the packet to dst.
func (p Disconnect) Append(dst []byte) []byte { return appendHeader(dst, DISCONNECT, 0, 0) }
