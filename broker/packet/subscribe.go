package packet

import "encoding/binary"

// The bits of the subscription options (section 3.8.3.1 of 5.0); older
// versions have the QoS alone.
const (
	optionQoS               byte = 3 << 0
	optionNoLocal           byte = 1 << 2
	optionRetainAsPublished byte = 1 << 3
	optionRetainHandling    byte = 3 << 4
	optionReserved          byte = 3 << 6
)

// Subscription is one filter of a SUBSCRIBE with the highest QoS its
// subscriber wants and, in 5.0, the options.
type Subscription struct {
	Filter            string
	QoS               byte
	NoLocal           bool // not what this client published; not with shared ones [MQTT-3.8.3-4]
	RetainAsPublished bool // keep RETAIN as it was
	// RetainHandling says when retained messages are sent: 0 always, 1 if the
	// subscription is new, 2 never.
	RetainHandling byte
}

// Subscribe asks for messages.
type Subscribe struct {
	Version       Version // when encoding, 0 means V311
	PacketID      uint16
	Subscriptions []Subscription
	Properties    SubscribeProperties // 5.0 only
}

// SubscribeProperties are the properties of a SUBSCRIBE.
type SubscribeProperties struct {
	SubscriptionID uint32 // 1 to 268,435,455; 0 means absent
	User           UserProperties
}

// Decode reads a SUBSCRIBE. Filters are UTF-8 and not empty; whether their
// wildcards are well placed is left to the session.
func (p *Subscribe) Decode(f Frame) error {
	*p = Subscribe{}
	c := open(f, SUBSCRIBE, 0b0010, ruleSubscribeFlags)
	p.Version = c.version
	p.PacketID = c.packetID()
	p.Properties.decode(&c)
	if len(c.rest) == 0 {
		c.fail(ruleNoFilter, "no topic filter")
	}
	for len(c.rest) > 0 {
		filter := c.filter("a topic filter") // [MQTT-3.8.3-1]
		p.Subscriptions = append(p.Subscriptions, c.subscription(string(filter)))
	}
	return c.end()
}

// subscription reads the byte behind a filter. 3.1 does not use its other bits.
func (c *cursor) subscription(filter string) Subscription {
	options := c.byte("a requested QoS")
	s := Subscription{Filter: filter, QoS: options & optionQoS}
	reserved := ^optionQoS
	switch c.version {
	case V31:
		reserved = 0
	case V5:
		reserved = optionReserved
		s.NoLocal = options&optionNoLocal != 0
		s.RetainAsPublished = options&optionRetainAsPublished != 0
		s.RetainHandling = options & optionRetainHandling >> 4
	default:
	}
	if options&reserved != 0 {
		c.fail(ruleSubscribeBits, "reserved bits of the subscription options are not zero")
	}
	if s.QoS == 3 {
		c.fail(ruleSubscribeQoS, "the requested QoS is not 0, 1 or 2")
	}
	if s.RetainHandling == 3 {
		c.fail(ruleRetainHandling, "retain handling 3")
	}
	return s
}

func (o *SubscribeProperties) decode(c *cursor) {
	s := c.properties(SUBSCRIBE)
	for s.next() {
		o.SubscriptionID = s.subscriptionID() // the only one besides the user's
	}
	o.User = s.end(c).clone()
}

// Append writes the packet to dst.
func (p Subscribe) Append(dst []byte) []byte {
	dst, at := begin(dst, SUBSCRIBE, 0b0010)
	dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	if p.Version == V5 {
		dst = p.Properties.append(dst)
	}
	for _, s := range p.Subscriptions {
		dst = append(appendField(dst, s.Filter), s.options(p.Version))
	}
	return closeLength(dst, at)
}

func (o *SubscribeProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = openLength(dst)
	dst = putSubscriptionID(dst, o.SubscriptionID, o.SubscriptionID != 0)
	return closeLength(append(dst, o.User...), at)
}

func (s *Subscription) options(v Version) byte {
	options := s.QoS
	if v != V5 {
		return options
	}
	if s.NoLocal {
		options |= optionNoLocal
	}
	if s.RetainAsPublished {
		options |= optionRetainAsPublished
	}
	return options | s.RetainHandling<<4
}
