package packet_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// table26 is table 2-6 of 5.0: each code with its name and its packets.
var table26 = map[packet.ReasonCode]struct{ name, packets string }{
	0x00: {"Success", "carlosuDA"},
	0x01: {"Granted QoS 1", "s"},
	0x02: {"Granted QoS 2", "s"},
	0x04: {"Disconnect with Will Message", "D"},
	0x10: {"No matching subscribers", "ar"},
	0x11: {"No subscription existed", "u"},
	0x18: {"Continue authentication", "A"},
	0x19: {"Re-authenticate", "A"},
	0x80: {"Unspecified error", "carsuD"},
	0x81: {"Malformed Packet", "cD"},
	0x82: {"Protocol Error", "cD"},
	0x83: {"Implementation specific error", "carsuD"},
	0x84: {"Unsupported Protocol Version", "c"},
	0x85: {"Client Identifier not valid", "c"},
	0x86: {"Bad User Name or Password", "c"},
	0x87: {"Not authorized", "carsuD"},
	0x88: {"Server unavailable", "c"},
	0x89: {"Server busy", "cD"},
	0x8A: {"Banned", "c"},
	0x8B: {"Server shutting down", "D"},
	0x8C: {"Bad authentication method", "cD"},
	0x8D: {"Keep Alive timeout", "D"},
	0x8E: {"Session taken over", "D"},
	0x8F: {"Topic Filter invalid", "suD"},
	0x90: {"Topic Name invalid", "carD"},
	0x91: {"Packet Identifier in use", "arsu"},
	0x92: {"Packet Identifier not found", "lo"},
	0x93: {"Receive Maximum exceeded", "D"},
	0x94: {"Topic Alias invalid", "D"},
	0x95: {"Packet too large", "cD"},
	0x96: {"Message rate too high", "D"},
	0x97: {"Quota exceeded", "carsD"},
	0x98: {"Administrative action", "D"},
	0x99: {"Payload format invalid", "carD"},
	0x9A: {"Retain not supported", "cD"},
	0x9B: {"QoS not supported", "cD"},
	0x9C: {"Use another server", "cD"},
	0x9D: {"Server moved", "cD"},
	0x9E: {"Shared Subscriptions not supported", "sD"},
	0x9F: {"Connection rate exceeded", "cD"},
	0xA0: {"Maximum connect time", "D"},
	0xA1: {"Subscription Identifiers not supported", "sD"},
	0xA2: {"Wildcard Subscriptions not supported", "sD"},
}

func TestReasonCodesHaveTheirNames(t *testing.T) {
	for code := range 256 {
		want := table26[packet.ReasonCode(code)].name
		if want == "" {
			want = "Reserved"
		}
		if got := packet.ReasonCode(code).String(); got != want {
			t.Errorf("%#x is %q, want %q", code, got, want)
		}
	}
}

// Every code in every packet: it is read and written, or a protocol error.
func TestReasonCodesStandWhereTheyMay(t *testing.T) {
	frames := map[rune]struct {
		frame  func(code byte) packet.Frame
		clause string
	}{
		'c': {reasonAt(packet.CONNACK, 0, "\x00", "\x00"), "MQTT-3.2.2-8"},
		'a': {reasonAt(packet.PUBACK, 0, "\x00\x01", ""), "MQTT-3.4.2-1"},
		'r': {reasonAt(packet.PUBREC, 0, "\x00\x01", ""), "MQTT-3.5.2-1"},
		'l': {reasonAt(packet.PUBREL, 2, "\x00\x01", ""), "MQTT-3.6.2-1"},
		'o': {reasonAt(packet.PUBCOMP, 0, "\x00\x01", ""), "MQTT-3.7.2-1"},
		's': {reasonAt(packet.SUBACK, 0, "\x00\x01\x00", ""), "MQTT-3.9.3-2"},
		'u': {reasonAt(packet.UNSUBACK, 0, "\x00\x01\x00", ""), "MQTT-3.11.3-2"},
		'D': {reasonAt(packet.DISCONNECT, 0, "", ""), "MQTT-3.14.2-1"},
		'A': {reasonAt(packet.AUTH, 0, "", "\x06\x15\x00\x03JWT"), "MQTT-3.15.2-1"},
	}
	for letter, tt := range frames {
		for code := range 256 {
			f := tt.frame(byte(code))
			p, err := decode(f)
			if !strings.ContainsRune(table26[packet.ReasonCode(code)].packets, letter) {
				if m := wantMalformed(t, err, f.Type, tt.clause); m.Reason != protocol {
					t.Errorf("%#x in %v: answer %v", code, f.Type, m.Reason)
				}
				continue
			}
			if err != nil {
				t.Errorf("%#x in %v: %v", code, f.Type, err)
			} else if wire := p.Append(nil); code != 0 && !strings.Contains(string(wire[2:]), string([]byte{byte(code)})) {
				t.Errorf("%#x in %v is not written again: %q", code, f.Type, wire)
			}
		}
	}
}

// reasonAt makes frames with a reason code between before and after.
func reasonAt(typ packet.Type, flags byte, before, after string) func(byte) packet.Frame {
	return func(code byte) packet.Frame {
		body := before + string([]byte{code}) + after
		return packet.Frame{Type: typ, Flags: flags, Body: []byte(body), Version: packet.V5}
	}
}

func TestReasonCodesAsReturnCodes(t *testing.T) {
	for code := range table26 {
		got := code.Connack()
		if (code < 0x80) != (got == packet.Accepted) || got > packet.NotAuthorized {
			t.Errorf("%v becomes %v", code, got)
		}
	}
	for code, want := range map[packet.ReasonCode]packet.ConnackCode{
		packet.Success:                    packet.Accepted,
		packet.UnsupportedProtocolVersion: packet.UnacceptableProtocolVersion,
		packet.ClientIdentifierNotValid:   packet.IdentifierRejected,
		packet.BadUserNameOrPasswordV5:    packet.BadUserNameOrPassword,
		packet.NotAuthorizedV5:            packet.NotAuthorized,
		packet.Banned:                     packet.NotAuthorized,
		packet.ServerUnavailableV5:        packet.ServerUnavailable,
		packet.ServerBusy:                 packet.ServerUnavailable,
		packet.QuotaExceeded:              packet.ServerUnavailable,
		packet.UseAnotherServer:           packet.ServerUnavailable,
	} {
		if got := code.Connack(); got != want {
			t.Errorf("%v becomes %v, want %v", code, got, want)
		}
	}
}
