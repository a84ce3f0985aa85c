package session

import (
	"github.com/fanfare-mq/fanfare/fault"
)

// Reason says why a session ended, or why a publish was dropped.
type Reason struct {
	Name   string // stable snake_case, one of a small set: fit for a metric's label
	Text   string // for the log, with details
	Normal bool   // belongs to ordinary life; nobody did anything wrong
}

// The registry of reasons.
var (
	ReasonDisconnected   = Reason{Name: "disconnected", Text: "the client said goodbye", Normal: true}
	ReasonConnectionLost = Reason{Name: "connection_lost", Text: "the network connection ended without a DISCONNECT", Normal: true}
	ReasonTakenOver      = Reason{Name: "taken_over", Text: "a newer connection took the session over", Normal: true}
	ReasonShutdown       = Reason{Name: "server_shutdown", Text: "the server shuts down", Normal: true}

	ReasonConnectTimeout = Reason{Name: "connect_timeout", Text: "no CONNECT in time"}
	ReasonKeepAlive      = Reason{Name: "keep_alive_timeout", Text: "nothing heard for one and a half keep-alive periods"}
	ReasonTokenExpired   = Reason{Name: "token_expired", Text: "the credentials have expired"}

	ReasonMalformed          = Reason{Name: "malformed_packet", Text: "a packet cannot be read"}
	ReasonPacketTooLarge     = Reason{Name: "packet_too_large", Text: "a packet is over the size limit"}
	ReasonProtocolError      = Reason{Name: "protocol_error", Text: "the client broke the protocol"}
	ReasonUnsupportedVersion = Reason{Name: "unsupported_version", Text: "the protocol version is not supported"}
	ReasonClientIDRejected   = Reason{Name: "client_id_rejected", Text: "the client identifier is not acceptable"}
	ReasonTopicFilterInvalid = Reason{Name: "topic_filter_invalid", Text: "a topic filter is malformed"}
	ReasonTopicLimit         = Reason{Name: "topic_limit", Text: "the topic is too long or has too many levels"}
	ReasonQoSNotSupported    = Reason{Name: "qos_not_supported", Text: "QoS 2 is not supported"}
	ReasonBadCredentials     = Reason{Name: "bad_credentials", Text: "user name or password is wrong"}
	ReasonNotAuthorized      = Reason{Name: "not_authorized", Text: "the client may not do this"}
	ReasonWillNotAuthorized  = Reason{Name: "will_not_authorized", Text: "the client may not publish its will"}
	ReasonSlowConsumer       = Reason{Name: "slow_consumer", Text: "the client takes its messages too slowly"}
	ReasonOverloaded         = Reason{Name: "overloaded", Text: "the server has more to do than it can"}
	ReasonUnavailable        = Reason{Name: "unavailable", Text: "a part that the server needs does not answer"}
	ReasonInternal           = Reason{Name: "internal", Text: "the server made a mistake"}
)

// Reasons lists the registry, for documentation and metrics.
func Reasons() []Reason {
	return []Reason{
		ReasonDisconnected, ReasonConnectionLost, ReasonTakenOver, ReasonShutdown,
		ReasonConnectTimeout, ReasonKeepAlive, ReasonTokenExpired,
		ReasonMalformed, ReasonPacketTooLarge, ReasonProtocolError, ReasonUnsupportedVersion,
		ReasonClientIDRejected, ReasonTopicFilterInvalid, ReasonTopicLimit, ReasonQoSNotSupported,
		ReasonBadCredentials, ReasonNotAuthorized, ReasonWillNotAuthorized,
		ReasonSlowConsumer, ReasonOverloaded, ReasonUnavailable, ReasonInternal,
	}
}

// with returns the reason with a detail for the log.
func (r Reason) with(detail string) Reason {
	r.Text += ": " + detail
	return r
}

// failure is the reason for a fault of what the session depends on.
func failure(err error) Reason {
	switch fault.CodeOf(err) {
	case fault.Overloaded, fault.TooManyRequests:
		return ReasonOverloaded.with(err.Error())
	case fault.Unavailable:
		return ReasonUnavailable.with(err.Error())
	default:
		return ReasonInternal.with(err.Error())
	}
}
