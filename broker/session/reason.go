package session

import (
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/fault"
)

// Reason says why a session ended, or why a publish was dropped.
type Reason struct {
	Name   string            // stable snake_case, one of a small set: fit for a metric's label
	Text   string            // for the log, with details
	Normal bool              // belongs to ordinary life; nobody did anything wrong
	Code   packet.ReasonCode // what a 5.0 client is told; 0: nothing, as it ended the connection itself
	// Malformed says which packet broke which clause, if that is the reason.
	Malformed *packet.Malformed
	// ServerReference is another server for the client (MQTT 5.0 section 4.11).
	ServerReference string
}

// The registry of reasons.
var (
	ReasonDisconnected   = Reason{Name: "disconnected", Text: "the client said goodbye", Normal: true}
	ReasonConnectionLost = Reason{Name: "connection_lost", Text: "the network connection ended without a DISCONNECT", Normal: true}
	ReasonTakenOver      = Reason{Name: "taken_over", Text: "a newer connection took the session over", Normal: true, Code: packet.SessionTakenOver}
	ReasonShutdown       = Reason{Name: "server_shutdown", Text: "the server shuts down", Normal: true, Code: packet.ServerShuttingDown}
	ReasonRedirected     = Reason{Name: "redirected", Text: "the node is drained, use another one", Normal: true, Code: packet.UseAnotherServer}

	ReasonConnectTimeout   = Reason{Name: "connect_timeout", Text: "no CONNECT in time", Code: packet.MaximumConnectTime}
	ReasonKeepAlive        = Reason{Name: "keep_alive_timeout", Text: "nothing heard for one and a half keep-alive periods", Code: packet.KeepAliveTimeout}
	ReasonTokenExpired     = Reason{Name: "token_expired", Text: "the credentials have expired", Code: packet.NotAuthorizedV5}
	ReasonRevoked          = Reason{Name: "revoked", Text: "the credentials were revoked", Code: packet.NotAuthorizedV5}
	ReasonSuspended        = Reason{Name: "suspended", Text: "the organization is suspended", Code: packet.Banned}
	ReasonReauthentication = Reason{Name: "reauthentication_failed", Text: "the new credentials are not accepted", Code: packet.NotAuthorizedV5}

	ReasonMalformed          = Reason{Name: "malformed_packet", Text: "a packet cannot be read", Code: packet.MalformedPacket}
	ReasonPacketTooLarge     = Reason{Name: "packet_too_large", Text: "a packet is over the size limit", Code: packet.PacketTooLarge}
	ReasonProtocolError      = Reason{Name: "protocol_error", Text: "the client broke the protocol", Code: packet.ProtocolError}
	ReasonUnsupportedVersion = Reason{Name: "unsupported_version", Text: "the protocol version is not supported", Code: packet.UnsupportedProtocolVersion}
	ReasonClientIDRejected   = Reason{Name: "client_id_rejected", Text: "the client identifier is not acceptable", Code: packet.ClientIdentifierNotValid}
	ReasonTopicFilterInvalid = Reason{Name: "topic_filter_invalid", Text: "a topic filter is malformed", Code: packet.TopicFilterInvalid}
	ReasonTopicNameInvalid   = Reason{Name: "topic_name_invalid", Text: "a topic name is malformed", Code: packet.TopicNameInvalid}
	ReasonTopicLimit         = Reason{Name: "topic_limit", Text: "the topic is too long or has too many levels", Code: packet.TopicNameInvalid}
	ReasonTopicAlias         = Reason{Name: "topic_alias_invalid", Text: "a topic alias is unknown or out of bounds", Code: packet.TopicAliasInvalid}
	ReasonReceiveMaximum     = Reason{Name: "receive_maximum_exceeded", Text: "more messages at once than the receive maximum", Code: packet.ReceiveMaximumExceeded}
	ReasonPayloadFormat      = Reason{Name: "payload_format_invalid", Text: "the payload is not the UTF-8 text it is said to be", Code: packet.PayloadFormatInvalid}
	ReasonBadAuthMethod      = Reason{Name: "bad_authentication_method", Text: "the authentication method is not JWT, or not the one of CONNECT", Code: packet.BadAuthenticationMethod}
	ReasonBadCredentials     = Reason{Name: "bad_credentials", Text: "user name or password is wrong", Code: packet.BadUserNameOrPasswordV5}
	ReasonNotAuthorized      = Reason{Name: "not_authorized", Text: "the client may not do this", Code: packet.NotAuthorizedV5}
	ReasonWillNotAuthorized  = Reason{Name: "will_not_authorized", Text: "the client may not publish its will", Code: packet.NotAuthorizedV5}
	ReasonSlowConsumer       = Reason{Name: "slow_consumer", Text: "the client takes its messages too slowly", Code: packet.QuotaExceeded}
	ReasonQuota              = Reason{Name: "quota_exceeded", Text: "a limit of the app is reached", Code: packet.QuotaExceeded}
	ReasonPayload            = Reason{Name: "payload_limit", Text: "the payload is larger than the app may send", Code: packet.QuotaExceeded}
	ReasonPublishRate        = Reason{Name: "publish_rate", Text: "the app publishes faster than it may; try again later", Code: packet.QuotaExceeded}
	ReasonConnectRate        = Reason{Name: "connect_rate", Text: "the app's devices connect faster than they may; try again later", Code: packet.ConnectionRateExceeded}
	ReasonLogFull            = Reason{Name: "log_full", Text: "the message log has no room", Code: packet.QuotaExceeded}
	ReasonRate               = Reason{Name: "rate_exceeded", Text: "too many failures to authenticate; try again later", Code: packet.ConnectionRateExceeded}
	ReasonOverloaded         = Reason{Name: "overloaded", Text: "the server has more to do than it can", Code: packet.ServerBusy}
	ReasonUnavailable        = Reason{Name: "unavailable", Text: "a part that the server needs does not answer", Code: packet.ServerUnavailableV5}
	ReasonInternal           = Reason{Name: "internal", Text: "the server made a mistake", Code: packet.UnspecifiedError}
)

// Reasons lists the registry, for documentation and metrics.
func Reasons() []Reason {
	return []Reason{
		ReasonDisconnected, ReasonConnectionLost, ReasonTakenOver, ReasonShutdown, ReasonRedirected,
		ReasonConnectTimeout, ReasonKeepAlive, ReasonTokenExpired, ReasonRevoked, ReasonSuspended, ReasonReauthentication,
		ReasonMalformed, ReasonPacketTooLarge, ReasonProtocolError, ReasonUnsupportedVersion,
		ReasonClientIDRejected, ReasonTopicFilterInvalid, ReasonTopicNameInvalid, ReasonTopicLimit, ReasonTopicAlias,
		ReasonReceiveMaximum, ReasonPayloadFormat, ReasonBadAuthMethod,
		ReasonBadCredentials, ReasonNotAuthorized, ReasonWillNotAuthorized,
		ReasonSlowConsumer, ReasonQuota, ReasonPayload, ReasonPublishRate, ReasonConnectRate, ReasonLogFull, ReasonRate, ReasonOverloaded, ReasonUnavailable, ReasonInternal,
	}
}

// With returns the reason with a detail for the log.
func (r Reason) With(detail string) Reason {
	r.Text += ": " + detail
	return r
}

// show is what the client may read. Details stay within: they may quote what
// a part of the server said.
func (r Reason) show() string {
	switch r.Name {
	case ReasonInternal.Name, ReasonUnavailable.Name, ReasonReauthentication.Name, ReasonBadCredentials.Name:
		for _, known := range Reasons() {
			if known.Name == r.Name {
				return known.Text
			}
		}
	}
	return r.Text
}

// failure is the reason for a fault of what the session depends on.
func failure(err error) Reason {
	switch fault.CodeOf(err) {
	case fault.Overloaded:
		return ReasonOverloaded.With(err.Error())
	case fault.TooManyRequests, fault.QuotaExceeded:
		return ReasonQuota.With(err.Error())
	case fault.OutsideWall:
		return ReasonNotAuthorized.With(err.Error())
	case fault.LogFull:
		return ReasonLogFull.With(err.Error())
	case fault.PayloadTooLarge:
		return ReasonPacketTooLarge.With(err.Error())
	case fault.Unavailable, fault.Conflict: // another connection came at the same moment
		return ReasonUnavailable.With(err.Error())
	default:
		return ReasonInternal.With(err.Error())
	}
}

// ofPublish says that a reason concerns one message alone: its publisher can
// wait or do without.
func (r Reason) ofPublish() bool {
	return r.Name == ReasonQuota.Name || r.Name == ReasonLogFull.Name || r.Name == ReasonPacketTooLarge.Name
}
