package conformance_test

import "fmt"

// kindNames are the names of the types of packet.
var kindNames = []string{
	"nothing", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
	"UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String shows a packet in a line.
func (p received) String() string {
	s := kindNames[p.kind]
	switch p.kind {
	case 0, tPINGRESP:
		return s
	case tPUBLISH:
		s += fmt.Sprintf(" qos=%d id=%d dup=%t retain=%t %q %.40q", p.qos, p.id, p.dup, p.retain, p.topic, p.payload)
	case tSUBACK, tUNSUBACK:
		s += fmt.Sprintf(" id=%d codes=% x", p.id, p.codes)
	case tCONNACK:
		s += fmt.Sprintf(" code=%#x present=%t", p.code, p.present)
	default:
		s += fmt.Sprintf(" id=%d code=%#x", p.id, p.code)
	}
	for _, q := range p.props {
		s += fmt.Sprintf(" %#x=%d%q%q", q.id, q.n, q.k, q.s)
	}
	return s
}
