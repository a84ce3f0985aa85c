package packet_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// samples are the seeds of the fuzz targets: every packet, and every way of
// being wrong that takes a stream to reach.
func samples() []string {
	return []string{
		"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
		"\x10\x2b\x00\x04MQTT\x04\xee\x00\x3c\x00\x05phone\x00\x03a/w\x00\x03bye\x00\x09acme/chat\x00\x03\x00pw",
		"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00",
		"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00",
		"\x20\x02\x01\x00", "\x20\x02\x00\x05",
		"\x30\x07\x00\x03a/bhi", "\x33\x09\x00\x03a/b\x00\x0ahi", "\x3c\x05\x00\x01/\xff\xff", "\x30\x05\x00\x03a/#",
		"\x40\x02\x00\x01", "\x50\x02\x00\x01", "\x62\x02\x00\x01", "\x70\x02\x00\x01", "\xb0\x02\x00\x01",
		"\x82\x10\x00\x0a\x00\x03a/+\x01\x00\x01#\x00\x00\x01b\x02", "\x82\x02\x00\x01",
		"\x90\x06\x00\x0a\x00\x01\x02\x80",
		"\xa2\x0a\x00\x0a\x00\x03a/+\x00\x01#",
		"\xc0\x00", "\xd0\x00", "\xe0\x00", "\xf0\x00", "\x00\x00",
		"\x30\xff\xff\xff\x7f", "\x30\xff\xff\xff\xff\x7f", "\x30\x87\x00\x00\x03a/bhi",
	}
}

// decode reads a frame of any type; nil for one that has no decoder.
func decode(f packet.Frame) (appender, error) {
	switch f.Type {
	case packet.CONNECT:
		return decodeAs[packet.Connect](f)
	case packet.CONNACK:
		return decodeAs[packet.Connack](f)
	case packet.PUBLISH:
		return decodeAs[packet.Publish](f)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		return decodeAs[packet.Ack](f)
	case packet.UNSUBACK:
		return decodeAs[packet.Unsuback](f)
	case packet.AUTH:
		return decodeAs[packet.Auth](f)
	case packet.SUBSCRIBE:
		return decodeAs[packet.Subscribe](f)
	case packet.SUBACK:
		return decodeAs[packet.Suback](f)
	case packet.UNSUBSCRIBE:
		return decodeAs[packet.Unsubscribe](f)
	case packet.PINGREQ:
		return decodeAs[packet.Pingreq](f)
	case packet.PINGRESP:
		return decodeAs[packet.Pingresp](f)
	case packet.DISCONNECT:
		return decodeAs[packet.Disconnect](f)
	default:
		return nil, packet.ErrMalformed
	}
}

func decodeAs[T appender, P decoder[T]](f packet.Frame) (appender, error) {
	var p T
	err := P(&p).Decode(f)
	return p, err
}

// FuzzDecode: whatever the bytes, decoding ends in a packet or an error of the
// registry; a packet encodes to the very frame it came from.
func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		frame, n, err := packet.Split(wire, 1<<20)
		if n == 0 || err != nil {
			return
		}
		p, err := decode(frame)
		if err != nil {
			checkError(t, err)
			return
		}
		again, m, err := packet.Split(p.Append(nil), 0)
		if err != nil || m > n {
			t.Fatalf("%+v: framed again: %d bytes of %d, %v", p, m, n, err)
		}
		if again.Type != frame.Type || again.Flags != frame.Flags || !bytes.Equal(again.Body, frame.Body) {
			t.Fatalf("%+v: encoded to %v, came from %v", p, again, frame)
		}
		if frame.Type == packet.PUBLISH {
			return // aliases the frame
		}
		clear(frame.Body)
		if after, _, _ := packet.Split(p.Append(nil), 0); !bytes.Equal(after.Body, again.Body) {
			t.Fatalf("%+v aliases its frame", p)
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
