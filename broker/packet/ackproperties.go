package packet

// AckProperties are the properties of everything that acknowledges: PUBACK,
// PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK of 5.0.
type AckProperties struct {
	ReasonString string // for people; empty means absent
	User         UserProperties
}

func (a *AckProperties) empty() bool { return a.ReasonString == "" && len(a.User) == 0 }

// decode reads the properties, which must be there.
func (a *AckProperties) decode(c *cursor) {
	s := c.properties(c.packet)
	for s.next() {
		a.ReasonString = string(s.text()) // the only one besides the user's
	}
	a.User = s.end(c).clone()
}

// decodeOptional reads them where a packet may end without their length.
func (a *AckProperties) decodeOptional(c *cursor) {
	if len(c.rest) > 0 {
		a.decode(c)
	}
}

// append writes the properties with their length.
func (a *AckProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = openLength(dst)
	dst = putField(dst, propReasonString, a.ReasonString, a.ReasonString != "")
	dst = append(dst, a.User...)
	return closeLength(dst, at)
}
