package session

import (
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Encodings keeps the encoded variants of one message for all its receivers.
// The zero value is ready; it belongs to one loop, and given another message
// it starts anew.
type Encodings struct {
	message *broker.Message
	byQoS   [maxQoS + 1]*packet.Encoded
}

// appendTo writes m to dst. RETAIN is 0 for a subscription that was there
// before the message [MQTT-3.3.1-9], DUP is 0 for a first attempt
// [MQTT-3.3.1-1].
func (e *Encodings) appendTo(dst []byte, m *broker.Message, qos byte, id uint16) []byte {
	if e.message != m {
		*e = Encodings{message: m}
	}
	if e.byQoS[qos] == nil {
		e.byQoS[qos] = packet.Encode(packet.Publish{Topic: []byte(m.Topic), Payload: m.Payload, QoS: qos})
	}
	return e.byQoS[qos].AppendTo(dst, id, false)
}
