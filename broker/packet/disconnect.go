package packet

// Disconnect is a farewell. A client's that says NormalDisconnection, as it
// always does before 5.0, has its will not published. A server has none to say
// before 5.0.
type Disconnect struct {
	Version    Version              // when encoding, 0 means V311
	Reason     ReasonCode           // 5.0 only
	Properties DisconnectProperties // 5.0 only
}

// DisconnectProperties are the properties of a DISCONNECT.
type DisconnectProperties struct {
	HasSessionExpiry bool   // never from a server [MQTT-3.14.2-2]
	SessionExpiry    uint32 // in seconds; 0xFFFFFFFF never ends
	ReasonString     string // for people; empty means absent
	User             UserProperties
	ServerReference  string // where to go instead; empty means absent
}

// Decode reads a DISCONNECT.
func (p *Disconnect) Decode(f Frame) error {
	*p = Disconnect{}
	c := open(f, DISCONNECT, 0, ruleDisconnectFlags)
	p.Version = c.version
	if c.version == V5 && len(c.rest) > 0 { // without: NormalDisconnection
		p.Reason = c.checkReason(ReasonCode(c.byte("the reason code")))
		p.Properties.decodeOptional(&c)
	}
	return c.end()
}

// decodeOptional reads the properties unless the packet ends without their
// length (section 3.14.2.2.1).
func (d *DisconnectProperties) decodeOptional(c *cursor) {
	if len(c.rest) == 0 {
		return
	}
	s := c.properties(DISCONNECT)
	for s.next() {
		switch s.id {
		case propSessionExpiry:
			d.HasSessionExpiry, d.SessionExpiry = true, s.uint32()
		case propReasonString:
			d.ReasonString = string(s.text())
		case propServerReference:
			d.ServerReference = string(s.text())
		default:
		}
	}
	d.User = s.end(c).clone()
}

// Append writes the packet to dst in its shortest form.
func (p Disconnect) Append(dst []byte) []byte {
	dst, at := begin(dst, DISCONNECT, 0)
	bare := p.Properties.empty()
	if p.Version == V5 && (p.Reason != NormalDisconnection || !bare) {
		dst = append(dst, byte(p.Reason))
		if !bare {
			dst = p.Properties.append(dst)
		}
	}
	return closeLength(dst, at)
}

func (d *DisconnectProperties) empty() bool {
	return !d.HasSessionExpiry && d.ReasonString == "" && d.ServerReference == "" && len(d.User) == 0
}

func (d *DisconnectProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = openLength(dst)
	dst = putUint32(dst, propSessionExpiry, d.SessionExpiry, d.HasSessionExpiry)
	dst = putField(dst, propReasonString, d.ReasonString, d.ReasonString != "")
	dst = append(dst, d.User...)
	dst = putField(dst, propServerReference, d.ServerReference, d.ServerReference != "")
	return closeLength(dst, at)
}
