package packet

// property is the identifier of a property of MQTT 5.0 (section 2.2.2.2).
type property byte

// The properties.
const (
	propPayloadFormat       property = 0x01
	propMessageExpiry       property = 0x02
	propContentType         property = 0x03
	propResponseTopic       property = 0x08
	propCorrelation         property = 0x09
	propSubscriptionID      property = 0x0B
	propSessionExpiry       property = 0x11
	propAssignedClientID    property = 0x12
	propServerKeepAlive     property = 0x13
	propAuthMethod          property = 0x15
	propAuthData            property = 0x16
	propRequestProblemInfo  property = 0x17
	propWillDelay           property = 0x18
	propRequestResponseInfo property = 0x19
	propResponseInfo        property = 0x1A
	propServerReference     property = 0x1C
	propReasonString        property = 0x1F
	propReceiveMaximum      property = 0x21
	propTopicAliasMaximum   property = 0x22
	propTopicAlias          property = 0x23
	propMaximumQoS          property = 0x24
	propRetainAvailable     property = 0x25
	propUser                property = 0x26
	propMaximumPacketSize   property = 0x27
	propWildcardAvailable   property = 0x28
	propSubscriptionIDs     property = 0x29
	propSharedAvailable     property = 0x2A
	lastProperty                     = propSharedAvailable
)

// propertyNames are for the log.
var propertyNames = [lastProperty + 1]string{
	propPayloadFormat:       "the payload format indicator",
	propMessageExpiry:       "the message expiry interval",
	propContentType:         "the content type",
	propResponseTopic:       "the response topic",
	propCorrelation:         "the correlation data",
	propSubscriptionID:      "the subscription identifier",
	propSessionExpiry:       "the session expiry interval",
	propAssignedClientID:    "the assigned client identifier",
	propServerKeepAlive:     "the server keep alive",
	propAuthMethod:          "the authentication method",
	propAuthData:            "the authentication data",
	propRequestProblemInfo:  "the request for problem information",
	propWillDelay:           "the will delay interval",
	propRequestResponseInfo: "the request for response information",
	propResponseInfo:        "the response information",
	propServerReference:     "the server reference",
	propReasonString:        "the reason string",
	propReceiveMaximum:      "the receive maximum",
	propTopicAliasMaximum:   "the topic alias maximum",
	propTopicAlias:          "the topic alias",
	propMaximumQoS:          "the maximum QoS",
	propRetainAvailable:     "retain available",
	propUser:                "a user property",
	propMaximumPacketSize:   "the maximum packet size",
	propWildcardAvailable:   "wildcard subscription available",
	propSubscriptionIDs:     "subscription identifier available",
	propSharedAvailable:     "shared subscription available",
}

// inWill is the place of the will's properties, which are no packet's.
const inWill Type = 0

// propertySections say where a property may stand, and in which section of
// the specification its rules there are found. Empty: it may not.
var propertySections = [AUTH + 1][lastProperty + 1]string{
	inWill: {
		propWillDelay:     "section 3.1.3.2.2",
		propPayloadFormat: "section 3.1.3.2.3",
		propMessageExpiry: "section 3.1.3.2.4",
		propContentType:   "section 3.1.3.2.5",
		propResponseTopic: "section 3.1.3.2.6",
		propCorrelation:   "section 3.1.3.2.7",
		propUser:          "section 3.1.3.2.8",
	},
	CONNECT: {
		propSessionExpiry:       "section 3.1.2.11.2",
		propReceiveMaximum:      "section 3.1.2.11.3",
		propMaximumPacketSize:   "section 3.1.2.11.4",
		propTopicAliasMaximum:   "section 3.1.2.11.5",
		propRequestResponseInfo: "section 3.1.2.11.6",
		propRequestProblemInfo:  "section 3.1.2.11.7",
		propUser:                "section 3.1.2.11.8",
		propAuthMethod:          "section 3.1.2.11.9",
		propAuthData:            "section 3.1.2.11.10",
	},
	CONNACK: {
		propSessionExpiry:     "section 3.2.2.3.2",
		propReceiveMaximum:    "section 3.2.2.3.3",
		propMaximumQoS:        "section 3.2.2.3.4",
		propRetainAvailable:   "section 3.2.2.3.5",
		propMaximumPacketSize: "section 3.2.2.3.6",
		propAssignedClientID:  "section 3.2.2.3.7",
		propTopicAliasMaximum: "section 3.2.2.3.8",
		propReasonString:      "section 3.2.2.3.9",
		propUser:              "section 3.2.2.3.10",
		propWildcardAvailable: "section 3.2.2.3.11",
		propSubscriptionIDs:   "section 3.2.2.3.12",
		propSharedAvailable:   "section 3.2.2.3.13",
		propServerKeepAlive:   "section 3.2.2.3.14",
		propResponseInfo:      "section 3.2.2.3.15",
		propServerReference:   "section 3.2.2.3.16",
		propAuthMethod:        "section 3.2.2.3.17",
		propAuthData:          "section 3.2.2.3.18",
	},
	PUBLISH: {
		propPayloadFormat:  "section 3.3.2.3.2",
		propMessageExpiry:  "section 3.3.2.3.3",
		propTopicAlias:     "section 3.3.2.3.4",
		propResponseTopic:  "section 3.3.2.3.5",
		propCorrelation:    "section 3.3.2.3.6",
		propUser:           "section 3.3.2.3.7",
		propSubscriptionID: "section 3.3.2.3.8",
		propContentType:    "section 3.3.2.3.9",
	},
	PUBACK:      {propReasonString: "section 3.4.2.2.2", propUser: "section 3.4.2.2.3"},
	PUBREC:      {propReasonString: "section 3.5.2.2.2", propUser: "section 3.5.2.2.3"},
	PUBREL:      {propReasonString: "section 3.6.2.2.2", propUser: "section 3.6.2.2.3"},
	PUBCOMP:     {propReasonString: "section 3.7.2.2.2", propUser: "section 3.7.2.2.3"},
	SUBSCRIBE:   {propSubscriptionID: "section 3.8.2.1.2", propUser: "section 3.8.2.1.3"},
	SUBACK:      {propReasonString: "section 3.9.2.1.2", propUser: "section 3.9.2.1.3"},
	UNSUBSCRIBE: {propUser: "section 3.10.2.1.2"},
	UNSUBACK:    {propReasonString: "section 3.11.2.1.2", propUser: "section 3.11.2.1.3"},
	DISCONNECT: {
		propSessionExpiry:   "section 3.14.2.2.2",
		propReasonString:    "section 3.14.2.2.3",
		propUser:            "section 3.14.2.2.4",
		propServerReference: "section 3.14.2.2.5",
	},
	AUTH: {
		propAuthMethod:   "section 3.15.2.2.2",
		propAuthData:     "section 3.15.2.2.3",
		propReasonString: "section 3.15.2.2.4",
		propUser:         "section 3.15.2.2.5",
	},
}
