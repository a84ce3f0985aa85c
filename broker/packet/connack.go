package packet

// ConnackCode is the return code of a CONNACK (section 3.2.2.3).
type ConnackCode byte

// The return codes of MQTT 3.1.1.
const (
	Accepted                    ConnackCode = 0
	UnacceptableProtocolVersion ConnackCode = 1
	IdentifierRejected          ConnackCode = 2
	ServerUnavailable           ConnackCode = 3
	BadUserNameOrPassword       ConnackCode = 4
	NotAuthorized               ConnackCode = 5
)

// String is the code's meaning, for people.
func (c ConnackCode) String() string {
	switch c {
	case Accepted:
		return "accepted"
	case UnacceptableProtocolVersion:
		return "unacceptable protocol version"
	case IdentifierRejected:
		return "identifier rejected"
	case ServerUnavailable:
		return "server unavailable"
	case BadUserNameOrPassword:
		return "bad user name or password"
	case NotAuthorized:
		return "not authorized"
	default:
		return "reserved"
	}
}

// Connack answers a CONNECT.
type Connack struct {
	SessionPresent bool
	Code           ConnackCode
}

// Decode reads a CONNACK.
func (p *Connack) Decode(f Frame) error {
	*p = Connack{}
	c := open(f, CONNACK, 0, "MQTT-2.2.2-2")
	flags := c.byte("the acknowledge flags")
	code := ConnackCode(c.byte("the return code"))
	if flags > 1 {
		c.fail("section 3.2.2.1", "reserved acknowledge flags are not zero")
	}
	if code > NotAuthorized {
		c.fail("section 3.2.2.3", "the return code is reserved")
	}
	if flags == 1 && code != Accepted {
		c.fail("MQTT-3.2.2-4", "session present with a refusal")
	}
	p.SessionPresent, p.Code = flags == 1, code
	return c.end()
}

// Append writes the packet to dst. A refusal never carries session present
// [MQTT-3.2.2-4].
func (p Connack) Append(dst []byte) []byte {
	var flags byte
	if p.SessionPresent && p.Code == Accepted {
		flags = 1
	}
	return append(appendHeader(dst, CONNACK, 0, 2), flags, byte(p.Code))
}
