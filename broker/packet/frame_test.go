package packet_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name  string
		wire  string
		limit int
		typ   packet.Type
		flags byte
		body  string
		n     int
	}{
		{"nothing", "", 0, 0, 0, "", 0},
		{"half a header", "\x30", 0, 0, 0, "", 0},
		{"half a length", "\x30\x80", 0, 0, 0, "", 0},
		{"half a body", "\x30\x02a", 0, 0, 0, "", 0},
		{"no body", "\xc0\x00", 0, packet.PINGREQ, 0, "", 2},
		{"flags and body", "\x3d\x02ab", 0, packet.PUBLISH, 0xd, "ab", 4},
		{"the rest is left", "\xc0\x00\xc0\x00", 0, packet.PINGREQ, 0, "", 2},
		{"exactly the limit", "\x30\x02ab", 4, packet.PUBLISH, 0, "ab", 4},
		{"a length longer than needed", "\x30\x82\x80\x80\x00ab", 0, packet.PUBLISH, 0, "ab", 7},
		{"AUTH is the session's to refuse", "\xf0\x00", 0, packet.AUTH, 0, "", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, n, err := packet.Split([]byte(tt.wire), tt.limit)
			if err != nil || n != tt.n || f.Type != tt.typ || f.Flags != tt.flags || string(f.Body) != tt.body {
				t.Errorf("got %v %x %q, %d, %v", f.Type, f.Flags, f.Body, n, err)
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	tests := []struct {
		name string
		wire string
		err  error
	}{
		{"type 0, at its first byte", "\x00", packet.ErrMalformed},
		{"a length of five bytes, at the fourth", "\x30\xff\xff\xff\x80", packet.ErrMalformed},
		{"one byte over the limit, before the body has come", "\x30\x09", packet.ErrTooLarge},
		{"the longest packet there can be", "\x30\xff\xff\xff\x7f", packet.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f, n, err := packet.Split([]byte(tt.wire), 10); !errors.Is(err, tt.err) || n != 0 || f.Type != 0 {
				t.Errorf("got %v, %d, %v; want %v", f, n, err, tt.err)
			}
		})
	}
}

// The body must not reach into the next packet, whoever appends to it.
func TestSplitSealsTheBody(t *testing.T) {
	wire := []byte("\x30\x01a\xc0\x00")
	f, _, err := packet.Split(wire, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(f.Body, "overwritten"...)
	if string(wire) != "\x30\x01a\xc0\x00" {
		t.Errorf("the stream became %q", wire)
	}
}

func TestRemainingLengthBoundaries(t *testing.T) { // section 2.2.3, table 2.4
	for _, tt := range []struct{ length, header int }{
		{127, 2}, {128, 3}, {16_383, 3}, {16_384, 4}, {2_097_151, 4}, {2_097_152, 5},
	} {
		payload := make([]byte, tt.length-3) // a topic of one byte takes three
		wire := packet.Publish{Topic: []byte("t"), Payload: payload}.Append(nil)
		if len(wire) != tt.header+tt.length {
			t.Errorf("length %d: %d bytes of header, want %d", tt.length, len(wire)-tt.length, tt.header)
		}
		f, n, err := packet.Split(wire, 0)
		if err != nil || n != len(wire) || len(f.Body) != tt.length {
			t.Errorf("length %d: Split = %d bytes of body, %d, %v", tt.length, len(f.Body), n, err)
		}
		if e := packet.Encode(packet.Publish{Topic: []byte("t"), Payload: payload}); e.Len() != len(wire) || !bytes.Equal(e.AppendTo(nil, 0, false), wire) {
			t.Errorf("length %d: Encoded differs from Publish", tt.length)
		}
	}
}
