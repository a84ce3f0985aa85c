package packet

// Type is the MQTT control packet type, the high half of the first byte.
type Type byte

// The control packet types. Zero is forbidden.
const (
	CONNECT     Type = 1
	CONNACK     Type = 2
	PUBLISH     Type = 3
	PUBACK      Type = 4
	PUBREC      Type = 5
	PUBREL      Type = 6
	PUBCOMP     Type = 7
	SUBSCRIBE   Type = 8
	SUBACK      Type = 9
	UNSUBSCRIBE Type = 10
	UNSUBACK    Type = 11
	PINGREQ     Type = 12
	PINGRESP    Type = 13
	DISCONNECT  Type = 14
	AUTH        Type = 15 // MQTT 5.0 only; forbidden before
)

// String is the type's name in the specification, RESERVED for those without.
func (t Type) String() string {
	names := [...]string{
		"RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
		"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
	}
	if int(t) >= len(names) {
		return names[0]
	}
	return names[t]
}

// Version is the protocol level of a CONNECT.
type Version byte

// The protocol versions.
const (
	V31  Version = 3 // MQTT 3.1, which calls itself MQIsdp
	V311 Version = 4 // MQTT 3.1.1
	V5   Version = 5 // MQTT 5.0
)

// String is the version's name for logs and metrics.
func (v Version) String() string {
	switch v {
	case V31:
		return "3.1"
	case V311:
		return "3.1.1"
	case V5:
		return "5.0"
	default:
		return "unknown"
	}
}

// known fills in V311 for zero and whatever else is not a version.
func (v Version) known() Version {
	if v != V31 && v != V5 {
		return V311
	}
	return v
}

// Limits of the encoding, in bytes.
const (
	// MaxString bounds a string or binary field: its length has two bytes
	// [MQTT-4.7.3-3].
	MaxString = 65_535
	// MaxRemainingLength bounds what follows the fixed header: its length has
	// four bytes of seven bits (section 2.2.3).
	MaxRemainingLength = 268_435_455
)

// SubackFailure is the SUBACK return code of a refused filter (section 3.9.3),
// in 5.0 UnspecifiedError.
const SubackFailure byte = 0x80
