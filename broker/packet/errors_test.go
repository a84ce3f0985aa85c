package packet_test

import (
	"errors"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestMalformedReadsWellInALog(t *testing.T) {
	err := error(&packet.Malformed{Packet: packet.PUBLISH, Clause: "MQTT-3.3.1-4", Why: "QoS 3"})
	if got, want := err.Error(), "malformed PUBLISH: QoS 3 [MQTT-3.3.1-4]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, packet.ErrMalformed) || errors.Is(err, packet.ErrTooLarge) {
		t.Error("a *Malformed is ErrMalformed and nothing else")
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		packet.Type(0).String():                     "RESERVED",
		packet.CONNECT.String():                     "CONNECT",
		packet.UNSUBACK.String():                    "UNSUBACK",
		packet.AUTH.String():                        "AUTH",
		packet.Type(16).String():                    "RESERVED",
		packet.V31.String():                         "3.1",
		packet.V311.String():                        "3.1.1",
		packet.V5.String():                          "5.0",
		packet.Version(9).String():                  "unknown",
		packet.Accepted.String():                    "accepted",
		packet.UnacceptableProtocolVersion.String(): "unacceptable protocol version",
		packet.IdentifierRejected.String():          "identifier rejected",
		packet.ServerUnavailable.String():           "server unavailable",
		packet.BadUserNameOrPassword.String():       "bad user name or password",
		packet.NotAuthorized.String():               "not authorized",
		packet.ConnackCode(6).String():              "reserved",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
