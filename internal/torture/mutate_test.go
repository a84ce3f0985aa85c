package torture_test

import (
	"math/rand/v2"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// connects is how many seeds, from the first, are CONNECTs.
const connects = 5

// seeds are good packets of MQTT 3.1, 3.1.1 and 5.0, to be spoilt.
var seeds = []string{
	"\x10\x23\x00\x06MQIsdp\x03\xc0\x00\x3c\x00\x02c1\x00\x09acme/chat\x00\x06secret",
	"\x10\x21\x00\x04MQTT\x04\xc0\x00\x3c\x00\x02c1\x00\x09acme/chat\x00\x06secret",
	"\x10\x2b\x00\x04MQTT\x04\xc6\x00\x0a\x00\x02c2\x00\x04acme\x00\x02hi\x00\x09acme/chat\x00\x06secret",
	"\x10\x37\x00\x04MQTT\x05\xc4\x00\x0a\x05\x11\x00\x00\x00\x3c\x00\x02c3\x05\x18\x00\x00\x00\x05" +
		"\x00\x04acme\x00\x02hi\x00\x09acme/chat\x00\x06secret",
	"\x10\x1f\x00\x04MQTT\x05\x02\x00\x00\x10\x15\x00\x03JWT\x16\x00\x01t\x21\x00\x02\x22\x00\x00\x00\x02c4",
	"\x30\x0a\x00\x06acme/ahi", "\x31\x08\x00\x06acme/a", "\x32\x0c\x00\x06acme/a\x00\x01hi", "\x3a\x0c\x00\x06acme/a\x00\x01hi",
	"\x34\x0c\x00\x06acme/a\x00\x02hi", "\x3d\x0c\x00\x06acme/a\x00\x02hi",
	"\x32\x10\x00\x06acme/a\x00\x01\x03\x23\x00\x01hi", "\x32\x0a\x00\x00\x00\x01\x03\x23\x00\x01hi",
	"\x34\x2c\x00\x06acme/a\x00\x07\x1f\x01\x01\x02\x00\x00\x00\x05\x03\x00\x01t\x08\x00\x06acme/b\x09\x00\x01\xff\x26\x00\x01k\x00\x01vhi",
	"\x40\x02\x00\x01", "\x40\x04\x00\x01\x80\x00", "\x50\x02\x00\x01", "\x50\x03\x00\x01\x97", "\x62\x02\x00\x01", "\x70\x02\x00\x01",
	"\x62\x08\x00\x01\x92\x04\x1f\x00\x01x",
	"\x82\x0b\x00\x01\x00\x06acme/a\x01", "\x82\x0c\x00\x02\x00\x00\x06acme/a\x02", "\x82\x0e\x00\x02\x02\x0b\x07\x00\x06acme/#\x2d",
	"\x82\x15\x00\x03\x00\x00\x0e$share/g/acme/#\x01", "\x82\x0f\x00\x03\x00\x0a$queue/a/#\x01",
	"\xa2\x0a\x00\x01\x00\x06acme/a", "\xa2\x0b\x00\x01\x00\x00\x06acme/a",
	"\xc0\x00", "\xe0\x00", "\xe0\x02\x04\x00", "\xe0\x07\x00\x05\x11\x00\x00\x00\x0a",
	"\xf0\x0b\x19\x09\x15\x00\x03JWT\x16\x00\x00", "\xf0\x00",
	"\x20\x02\x00\x00", "\x90\x03\x00\x01\x00", "\xb0\x02\x00\x01", "\xd0\x00",
}

// interesting are bytes that stand at the bounds of something.
var interesting = []byte{0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xff, '+', '#', '/', '$', 0x0b, 0x15, 0x21, 0x23, 0x26}

// mutator spoils packets, always in the same way for the same seed.
type mutator struct {
	*rand.Rand
	buf []byte
}

// next returns a packet that is spoilt in up to four places, valid until the
// call after it. Half of them have a Remaining Length that is right all the
// same, so that the damage comes further in.
func (m *mutator) next() []byte {
	b := append(m.buf[:0], seeds[m.IntN(len(seeds))]...)
	for range m.IntN(5) {
		b = m.spoil(b)
	}
	if m.IntN(2) == 0 && len(b) >= 2 && len(b) < 130 {
		b[1] = byte(len(b) - 2)
	}
	m.buf = b
	return b
}

func (m *mutator) spoil(b []byte) []byte {
	if len(b) == 0 {
		return append(b, byte(m.Uint32()))
	}
	at := m.IntN(len(b))
	switch m.IntN(7) {
	case 0:
		b[at] ^= 1 << m.IntN(8)
	case 1:
		b[at] = interesting[m.IntN(len(interesting))]
	case 2:
		b[at] = byte(m.Uint32())
	case 3:
		return b[:at]
	case 4:
		return append(b[:at], b[min(at+1+m.IntN(4), len(b)):]...)
	case 5:
		other := seeds[m.IntN(len(seeds))]
		return append(b[:at], other[m.IntN(len(other)):]...)
	case 6:
		if len(b) < 1<<12 {
			return append(b, b[at:]...)
		}
	}
	return b
}

// A seed is one whole packet, else it is spoilt from the beginning.
func TestSeedsAreWhole(t *testing.T) {
	t.Parallel()
	for _, s := range seeds {
		if _, n, err := packet.Split([]byte(s), 0); err != nil || n != len(s) {
			t.Errorf("% x has %d bytes, not %d (%v)", s, len(s), n, err)
		}
	}
	for _, s := range seeds[:connects] {
		d := newDriver(1)
		d.open()
		d.feed([]byte(s))
		if d.accepted == 0 && d.reasons["bad_credentials"] == 0 {
			t.Errorf("% x: %v", s, d.reasons)
		}
	}
}
