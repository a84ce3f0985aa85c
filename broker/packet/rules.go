package packet

// rule is a normative statement that one packet alone can break, by its place
// in the two specifications. MQTT 3.1 has no tags: its rules go by those of
// 3.1.1.
type rule struct {
	v311, v5 string
	reason   ReasonCode // of 5.0; zero means MalformedPacket
}

// The rules of the encoding, for every packet.
var (
	ruleType     = rule{v311: "section 2.2.1", v5: "section 2.1.2"}
	ruleFlags    = rule{v311: "MQTT-2.2.2-2", v5: "MQTT-2.1.3-1"}
	ruleLength   = rule{v311: "section 2.2.3", v5: "section 2.1.4"}
	ruleVarint   = rule{v311: "section 2.2.3", v5: "section 1.5.5"}
	ruleShortest = rule{v311: "section 2.2.3", v5: "MQTT-1.5.5-1"}
	ruleUTF8     = rule{v311: "MQTT-1.5.3-1", v5: "MQTT-1.5.4-1"}
	ruleNUL      = rule{v311: "MQTT-1.5.3-2", v5: "MQTT-1.5.4-2"}
	rulePacketID = rule{v311: "MQTT-2.3.1-1", v5: "MQTT-2.2.1-3"}
	ruleProperty = rule{v5: "section 2.2.2.2"}
	ruleEmpty    = rule{v311: "MQTT-4.7.3-1", v5: "MQTT-4.7.3-1"}
)

// The rules of CONNECT and CONNACK.
var (
	ruleProtocolName   = rule{v311: "MQTT-3.1.2-1", v5: "MQTT-3.1.2-1"}
	ruleConnectFlag    = rule{v311: "MQTT-3.1.2-3", v5: "MQTT-3.1.2-3"}
	ruleNoWillQoS      = rule{v311: "MQTT-3.1.2-13", v5: "MQTT-3.1.2-11"}
	ruleWillQoS        = rule{v311: "MQTT-3.1.2-14", v5: "MQTT-3.1.2-12"}
	ruleNoWillRetain   = rule{v311: "MQTT-3.1.2-15", v5: "MQTT-3.1.2-13"}
	ruleWillTopic      = rule{v311: "MQTT-4.7.1-1", v5: "MQTT-4.7.0-1"}
	rulePassword       = rule{v311: "MQTT-3.1.2-22"}
	ruleAuthData       = rule{v5: "section 3.1.2.11.10", reason: ProtocolError}
	ruleConnackFlags   = rule{v311: "section 3.2.2.1", v5: "MQTT-3.2.2-1"}
	ruleConnackCode    = rule{v311: "section 3.2.2.3"}
	ruleRefusalSession = rule{v311: "MQTT-3.2.2-4", v5: "MQTT-3.2.2-6"}
)

// The rules of PUBLISH.
var (
	rulePublishQoS    = rule{v311: "MQTT-3.3.1-4", v5: "MQTT-3.3.1-4"}
	rulePublishDup    = rule{v311: "MQTT-3.3.1-2", v5: "MQTT-3.3.1-2"}
	rulePublishTopic  = rule{v311: "MQTT-3.3.2-2", v5: "MQTT-3.3.2-2"}
	ruleNoTopic       = rule{v5: "section 3.3.2.1", reason: ProtocolError}
	ruleTopicAlias    = rule{v5: "MQTT-3.3.2-8", reason: ProtocolError}
	ruleResponseTopic = rule{v5: "MQTT-3.3.2-14"}
)

// The rules of the other packets.
var (
	rulePubrelFlags      = rule{v311: "MQTT-3.6.1-1", v5: "MQTT-3.6.1-1"}
	ruleSubscribeFlags   = rule{v311: "MQTT-3.8.1-1", v5: "MQTT-3.8.1-1"}
	ruleNoFilter         = rule{v311: "MQTT-3.8.3-3", v5: "MQTT-3.8.3-2", reason: ProtocolError}
	ruleSubscribeBits    = rule{v311: "MQTT-3.8.3-4", v5: "MQTT-3.8.3-5"}
	ruleSubscribeQoS     = rule{v311: "MQTT-3.8.3-4", v5: "section 3.8.3.1", reason: ProtocolError}
	ruleRetainHandling   = rule{v5: "section 3.8.3.1", reason: ProtocolError}
	ruleNoSubackCode     = rule{v311: "MQTT-3.8.4-5", v5: "MQTT-3.8.4-6"}
	ruleSubackCode       = rule{v311: "MQTT-3.9.3-2"}
	ruleUnsubscribeFlags = rule{v311: "MQTT-3.10.1-1", v5: "MQTT-3.10.1-1"}
	ruleNoUnsubscribe    = rule{v311: "MQTT-3.10.3-2", v5: "MQTT-3.10.3-2", reason: ProtocolError}
	ruleNoUnsubackCode   = rule{v5: "MQTT-3.11.3-1"}
	ruleDisconnectFlags  = rule{v311: "MQTT-3.14.1-1", v5: "MQTT-3.14.1-1"}
	ruleAuthFlags        = rule{v311: "section 2.2.1", v5: "MQTT-3.15.1-1"} // there is none before 5.0
	ruleNoAuthMethod     = rule{v5: "section 3.15.2.2.2", reason: ProtocolError}
)
