package packet

import "bytes"

// Will is the message that the server publishes when the connection is lost.
type Will struct {
	Topic      string
	Payload    []byte
	QoS        byte
	Retain     bool
	Properties WillProperties // 5.0 only
}

// WillProperties are the properties of a will. All but DelayInterval are those
// of the PUBLISH that it becomes. Of the strings, empty means absent.
type WillProperties struct {
	DelayInterval    uint32 // in seconds
	PayloadFormat    byte   // 0 bytes, 1 UTF-8, which nobody has checked here
	HasMessageExpiry bool
	MessageExpiry    uint32 // in seconds
	ContentType      string
	ResponseTopic    string // a topic name
	CorrelationData  []byte // nil means absent
	User             UserProperties
}

func (p *Connect) decodeWill(c *cursor, flags byte) {
	if flags&connectWill == 0 { // [MQTT-3.1.2-11]
		return
	}
	p.Will = &Will{ // [MQTT-3.1.2-9]
		QoS:    flags & connectWillQoS >> 3,
		Retain: flags&connectWillRetain != 0,
	}
	p.Will.Properties.decode(c)
	p.Will.Topic = string(c.name("the will topic", ruleWillTopic)) // [MQTT-3.1.3-10] [MQTT-3.1.3-11]
	p.Will.Payload = bytes.Clone(c.binary("the will message"))
}

func (w *WillProperties) decode(c *cursor) {
	s := c.properties(inWill)
	for s.next() {
		switch s.id {
		case propWillDelay:
			w.DelayInterval = s.uint32()
		case propPayloadFormat:
			w.PayloadFormat = s.flag()
		case propMessageExpiry:
			w.HasMessageExpiry, w.MessageExpiry = true, s.uint32()
		case propContentType:
			w.ContentType = string(s.text())
		case propResponseTopic:
			w.ResponseTopic = string(s.responseTopic())
		case propCorrelation:
			w.CorrelationData = bytes.Clone(s.binary())
		default:
		}
	}
	w.User = s.end(c).clone()
}

func (w *Will) append(dst []byte, v Version) []byte {
	if v == V5 {
		dst = w.Properties.append(dst)
	}
	return appendField(appendField(dst, w.Topic), w.Payload)
}

func (w *WillProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = openLength(dst)
	dst = putUint32(dst, propWillDelay, w.DelayInterval, w.DelayInterval != 0)
	dst = putByte(dst, propPayloadFormat, w.PayloadFormat, w.PayloadFormat != 0)
	dst = putUint32(dst, propMessageExpiry, w.MessageExpiry, w.HasMessageExpiry)
	dst = putField(dst, propContentType, w.ContentType, w.ContentType != "")
	dst = putField(dst, propResponseTopic, w.ResponseTopic, w.ResponseTopic != "")
	dst = putField(dst, propCorrelation, w.CorrelationData, w.CorrelationData != nil)
	return closeLength(append(dst, w.User...), at)
}
