package packet

// PublishProperties are the properties of a PUBLISH. After Decode all of it
// but SubscriptionIDs aliases the frame.
type PublishProperties struct {
	PayloadFormat    byte // 0 bytes, 1 UTF-8, which nobody has checked here
	HasMessageExpiry bool
	MessageExpiry    uint32 // in seconds
	TopicAlias       uint16 // 0 means absent
	ResponseTopic    []byte // a topic name; empty means absent
	HasCorrelation   bool
	Correlation      []byte
	ContentType      []byte // empty means absent
	// SubscriptionIDs are 1 to 268,435,455. A client must not send any
	// [MQTT-3.3.4-6]: to refuse them is the session's.
	SubscriptionIDs []uint32
	User            UserProperties
}

func (p *PublishProperties) decode(c *cursor) {
	s := c.properties(PUBLISH)
	for s.next() {
		switch s.id {
		case propPayloadFormat:
			p.PayloadFormat = s.flag()
		case propMessageExpiry:
			p.HasMessageExpiry, p.MessageExpiry = true, s.uint32()
		case propTopicAlias:
			p.TopicAlias = s.topicAlias()
		case propResponseTopic:
			p.ResponseTopic = s.responseTopic()
		case propCorrelation:
			p.HasCorrelation, p.Correlation = true, s.binary()
		case propContentType:
			p.ContentType = s.text() // [MQTT-3.3.2-19]
		case propSubscriptionID:
			p.SubscriptionIDs = append(p.SubscriptionIDs, s.subscriptionID())
		default:
		}
	}
	p.User = s.end(c)
}

// topicAlias reads an alias, which is never zero.
func (s *properties) topicAlias() uint16 {
	alias := s.uint16()
	if alias == 0 {
		s.fail(ruleTopicAlias, "topic alias 0")
	}
	return alias
}

// responseTopic reads a topic name [MQTT-3.3.2-13].
func (s *properties) responseTopic() []byte {
	return s.name(propertyNames[propResponseTopic], ruleResponseTopic)
}

// append writes the properties without their length.
func (p *PublishProperties) append(dst []byte) []byte {
	dst = putByte(dst, propPayloadFormat, p.PayloadFormat, p.PayloadFormat != 0)
	dst = putUint32(dst, propMessageExpiry, p.MessageExpiry, p.HasMessageExpiry)
	dst = putUint16(dst, propTopicAlias, p.TopicAlias, p.TopicAlias != 0)
	dst = putField(dst, propResponseTopic, p.ResponseTopic, len(p.ResponseTopic) > 0)
	dst = putField(dst, propCorrelation, p.Correlation, p.HasCorrelation)
	dst = putField(dst, propContentType, p.ContentType, len(p.ContentType) > 0)
	for _, id := range p.SubscriptionIDs {
		dst = putSubscriptionID(dst, id, true)
	}
	return append(dst, p.User...)
}

// size is the number of bytes that append writes.
func (p *PublishProperties) size() int {
	n := len(p.User)
	if p.PayloadFormat != 0 {
		n += 2
	}
	if p.HasMessageExpiry {
		n += 5
	}
	if p.TopicAlias != 0 {
		n += 3
	}
	if len(p.ResponseTopic) > 0 {
		n += 1 + fieldSize(p.ResponseTopic)
	}
	if p.HasCorrelation {
		n += 1 + fieldSize(p.Correlation)
	}
	if len(p.ContentType) > 0 {
		n += 1 + fieldSize(p.ContentType)
	}
	for _, id := range p.SubscriptionIDs {
		n += 1 + varintSize(int(id))
	}
	return n
}
