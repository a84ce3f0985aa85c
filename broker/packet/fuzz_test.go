package packet_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// checkFrame: whatever the bytes, decoding ends in a packet or an error of the
// registry. A packet encodes to a frame that is no longer than the one it came
// from, and to the very same before 5.0; that frame decodes to the very packet;
// and the packet owns what it holds, unless it is a PUBLISH.
func checkFrame(t *testing.T, frame packet.Frame) {
	t.Helper()
	p, err := decode(frame)
	if err != nil {
		checkError(t, err)
		return
	}
	wire := p.Append(nil)
	again, n, err := packet.Split(wire, 0)
	if err != nil || n != len(wire) || len(again.Body) > len(frame.Body) {
		t.Fatalf("%+v: framed again: %q, %d, %v; came from %q", p, wire, n, err, frame.Body)
	}
	again.Version = frame.Version
	if again.Type != frame.Type || exact(frame, p) && (again.Flags != frame.Flags || !bytes.Equal(again.Body, frame.Body)) {
		t.Fatalf("%+v: encoded to %v, came from %v", p, again, frame)
	}
	if back, err := decode(again); err != nil || !reflect.DeepEqual(back, absent(p)) {
		t.Fatalf("%+v became %+v, %v", p, back, err)
	}
	if frame.Type == packet.PUBLISH {
		return // aliases the frame
	}
	clear(frame.Body)
	if after := p.Append(nil); !bytes.Equal(after, wire) {
		t.Fatalf("%+v aliases its frame", p)
	}
}

// exact says whether the version leaves no choice of how to write p: 5.0 may
// order properties and leave out what is the default, 3.1 ignores what it does
// not use.
func exact(f packet.Frame, p appender) bool {
	if connect, ok := p.(packet.Connect); ok {
		return connect.Version == packet.V311
	}
	return f.Version == packet.V311 || f.Version == 0
}

// absent has nil in place of the empty content type, which is not written.
func absent(p appender) appender {
	if publish, ok := p.(packet.Publish); ok && len(publish.Properties.ContentType) == 0 {
		publish.Properties.ContentType = nil
		return publish
	}
	return p
}

// FuzzDecode takes a whole frame of any type.
func FuzzDecode(f *testing.F) {
	for _, version := range versions {
		for _, s := range append(samples(), samples5()...) {
			f.Add([]byte(s), byte(version))
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte, version byte) {
		frame, n, err := packet.Split(wire, 1<<20)
		if n == 0 || err != nil {
			return
		}
		frame.Version = packet.Version(version)
		checkFrame(t, frame)
	})
}

// The bodies of each packet, where the fuzzer need not find the header first.

func FuzzDecodeConnect(f *testing.F)     { fuzzType(f, packet.CONNECT) }
func FuzzDecodeConnack(f *testing.F)     { fuzzType(f, packet.CONNACK) }
func FuzzDecodePublish(f *testing.F)     { fuzzType(f, packet.PUBLISH) }
func FuzzDecodePuback(f *testing.F)      { fuzzType(f, packet.PUBACK) }
func FuzzDecodePubrec(f *testing.F)      { fuzzType(f, packet.PUBREC) }
func FuzzDecodePubrel(f *testing.F)      { fuzzType(f, packet.PUBREL) }
func FuzzDecodePubcomp(f *testing.F)     { fuzzType(f, packet.PUBCOMP) }
func FuzzDecodeSubscribe(f *testing.F)   { fuzzType(f, packet.SUBSCRIBE) }
func FuzzDecodeSuback(f *testing.F)      { fuzzType(f, packet.SUBACK) }
func FuzzDecodeUnsubscribe(f *testing.F) { fuzzType(f, packet.UNSUBSCRIBE) }
func FuzzDecodeUnsuback(f *testing.F)    { fuzzType(f, packet.UNSUBACK) }
func FuzzDecodeDisconnect(f *testing.F)  { fuzzType(f, packet.DISCONNECT) }
func FuzzDecodeAuth(f *testing.F)        { fuzzType(f, packet.AUTH) }

func fuzzType(f *testing.F, typ packet.Type) {
	f.Helper()
	for _, s := range append(samples(), samples5()...) {
		frame, n, err := packet.Split([]byte(s), 0)
		if err != nil || n == 0 || frame.Type != typ {
			continue
		}
		for _, version := range versions {
			f.Add(byte(version), frame.Flags, frame.Body)
		}
	}
	f.Fuzz(func(t *testing.T, version, flags byte, body []byte) {
		checkFrame(t, packet.Frame{
			Type: typ, Flags: flags & 0xf, Body: bytes.Clone(body), Version: packet.Version(version),
		})
	})
}

// FuzzUserProperties: pairs are valid if and only if, put together again from
// what they yield, they are the same bytes.
func FuzzUserProperties(f *testing.F) {
	f.Add([]byte(users("k", "v", "k", "", "", "w")))
	f.Add([]byte("\x26\x00\x01k\x00\x02v"))
	f.Fuzz(func(t *testing.T, b []byte) {
		u := packet.UserProperties(b)
		var again packet.UserProperties
		for key, value := range u.All() {
			again = again.Append(key, value)
		}
		if !bytes.HasPrefix(u, again) || u.Valid() != bytes.Equal(u, again) {
			t.Errorf("%q: valid %t, put together %q", u, u.Valid(), again)
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	var m *packet.Malformed
	if errors.As(err, &m) && (m.Clause == "" || m.Why == "") {
		t.Fatalf("%#v says too little", m)
	}
	if !errors.Is(err, packet.ErrMalformed) && !errors.Is(err, packet.ErrUnsupportedVersion) {
		t.Fatalf("unexpected error %v", err)
	}
}

// FuzzSplit: a stream is cut into the same frames and ends in the same error
// whether it comes whole or byte by byte.
func FuzzSplit(f *testing.F) {
	var stream []byte
	for _, s := range samples() {
		stream = append(stream, s...)
		f.Add([]byte(s), uint16(0))
	}
	f.Add(stream, uint16(0))
	f.Add(stream, uint16(20))
	f.Fuzz(func(t *testing.T, stream []byte, limit uint16) {
		whole := splitter{limit: int(limit)}
		whole.feed(stream)
		bytewise := splitter{limit: int(limit)}
		for i := range stream {
			bytewise.feed(stream[i : i+1])
		}
		if len(whole.frames) != len(bytewise.frames) {
			t.Fatalf("%d frames whole, %d byte by byte", len(whole.frames), len(bytewise.frames))
		}
		for i, a := range whole.frames {
			if b := bytewise.frames[i]; a.Type != b.Type || a.Flags != b.Flags || !bytes.Equal(a.Body, b.Body) {
				t.Fatalf("frame %d: %v whole, %v byte by byte", i, a, b)
			}
		}
		if text(whole.err) != text(bytewise.err) || !bytes.Equal(whole.rest, bytewise.rest) && whole.err == nil {
			t.Fatalf("whole ends in %v and %q, byte by byte in %v and %q", whole.err, whole.rest, bytewise.err, bytewise.rest)
		}
	})
}

// splitter takes a stream in pieces until its first error.
type splitter struct {
	limit  int
	rest   []byte
	frames []packet.Frame
	err    error
}

func (s *splitter) feed(piece []byte) {
	s.rest = append(s.rest, piece...)
	for s.err == nil {
		f, n, err := packet.Split(s.rest, s.limit)
		s.err = err
		if n == 0 {
			return
		}
		f.Body = bytes.Clone(f.Body)
		s.frames = append(s.frames, f)
		s.rest = s.rest[n:]
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
