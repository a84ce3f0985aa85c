package conformance_test

import (
	"errors"
	"fmt"
	"slices"
)

// The properties of MQTT 5.0, section 2.2.2.2.
const (
	pFormat          byte = 0x01
	pMessageExpiry   byte = 0x02
	pContentType     byte = 0x03
	pResponseTopic   byte = 0x08
	pCorrelation     byte = 0x09
	pSubscriptionID  byte = 0x0B
	pSessionExpiry   byte = 0x11
	pAssignedID      byte = 0x12
	pServerKeepAlive byte = 0x13
	pAuthMethod      byte = 0x15
	pAuthData        byte = 0x16
	pRequestProblem  byte = 0x17
	pWillDelay       byte = 0x18
	pRequestResponse byte = 0x19
	pResponseInfo    byte = 0x1A
	pServerReference byte = 0x1C
	pReason          byte = 0x1F
	pReceiveMaximum  byte = 0x21
	pTopicAliasMax   byte = 0x22
	pTopicAlias      byte = 0x23
	pMaximumQoS      byte = 0x24
	pRetainAvailable byte = 0x25
	pUser            byte = 0x26
	pMaximumPacket   byte = 0x27
	pWildcards       byte = 0x28
	pIdentifiers     byte = 0x29
	pShared          byte = 0x2A
)

// prop is one property: n for the numbers, s for text and binary data, k and s
// for a pair.
type prop struct {
	id   byte
	n    int
	k, s string
}

func num(id byte, n int) prop         { return prop{id: id, n: n} }
func text(id byte, s string) prop     { return prop{id: id, s: s} }
func user(key, value string) prop     { return prop{id: pUser, k: key, s: value} }
func list(props ...prop) []prop       { return props }
func get(props []prop, id byte) *prop { return find(props, id, 0) }

// find returns the property of that id after skip others of it, or nil.
func find(props []prop, id byte, skip int) *prop {
	for i := range props {
		if props[i].id == id {
			if skip == 0 {
				return &props[i]
			}
			skip--
		}
	}
	return nil
}

// all returns the properties of that id, in order.
func all(props []prop, id byte) []prop {
	return slices.DeleteFunc(slices.Clone(props), func(p prop) bool { return p.id != id })
}

// kindOf says how a property's value is written: in 1, 2 or 4 bytes, as a
// Variable Byte Integer, as text, binary data or a pair. 0: no such property.
func kindOf(id byte) byte {
	switch id {
	case pFormat, pRequestProblem, pRequestResponse, pMaximumQoS, pRetainAvailable, pWildcards, pIdentifiers, pShared:
		return '1'
	case pServerKeepAlive, pReceiveMaximum, pTopicAliasMax, pTopicAlias:
		return '2'
	case pMessageExpiry, pSessionExpiry, pWillDelay, pMaximumPacket:
		return '4'
	case pSubscriptionID:
		return 'v'
	case pContentType, pResponseTopic, pAssignedID, pAuthMethod, pResponseInfo, pServerReference, pReason:
		return 's'
	case pCorrelation, pAuthData:
		return 'b'
	case pUser:
		return 'p'
	}
	return 0
}

func (p prop) encode() []byte {
	id := []byte{p.id}
	switch kindOf(p.id) {
	case '1':
		return append(id, byte(p.n))
	case '2':
		return append(id, u16(p.n)...)
	case '4':
		return append(id, u32(p.n)...)
	case 'v':
		return append(id, varint(p.n)...)
	case 'p':
		return slices.Concat(id, str(p.k), str(p.s))
	}
	return append(id, str(p.s)...)
}

// allowedIn lists the properties that a server may send in each packet, by
// MQTT 5.0, table 2-4.
var allowedIn = map[byte][]byte{
	tCONNACK: {
		pSessionExpiry, pAssignedID, pServerKeepAlive, pAuthMethod, pAuthData, pResponseInfo, pServerReference, pReason,
		pReceiveMaximum, pTopicAliasMax, pMaximumQoS, pRetainAvailable, pUser, pMaximumPacket, pWildcards, pIdentifiers, pShared,
	},
	tPUBLISH: {
		pFormat, pMessageExpiry, pContentType, pResponseTopic, pCorrelation, pSubscriptionID, pTopicAlias, pUser,
	},
	tPUBACK: {pReason, pUser}, tPUBREC: {pReason, pUser}, tPUBREL: {pReason, pUser}, tPUBCOMP: {pReason, pUser},
	tSUBACK: {pReason, pUser}, tUNSUBACK: {pReason, pUser},
	tDISCONNECT: {pReason, pUser, pServerReference},
	tAUTH:       {pAuthMethod, pAuthData, pReason, pUser},
}

// readProps reads a property block of a packet from a server.
func readProps(kind byte, c *cursor) ([]prop, error) {
	block := c.take(c.varint())
	if c.short {
		return nil, errors.New("the property block is cut short")
	}
	in := cursor{b: block}
	var props []prop
	for len(in.b) > 0 && !in.short {
		p := in.prop()
		if !slices.Contains(allowedIn[kind], p.id) {
			return nil, fmt.Errorf("property 0x%02x must not stand in a packet of type %d", p.id, kind)
		}
		if p.id != pUser && p.id != pSubscriptionID && get(props, p.id) != nil {
			return nil, fmt.Errorf("property 0x%02x stands twice", p.id)
		}
		props = append(props, p)
	}
	if in.short {
		return nil, errors.New("a property is cut short")
	}
	return props, nil
}
