package packet

import "bytes"

// ConnectProperties are the properties of a CONNECT.
type ConnectProperties struct {
	SessionExpiry       uint32 // in seconds; absent is 0, 0xFFFFFFFF never ends
	ReceiveMaximum      uint16 // 0 means absent: 65,535
	MaximumPacketSize   uint32 // in bytes; 0 means absent: no limit
	TopicAliasMaximum   uint16
	RequestResponseInfo bool
	NoProblemInfo       bool // Request Problem Information was 0
	HasAuthMethod       bool
	AuthMethod          string
	AuthData            []byte // nil means absent
	User                UserProperties
}

func (p *ConnectProperties) decode(c *cursor) {
	s := c.properties(CONNECT)
	for s.next() {
		switch s.id {
		case propSessionExpiry:
			p.SessionExpiry = s.uint32()
		case propReceiveMaximum:
			p.ReceiveMaximum = s.positive16()
		case propMaximumPacketSize:
			p.MaximumPacketSize = s.positive32()
		case propTopicAliasMaximum:
			p.TopicAliasMaximum = s.uint16()
		case propRequestResponseInfo:
			p.RequestResponseInfo = s.flag() == 1
		case propRequestProblemInfo:
			p.NoProblemInfo = s.flag() == 0
		case propAuthMethod:
			p.HasAuthMethod, p.AuthMethod = true, string(s.text())
		case propAuthData:
			p.AuthData = bytes.Clone(s.binary())
		default:
		}
	}
	p.User = s.end(c).clone()
	p.checkAuth(c)
}

func (p *ConnectProperties) checkAuth(c *cursor) {
	if p.AuthData != nil && !p.HasAuthMethod {
		c.fail(ruleAuthData, "authentication data without a method")
	}
}

func (p *ConnectProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = openLength(dst)
	dst = putUint32(dst, propSessionExpiry, p.SessionExpiry, p.SessionExpiry != 0)
	dst = putUint16(dst, propReceiveMaximum, p.ReceiveMaximum, p.ReceiveMaximum != 0)
	dst = putUint32(dst, propMaximumPacketSize, p.MaximumPacketSize, p.MaximumPacketSize != 0)
	dst = putUint16(dst, propTopicAliasMaximum, p.TopicAliasMaximum, p.TopicAliasMaximum != 0)
	dst = putByte(dst, propRequestResponseInfo, 1, p.RequestResponseInfo)
	dst = putByte(dst, propRequestProblemInfo, 0, p.NoProblemInfo)
	dst = append(dst, p.User...)
	dst = putField(dst, propAuthMethod, p.AuthMethod, p.HasAuthMethod)
	dst = putField(dst, propAuthData, p.AuthData, p.AuthData != nil)
	return closeLength(dst, at)
}
