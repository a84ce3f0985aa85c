package packet

// Pingreq asks the server for a sign of life.
type Pingreq struct {
	Version Version // makes no difference
}

// Decode reads a PINGREQ.
func (p *Pingreq) Decode(f Frame) error {
	c := open(f, PINGREQ, 0, ruleFlags)
	p.Version = c.version
	return c.end()
}

// Append writes the packet to dst.
func (p Pingreq) Append(dst []byte) []byte { return appendHeader(dst, PINGREQ, 0, 0) }

// Pingresp answers a Pingreq.
type Pingresp struct {
	Version Version // makes no difference
}

// Decode reads a PINGRESP.
func (p *Pingresp) Decode(f Frame) error {
	c := open(f, PINGRESP, 0, ruleFlags)
	p.Version = c.version
	return c.end()
}

// Append writes the packet to dst.
func (p Pingresp) Append(dst []byte) []byte { return appendHeader(dst, PINGRESP, 0, 0) }
