package packet

import "bytes"

// ConnackProperties are the properties of a CONNACK: what the server is able
// to do, and what it decided in the client's place. The zero value promises
// everything and decides nothing. Of the strings, empty means absent.
type ConnackProperties struct {
	HasSessionExpiry           bool
	SessionExpiry              uint32 // in seconds, in place of the client's
	ReceiveMaximum             uint16 // 0 means absent: 65,535
	HasMaximumQoS              bool
	MaximumQoS                 byte // 0 or 1
	RetainUnavailable          bool
	MaximumPacketSize          uint32 // in bytes; 0 means absent: no limit
	AssignedClientID           string
	TopicAliasMaximum          uint16
	ReasonString               string // for people
	User                       UserProperties
	WildcardUnavailable        bool
	SubscriptionIDsUnavailable bool
	SharedUnavailable          bool
	HasServerKeepAlive         bool
	ServerKeepAlive            uint16 // in seconds, in place of the client's [MQTT-3.1.2-21]
	ResponseInfo               string
	ServerReference            string // where to go instead
	AuthMethod                 string
	AuthData                   []byte // nil means absent
}

func (p *ConnackProperties) decode(c *cursor) {
	s := c.properties(CONNACK)
	for s.next() {
		if !p.decodeLimit(&s) && !p.decodeFlag(&s) {
			p.decodeText(&s)
		}
	}
	p.User = s.end(c).clone()
}

// decodeLimit reads s.id if it is a number.
func (p *ConnackProperties) decodeLimit(s *properties) bool {
	switch s.id {
	case propSessionExpiry:
		p.HasSessionExpiry, p.SessionExpiry = true, s.uint32()
	case propReceiveMaximum:
		p.ReceiveMaximum = s.positive16()
	case propMaximumPacketSize:
		p.MaximumPacketSize = s.positive32()
	case propTopicAliasMaximum:
		p.TopicAliasMaximum = s.uint16()
	case propServerKeepAlive:
		p.HasServerKeepAlive, p.ServerKeepAlive = true, s.uint16()
	default:
		return false
	}
	return true
}

// decodeFlag reads s.id if it is 0 or 1.
func (p *ConnackProperties) decodeFlag(s *properties) bool {
	switch s.id {
	case propMaximumQoS:
		p.HasMaximumQoS, p.MaximumQoS = true, s.flag()
	case propRetainAvailable:
		p.RetainUnavailable = s.flag() == 0
	case propWildcardAvailable:
		p.WildcardUnavailable = s.flag() == 0
	case propSubscriptionIDs:
		p.SubscriptionIDsUnavailable = s.flag() == 0
	case propSharedAvailable:
		p.SharedUnavailable = s.flag() == 0
	default:
		return false
	}
	return true
}

func (p *ConnackProperties) decodeText(s *properties) {
	switch s.id {
	case propAssignedClientID:
		p.AssignedClientID = string(s.text())
	case propReasonString:
		p.ReasonString = string(s.text())
	case propResponseInfo:
		p.ResponseInfo = string(s.text())
	case propServerReference:
		p.ServerReference = string(s.text())
	case propAuthMethod:
		p.AuthMethod = string(s.text())
	case propAuthData:
		p.AuthData = bytes.Clone(s.binary())
	default:
	}
}

func (p *ConnackProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = openLength(dst)
	dst = putUint32(dst, propSessionExpiry, p.SessionExpiry, p.HasSessionExpiry)
	dst = putUint16(dst, propReceiveMaximum, p.ReceiveMaximum, p.ReceiveMaximum != 0)
	dst = putByte(dst, propMaximumQoS, p.MaximumQoS, p.HasMaximumQoS)
	dst = putByte(dst, propRetainAvailable, 0, p.RetainUnavailable)
	dst = putUint32(dst, propMaximumPacketSize, p.MaximumPacketSize, p.MaximumPacketSize != 0)
	dst = putField(dst, propAssignedClientID, p.AssignedClientID, p.AssignedClientID != "")
	dst = putUint16(dst, propTopicAliasMaximum, p.TopicAliasMaximum, p.TopicAliasMaximum != 0)
	dst = putField(dst, propReasonString, p.ReasonString, p.ReasonString != "")
	dst = append(dst, p.User...)
	dst = putByte(dst, propWildcardAvailable, 0, p.WildcardUnavailable)
	dst = putByte(dst, propSubscriptionIDs, 0, p.SubscriptionIDsUnavailable)
	dst = putByte(dst, propSharedAvailable, 0, p.SharedUnavailable)
	dst = putUint16(dst, propServerKeepAlive, p.ServerKeepAlive, p.HasServerKeepAlive)
	dst = putField(dst, propResponseInfo, p.ResponseInfo, p.ResponseInfo != "")
	dst = putField(dst, propServerReference, p.ServerReference, p.ServerReference != "")
	dst = putField(dst, propAuthMethod, p.AuthMethod, p.AuthMethod != "")
	dst = putField(dst, propAuthData, p.AuthData, p.AuthData != nil)
	return closeLength(dst, at)
}
