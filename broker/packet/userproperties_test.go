package packet_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

func list(u packet.UserProperties) []string {
	var pairs []string
	for key, value := range u.All() {
		pairs = append(pairs, key, value)
	}
	return pairs
}

func TestUserProperties(t *testing.T) {
	pairs := []string{"b", "1", "a", "2", "b", "1", "", ""} // in order, more than once, empty
	u := users(pairs...)
	if want := "\x26\x00\x01b\x00\x011\x26\x00\x01a\x00\x012\x26\x00\x01b\x00\x011\x26\x00\x00\x00\x00"; string(u) != want {
		t.Errorf("got %q, want %q", u, want)
	}
	if got := list(u); !slices.Equal(got, pairs) || !u.Valid() {
		t.Errorf("got %q, want %q", got, pairs)
	}
	for key := range u.All() {
		if key != "b" {
			t.Error("All went on after a break")
		}
		break
	}
}

func TestUserPropertiesOfNone(t *testing.T) {
	var none packet.UserProperties
	if !none.Valid() || list(none) != nil {
		t.Error("nil is not none")
	}
}

func TestUserPropertiesNotValid(t *testing.T) {
	for _, bad := range []string{
		"\x26", "\x26\x00", "\x26\x00\x01k", "\x26\x00\x01k\x00", "\x26\x00\x01k\x00\x02v",
		"\x1f\x00\x01k", "\xa6\x00\x00\x01k\x00\x01v", "\x26\x00\x01\xff\x00\x01v", "\x26\x00\x01k\x00\x01\x00",
	} {
		u := users("k", "v")
		u = append(u, bad...)
		if u.Valid() {
			t.Errorf("%q is valid", u)
		}
		if got := list(u); !slices.Equal(got, []string{"k", "v"}) {
			t.Errorf("%q yields %q", u, got)
		}
	}
}

func TestUserPropertiesTooLong(t *testing.T) {
	long := strings.Repeat("x", packet.MaxString+1)
	u := users(long, long)
	if !u.Valid() || !slices.Equal(list(u), []string{long[1:], long[1:]}) {
		t.Error("a key and a value too long are not cut")
	}
}

// Others in between cost a copy, never the order.
func TestUserPropertiesApart(t *testing.T) { // [MQTT-3.3.2-18]
	a, b, c := string(users("a", "1")), string(users("b", "2")), string(users("c", "3"))
	format, expiry := "\x01\x01", "\x02\x00\x00\x00\x01"
	for _, section := range []string{
		a + b + c + format, format + a + b + c, format + a + b + c + expiry,
		a + format + b + expiry + c, a + b + format + c, a + format + b + c, a + format + expiry + b + c,
	} {
		var p packet.Publish
		f := places['P'].frame(string(rune(len(section))) + section)
		if err := p.Decode(f); err != nil {
			t.Fatalf("%q: %v", section, err)
		}
		if string(p.Properties.User) != a+b+c || p.Properties.PayloadFormat != 1 || string(p.Payload) != "payload" {
			t.Errorf("%q: got %+v", section, p)
		}
	}
}

// Whoever appends to the pairs of a frame must not write into the frame.
func TestUserPropertiesAreSealed(t *testing.T) {
	f := places['P'].frame(section(string(users("a", "1")) + "\x02\x00\x00\x00\x3c\x23\x00\x01"))
	before := string(f.Body)
	var p packet.Publish
	if err := p.Decode(f); err != nil {
		t.Fatal(err)
	}
	if got := list(p.Properties.User.Append("b", "2")); !slices.Equal(got, []string{"a", "1", "b", "2"}) {
		t.Errorf("got %q", got)
	}
	if string(f.Body) != before {
		t.Errorf("the frame became %q", f.Body)
	}
}
