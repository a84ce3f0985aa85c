package packet_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Whatever a packet holds, it is read as it was written: every type, every
// version, every field that the version has.
func TestDecodeOfEncodeIsTheIdentity(t *testing.T) {
	draws := map[string]func(*rapid.T, packet.Version) appender{
		"CONNECT":     func(t *rapid.T, v packet.Version) appender { return drawConnect(t, v) },
		"CONNACK":     func(t *rapid.T, v packet.Version) appender { return drawConnack(t, v) },
		"PUBLISH":     func(t *rapid.T, v packet.Version) appender { return drawPublish(t, v) },
		"PUBACK":      drawAck(packet.PUBACK, 'a'),
		"PUBREC":      drawAck(packet.PUBREC, 'r'),
		"PUBREL":      drawAck(packet.PUBREL, 'l'),
		"PUBCOMP":     drawAck(packet.PUBCOMP, 'o'),
		"SUBSCRIBE":   drawSubscribe,
		"SUBACK":      drawSuback,
		"UNSUBSCRIBE": drawUnsubscribe,
		"UNSUBACK":    drawUnsuback,
		"PINGREQ":     func(_ *rapid.T, v packet.Version) appender { return packet.Pingreq{Version: v} },
		"PINGRESP":    func(_ *rapid.T, v packet.Version) appender { return packet.Pingresp{Version: v} },
		"DISCONNECT":  drawDisconnect,
		"AUTH":        func(t *rapid.T, _ packet.Version) appender { return drawAuth(t) },
	}
	for name, draw := range draws {
		for _, version := range versions {
			if name == "AUTH" && version != packet.V5 {
				continue
			}
			t.Run(name+"/"+version.String(), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) { checkIdentity(t, draw(t, version), version) })
			})
		}
	}
}

func checkIdentity(t *rapid.T, want appender, version packet.Version) {
	wire := want.Append(nil)
	f, n, err := packet.Split(wire, 0)
	if err != nil || n != len(wire) {
		t.Fatalf("%+v: framed as %d of %d bytes, %v", want, n, len(wire), err)
	}
	f.Version = version
	got, err := decode(f)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\nbecame %+v, %v", want, got, err)
	}
}

// What is encoded once for many is what is encoded for one.
func TestEncodedIsPublish(t *testing.T) {
	for _, version := range versions {
		rapid.Check(t, func(t *rapid.T) {
			p := drawPublish(t, version)
			e := packet.Encode(p)
			if got, want := string(e.AppendTo(nil, p.PacketID, p.Dup)), string(p.Append(nil)); got != want || e.Len() != len(want) {
				t.Fatalf("%+v: got %q of %d, want %q", p, got, e.Len(), want)
			}
		})
	}
}
