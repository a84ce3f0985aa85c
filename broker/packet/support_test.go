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
	var back T
	if err := P(&back).Decode(split(t, wire)); err != nil {
		t.Fatalf("Decode: %v", err)
	}
	if !reflect.DeepEqual(back, p) {
		t.Errorf("Decode\n got %+v\nwant %+v", back, p)
	}
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

// refuses expects a *Malformed for every fault.
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

func wantMalformed(t *testing.T, err error, typ packet.Type, clause string) {
	t.Helper()
	var m *packet.Malformed
	if !errors.As(err, &m) || !errors.Is(err, packet.ErrMalformed) {
		t.Fatalf("error %v, want a *Malformed", err)
	}
	if m.Packet != typ || m.Clause != clause || m.Why == "" {
		t.Errorf("error %q, want %v and %s", m, typ, clause)
	}
}
