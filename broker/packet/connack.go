package packet

// Connack answers a CONNECT.
type Connack struct {
	Version        Version           // when encoding, 0 means V311
	SessionPresent bool              // not in 3.1, whose byte is reserved
	Code           ConnackCode       // 3.1 and 3.1.1
	Reason         ReasonCode        // 5.0
	Properties     ConnackProperties // 5.0 only
}

// Decode reads a CONNACK.
func (p *Connack) Decode(f Frame) error {
	*p = Connack{}
	c := open(f, CONNACK, 0, ruleFlags)
	p.Version = c.version
	flags := c.byte("the acknowledge flags")
	code := c.byte("the return code")
	if c.version == V31 {
		flags = 0 // reserved and not used
	}
	if flags > 1 {
		c.fail(ruleConnackFlags, "reserved acknowledge flags are not zero")
	}
	p.decodeCode(&c, code)
	if flags == 1 && code != 0 {
		c.fail(ruleRefusalSession, "session present with a refusal")
	}
	p.SessionPresent = flags == 1
	p.Properties.decode(&c)
	return c.end()
}

func (p *Connack) decodeCode(c *cursor, code byte) {
	if c.version == V5 {
		p.Reason = c.checkReason(ReasonCode(code))
		return
	}
	p.Code = ConnackCode(code)
	if p.Code > NotAuthorized {
		c.fail(ruleConnackCode, "the return code is reserved")
	}
}

// Append writes the packet to dst. A refusal never carries session present
// [MQTT-3.2.2-4] [MQTT-3.2.2-6].
func (p Connack) Append(dst []byte) []byte {
	code := byte(p.Code)
	if p.Version == V5 {
		code = byte(p.Reason)
	}
	var flags byte
	if p.SessionPresent && code == 0 && p.Version != V31 {
		flags = 1
	}
	dst, at := begin(dst, CONNACK, 0)
	dst = append(dst, flags, code)
	if p.Version == V5 {
		dst = p.Properties.append(dst)
	}
	return closeLength(dst, at)
}
