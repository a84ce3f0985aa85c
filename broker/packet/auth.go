package packet

import "bytes"

// Auth is a step of the enhanced authentication (section 4.12). Only 5.0 has
// it.
type Auth struct {
	Reason     ReasonCode // Success, ContinueAuthentication or Reauthenticate
	Properties AuthProperties
}

// AuthProperties are the properties of an AUTH.
type AuthProperties struct {
	AuthMethod   string // the CONNECT's [MQTT-4.12.0-5]
	AuthData     []byte // nil means absent
	ReasonString string // for people; empty means absent
	User         UserProperties
}

// Decode reads an AUTH; in older versions there is none. Without a reason the
// packet is Success and has no properties, no method either. In any other form
// the method must be there.
func (p *Auth) Decode(f Frame) error {
	*p = Auth{}
	c := open(f, AUTH, 0, ruleAuthFlags)
	if c.version != V5 {
		c.fail(ruleType, "a packet type that the version does not have")
	}
	if len(c.rest) > 0 {
		p.Reason = c.checkReason(ReasonCode(c.byte("the reason code")))
		p.Properties.decode(&c)
	}
	return c.end()
}

func (a *AuthProperties) decode(c *cursor) {
	s := c.properties(AUTH)
	for s.next() {
		switch s.id {
		case propAuthMethod:
			a.AuthMethod = string(s.text())
		case propAuthData:
			a.AuthData = bytes.Clone(s.binary())
		case propReasonString:
			a.ReasonString = string(s.text())
		default:
		}
	}
	a.User = s.end(c).clone()
	if !s.has(propAuthMethod) {
		c.fail(ruleNoAuthMethod, "no authentication method")
	}
}

// Append writes the packet to dst. A Success without any property is written
// in its short form.
func (p Auth) Append(dst []byte) []byte {
	dst, at := begin(dst, AUTH, 0)
	if p.Reason != Success || !p.Properties.empty() {
		dst = p.Properties.append(append(dst, byte(p.Reason)))
	}
	return closeLength(dst, at)
}

func (a *AuthProperties) empty() bool {
	return a.AuthMethod == "" && a.AuthData == nil && a.ReasonString == "" && len(a.User) == 0
}

func (a *AuthProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = openLength(dst)
	dst = putField(dst, propAuthMethod, a.AuthMethod, true)
	dst = putField(dst, propAuthData, a.AuthData, a.AuthData != nil)
	dst = putField(dst, propReasonString, a.ReasonString, a.ReasonString != "")
	return closeLength(append(dst, a.User...), at)
}
