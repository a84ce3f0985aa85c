package packet

// ConnackCode is the return code of a CONNACK (section 3.2.2.3).
type ConnackCode byte

// The return codes of MQTT 3.1 and 3.1.1.
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
