package packet

import "slices"

// reasons are the codes that each packet of MQTT 5.0 may carry. 0x8C stands in
// table 2-6 for DISCONNECT, not in the packet's own: it is taken.
var reasons = [...][]ReasonCode{
	CONNACK: {
		Success, UnspecifiedError, MalformedPacket, ProtocolError, ImplementationSpecificError,
		UnsupportedProtocolVersion, ClientIdentifierNotValid, BadUserNameOrPasswordV5, NotAuthorizedV5,
		ServerUnavailableV5, ServerBusy, Banned, BadAuthenticationMethod, TopicNameInvalid, PacketTooLarge,
		QuotaExceeded, PayloadFormatInvalid, RetainNotSupported, QoSNotSupported, UseAnotherServer,
		ServerMoved, ConnectionRateExceeded,
	},
	PUBACK:  received,
	PUBREC:  received,
	PUBREL:  {Success, PacketIdentifierNotFound},
	PUBCOMP: {Success, PacketIdentifierNotFound},
	SUBACK: {
		GrantedQoS0, GrantedQoS1, GrantedQoS2, UnspecifiedError, ImplementationSpecificError, NotAuthorizedV5,
		TopicFilterInvalid, PacketIdentifierInUse, QuotaExceeded, SharedSubscriptionsNotSupported,
		SubscriptionIdentifiersNotSupported, WildcardSubscriptionsNotSupported,
	},
	UNSUBACK: {
		Success, NoSubscriptionExisted, UnspecifiedError, ImplementationSpecificError, NotAuthorizedV5,
		TopicFilterInvalid, PacketIdentifierInUse,
	},
	DISCONNECT: {
		NormalDisconnection, DisconnectWithWill, UnspecifiedError, MalformedPacket, ProtocolError,
		ImplementationSpecificError, NotAuthorizedV5, ServerBusy, ServerShuttingDown, BadAuthenticationMethod,
		KeepAliveTimeout, SessionTakenOver, TopicFilterInvalid, TopicNameInvalid, ReceiveMaximumExceeded,
		TopicAliasInvalid, PacketTooLarge, MessageRateTooHigh, QuotaExceeded, AdministrativeAction,
		PayloadFormatInvalid, RetainNotSupported, QoSNotSupported, UseAnotherServer, ServerMoved,
		SharedSubscriptionsNotSupported, ConnectionRateExceeded, MaximumConnectTime,
		SubscriptionIdentifiersNotSupported, WildcardSubscriptionsNotSupported,
	},
	AUTH: {Success, ContinueAuthentication, Reauthenticate},
}

// received are the codes of PUBACK and PUBREC.
var received = []ReasonCode{
	Success, NoMatchingSubscribers, UnspecifiedError, ImplementationSpecificError, NotAuthorizedV5,
	TopicNameInvalid, PacketIdentifierInUse, QuotaExceeded, PayloadFormatInvalid,
}

// reasonRules are the clauses that bind each packet to its codes.
var reasonRules = [...]rule{
	CONNACK:    {v5: "MQTT-3.2.2-8", reason: ProtocolError},
	PUBACK:     {v5: "MQTT-3.4.2-1", reason: ProtocolError},
	PUBREC:     {v5: "MQTT-3.5.2-1", reason: ProtocolError},
	PUBREL:     {v5: "MQTT-3.6.2-1", reason: ProtocolError},
	PUBCOMP:    {v5: "MQTT-3.7.2-1", reason: ProtocolError},
	SUBACK:     {v5: "MQTT-3.9.3-2", reason: ProtocolError},
	UNSUBACK:   {v5: "MQTT-3.11.3-2", reason: ProtocolError},
	DISCONNECT: {v5: "MQTT-3.14.2-1", reason: ProtocolError},
	AUTH:       {v5: "MQTT-3.15.2-1", reason: ProtocolError},
}

// checkReason refuses a code that the packet may not carry.
func (c *cursor) checkReason(code ReasonCode) ReasonCode {
	if !slices.Contains(reasons[c.packet], code) {
		c.fail(reasonRules[c.packet], "the reason code is not one of this packet")
	}
	return code
}
