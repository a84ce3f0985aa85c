package packet

// properties reads a section of properties, one at a time:
//
//	s := c.properties(PUBLISH)
//	for s.next() {
//		switch s.id { … s.uint32() … }
//	}
//	user := s.end(c)
//
// It refuses what may not stand in the section and what stands there twice,
// and gathers the user properties. Before 5.0 the section is empty and takes
// no bytes.
type properties struct {
	cursor // within the section

	id    property // of the one to be read
	place Type
	seen  uint64 // by identifier, of those that may stand once
	whole []byte
	// The user properties lie together at whole[from:to], or if others stand
	// in between they are gathered.
	from, to int
	gathered UserProperties
}

// properties begins to read the section of a packet, or of the will.
func (c *cursor) properties(place Type) properties {
	s := properties{cursor: cursor{packet: c.packet, version: c.version}, place: place}
	if c.version == V5 {
		s.whole = c.take(c.varint("the property length"), "the properties")
		s.rest = s.whole
	}
	return s
}

// next finds the next property that the caller has to read.
func (s *properties) next() bool {
	for len(s.rest) > 0 {
		start := len(s.whole) - len(s.rest)
		s.identify()
		if s.id != propUser || s.err != nil {
			return s.err == nil
		}
		s.pair(start)
	}
	return false
}

// end gives the packet's cursor the error of the section, and returns the user
// properties, which alias the frame if they can.
func (s *properties) end(c *cursor) UserProperties {
	if s.err != nil && c.err == nil {
		c.err, c.rest = s.err, nil
	}
	if s.gathered == nil && s.to > s.from {
		return UserProperties(s.whole[s.from:s.to:s.to])
	}
	return s.gathered
}

// identify reads an identifier and asks whether it may stand here.
func (s *properties) identify() {
	id := s.varint("a property identifier")
	if s.err != nil {
		return
	}
	if id > int(lastProperty) || propertySections[s.place][id] == "" {
		s.fail(ruleProperty, "a property that is unknown or not one of this packet")
		return
	}
	s.id = property(id) //nolint:gosec // at most lastProperty
	if s.id == propUser || s.id == propSubscriptionID && s.place == PUBLISH {
		return
	}
	if s.seen&(1<<id) != 0 {
		s.refuse(" is there twice")
	}
	s.seen |= 1 << id
}

// has says whether the property was there.
func (s *properties) has(id property) bool { return s.seen&(1<<id) != 0 }

// refuse fails with what is a protocol error of the property at hand.
func (s *properties) refuse(why string) {
	s.fail(rule{v5: propertySections[s.place][s.id], reason: ProtocolError}, propertyNames[s.id]+why)
}

// pair reads a user property that starts at whole[start:]. As long as they lie
// together no byte is copied.
func (s *properties) pair(start int) {
	s.cursor.text("the key of a user property")   // [MQTT-1.5.7-1]
	s.cursor.text("the value of a user property") // [MQTT-1.5.7-1]
	end := len(s.whole) - len(s.rest)
	switch {
	case s.err != nil:
	case s.gathered != nil:
		s.gathered = append(s.gathered, s.whole[start:end]...)
	case s.to == s.from:
		s.from, s.to = start, end
	case s.to == start:
		s.to = end
	default:
		s.gathered = append(append(s.gathered, s.whole[s.from:s.to]...), s.whole[start:end]...)
	}
}

// flag reads a byte that is 0 or 1.
func (s *properties) flag() byte {
	b := s.byte(propertyNames[s.id])
	if b > 1 {
		s.refuse(" is neither 0 nor 1")
	}
	return b
}

func (s *properties) uint16() uint16 { return s.cursor.uint16(propertyNames[s.id]) }
func (s *properties) uint32() uint32 { return s.cursor.uint32(propertyNames[s.id]) }

// positive16 reads a number that may not be zero.
func (s *properties) positive16() uint16 {
	n := s.uint16()
	if n == 0 {
		s.refuse(" is 0")
	}
	return n
}

// positive32 reads a number that may not be zero.
func (s *properties) positive32() uint32 {
	n := s.uint32()
	if n == 0 {
		s.refuse(" is 0")
	}
	return n
}

// subscriptionID reads a variable byte integer that may not be zero.
func (s *properties) subscriptionID() uint32 {
	n := s.varint(propertyNames[s.id])
	if n == 0 {
		s.refuse(" is 0")
	}
	return uint32(n) //nolint:gosec // four bytes of seven bits
}

// text reads a string, binary a field of bytes. Both alias the frame.
func (s *properties) text() []byte   { return s.cursor.text(propertyNames[s.id]) }
func (s *properties) binary() []byte { return s.cursor.binary(propertyNames[s.id]) }
