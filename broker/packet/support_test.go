package packet_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// appender and decoder are what all packets have in common.
type appender interface{ Append(dst []byte) []byte }

type decoder[T any] interface {
	*T
	Decode(f packet.Frame) error
}

// roundTrip holds a packet against its bytes, in both directions.
func roundTrip[T appender, P decoder[T]](t *testing.T, p T, wire string) {
	t.Helper()
	if got := string(p.Append([]byte("before"))); got != "before"+wire {
		t.Errorf("Append\n got %q\nwant %q", got, "before"+wire)
	}
	decodes[T, P](t, p, wire)
}

// decodes expects the packet from its bytes, read as the packet's version.
func decodes[T any, P decoder[T]](t *testing.T, want T, wire string) {
	t.Helper()
	f := split(t, wire)
	f.Version = versionOf(&want)
	var got T
	if err := P(&got).Decode(f); err != nil {
		t.Fatalf("Decode: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Decode\n got %+v\nwant %+v", got, want)
	}
}

// versionOf is the version of a packet, which it fills in. AUTH has none but 5.0.
func versionOf(p any) packet.Version {
	v := reflect.ValueOf(p).Elem().FieldByName("Version")
	if !v.IsValid() {
		return packet.V5
	}
	if v.IsZero() {
		v.SetUint(uint64(packet.V311))
	}
	return packet.Version(v.Uint())
}

// split frames exactly one packet.
func split(t *testing.T, wire string) packet.Frame {
	t.Helper()
	f, n, err := packet.Split([]byte(wire), 0)
	if err != nil || n != len(wire) {
		t.Fatalf("Split(%q) = %d, %v; want all %d bytes", wire, n, err, len(wire))
	}
	return f
}

// fault is a frame and the clause it breaks.
type fault struct {
	name   string
	flags  byte
	body   string
	clause string
}

// refuses expects a *Malformed for every fault, read as 3.1.1.
func refuses[T any, P decoder[T]](t *testing.T, typ packet.Type, faults []fault) {
	t.Helper()
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			t.Helper()
			var p T
			err := P(&p).Decode(packet.Frame{Type: typ, Flags: tt.flags, Body: []byte(tt.body)})
			wantMalformed(t, err, typ, tt.clause)
		})
	}
}

// The answers that 5.0 has for what is wrong with a packet.
const (
	malformed = packet.MalformedPacket
	protocol  = packet.ProtocolError
)

// fault5 is a frame of 5.0, the clause it breaks and the answer to it.
type fault5 struct {
	name   string
	flags  byte
	body   string
	clause string
	reason packet.ReasonCode
}

// refuses5 expects a *Malformed for every fault, read as 5.0.
func refuses5[T any, P decoder[T]](t *testing.T, typ packet.Type, faults []fault5) {
	t.Helper()
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			t.Helper()
			var p T
			f := packet.Frame{Type: typ, Flags: tt.flags, Body: []byte(tt.body), Version: packet.V5}
			m := wantMalformed(t, P(&p).Decode(f), typ, tt.clause)
			if m.Reason != tt.reason {
				t.Errorf("%v: answer %v, want %v", m, m.Reason, tt.reason)
			}
		})
	}
}

// section is properties with their length, which must be below 128.
func section(properties string) string { return string(rune(len(properties))) + properties }

func wantMalformed(t *testing.T, err error, typ packet.Type, clause string) *packet.Malformed {
	t.Helper()
	var m *packet.Malformed
	if !errors.As(err, &m) || !errors.Is(err, packet.ErrMalformed) {
		t.Fatalf("error %v, want a *Malformed", err)
	}
	if m.Packet != typ || m.Clause != clause || m.Why == "" {
		t.Errorf("error %q, want %v and %s", m, typ, clause)
	}
	return m
}

// users are user properties of the given keys and values, in turn.
func users(pairs ...string) packet.UserProperties {
	var u packet.UserProperties
	for i := 0; i < len(pairs); i += 2 {
		u = u.Append(pairs[i], pairs[i+1])
	}
	return u
}
