package packet_test

import (
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// place is where properties stand: a packet of 5.0 or the will in it, around
// a section that a test fills.
type place struct {
	name   string
	typ    packet.Type
	flags  byte
	before string
	after  string
}

func (p place) frame(section string) packet.Frame {
	return packet.Frame{Type: p.typ, Flags: p.flags, Body: []byte(p.before + section + p.after), Version: packet.V5}
}

// places are all there are, by the letters of the table below.
var places = map[rune]place{
	'C': {"CONNECT", packet.CONNECT, 0, "\x00\x04MQTT\x05\x02\x00\x00", "\x00\x00"},
	'W': {"the will", packet.CONNECT, 0, "\x00\x04MQTT\x05\x06\x00\x00\x00\x00\x00", "\x00\x01w\x00\x00"},
	'c': {"CONNACK", packet.CONNACK, 0, "\x00\x00", ""},
	'P': {"PUBLISH", packet.PUBLISH, 0, "\x00\x01t", "payload"},
	'a': {"PUBACK", packet.PUBACK, 0, "\x00\x01\x00", ""},
	'r': {"PUBREC", packet.PUBREC, 0, "\x00\x01\x00", ""},
	'l': {"PUBREL", packet.PUBREL, 2, "\x00\x01\x00", ""},
	'o': {"PUBCOMP", packet.PUBCOMP, 0, "\x00\x01\x00", ""},
	'S': {"SUBSCRIBE", packet.SUBSCRIBE, 2, "\x00\x01", "\x00\x01f\x00"},
	's': {"SUBACK", packet.SUBACK, 0, "\x00\x01", "\x00"},
	'U': {"UNSUBSCRIBE", packet.UNSUBSCRIBE, 2, "\x00\x01", "\x00\x01f"},
	'u': {"UNSUBACK", packet.UNSUBACK, 0, "\x00\x01", "\x00"},
	'D': {"DISCONNECT", packet.DISCONNECT, 0, "\x00", ""},
	'A': {"AUTH", packet.AUTH, 0, "\x18", ""},
}

// table24 is table 2-4 of 5.0: each property with a value, and where it may
// stand. What twice costs is the section of each place, in their order.
var table24 = map[byte]struct {
	value  string
	places string
	twice  []string
}{
	0x01: {"\x01", "PW", []string{"3.3.2.3.2", "3.1.3.2.3"}},
	0x02: {"\x00\x00\x00\x3c", "PW", []string{"3.3.2.3.3", "3.1.3.2.4"}},
	0x03: {"\x00\x04text", "PW", []string{"3.3.2.3.9", "3.1.3.2.5"}},
	0x08: {"\x00\x03a/r", "PW", []string{"3.3.2.3.5", "3.1.3.2.6"}},
	0x09: {"\x00\x02\x00\xff", "PW", []string{"3.3.2.3.6", "3.1.3.2.7"}},
	0x0B: {"\x80\x01", "PS", []string{"", "3.8.2.1.2"}},
	0x11: {"\xff\xff\xff\xff", "CcD", []string{"3.1.2.11.2", "3.2.2.3.2", "3.14.2.2.2"}},
	0x12: {"\x00\x02id", "c", []string{"3.2.2.3.7"}},
	0x13: {"\x00\x3c", "c", []string{"3.2.2.3.14"}},
	0x15: {"\x00\x03JWT", "CcA", []string{"3.1.2.11.9", "3.2.2.3.17", "3.15.2.2.2"}},
	0x16: {"\x00\x01\xff", "CcA", []string{"3.1.2.11.10", "3.2.2.3.18", "3.15.2.2.3"}},
	0x17: {"\x00", "C", []string{"3.1.2.11.7"}},
	0x18: {"\x00\x00\x00\x05", "W", []string{"3.1.3.2.2"}},
	0x19: {"\x01", "C", []string{"3.1.2.11.6"}},
	0x1A: {"\x00\x01r", "c", []string{"3.2.2.3.15"}},
	0x1C: {"\x00\x05other", "cD", []string{"3.2.2.3.16", "3.14.2.2.5"}},
	0x1F: {"\x00\x03why", "carlosuDA", []string{
		"3.2.2.3.9", "3.4.2.2.2", "3.5.2.2.2", "3.6.2.2.2", "3.7.2.2.2", "3.9.2.1.2", "3.11.2.1.2", "3.14.2.2.3", "3.15.2.2.4",
	}},
	0x21: {"\x00\x0a", "Cc", []string{"3.1.2.11.3", "3.2.2.3.3"}},
	0x22: {"\x00\x0a", "Cc", []string{"3.1.2.11.5", "3.2.2.3.8"}},
	0x23: {"\x00\x01", "P", []string{"3.3.2.3.4"}},
	0x24: {"\x01", "c", []string{"3.2.2.3.4"}},
	0x25: {"\x00", "c", []string{"3.2.2.3.5"}},
	0x26: {"\x00\x01k\x00\x01v", "CWcParloSsUuDA", make([]string, 14)},
	0x27: {"\x00\x01\x00\x00", "Cc", []string{"3.1.2.11.4", "3.2.2.3.6"}},
	0x28: {"\x00", "c", []string{"3.2.2.3.11"}},
	0x29: {"\x00", "c", []string{"3.2.2.3.12"}},
	0x2A: {"\x00", "c", []string{"3.2.2.3.13"}},
}

// with is a section that holds a property, and what it cannot be without.
func with(letter rune, property string) string {
	if method := "\x15\x00\x03JWT"; (letter == 'A' || letter == 'C') && property[0] != 0x15 {
		property = method + property
	}
	return section(property)
}

// Every property in every place: it is read, or the packet is malformed.
func TestPropertiesStandWhereTheyMay(t *testing.T) { // section 2.2.2.2
	for id, row := range table24 {
		property := string([]byte{id}) + row.value
		for letter, place := range places {
			p, err := decode(place.frame(with(letter, property)))
			if strings.ContainsRune(row.places, letter) {
				if err != nil {
					t.Errorf("property %#x in %s: %v", id, place.name, err)
				} else if !strings.Contains(string(p.Append(nil)), property) {
					t.Errorf("property %#x in %s is not written again: %q", id, place.name, p.Append(nil))
				}
				continue
			}
			if m := wantMalformed(t, err, place.typ, "section 2.2.2.2"); m.Reason != malformed {
				t.Errorf("property %#x in %s: answer %v", id, place.name, m.Reason)
			}
		}
	}
}

func TestUnknownPropertiesAreMalformed(t *testing.T) { // section 2.2.2.2
	for letter, place := range places {
		for id := range 0x80 {
			if _, known := table24[byte(id)]; known {
				continue
			}
			_, err := decode(place.frame(with(letter, string([]byte{byte(id), 0}))))
			wantMalformed(t, err, place.typ, "section 2.2.2.2")
		}
		_, err := decode(place.frame(with(letter, "\x81\x01")))
		wantMalformed(t, err, place.typ, "section 2.2.2.2")
	}
}

func TestPropertiesStandOnce(t *testing.T) {
	for id, row := range table24 {
		property := string([]byte{id}) + row.value
		for i, letter := range []rune(row.places) {
			place := places[letter]
			_, err := decode(place.frame(with(letter, property+property)))
			if row.twice[i] == "" {
				if err != nil {
					t.Errorf("property %#x twice in %s: %v", id, place.name, err)
				}
				continue
			}
			if m := wantMalformed(t, err, place.typ, "section "+row.twice[i]); m.Reason != protocol {
				t.Errorf("property %#x twice in %s: answer %v", id, place.name, m.Reason)
			}
		}
	}
}

// Whatever a value loses at its end, the section ends within it.
func TestPropertiesThatAreCut(t *testing.T) {
	for id, row := range table24 {
		for _, letter := range row.places {
			place := places[letter]
			for n := range len(row.value) {
				_, err := decode(place.frame(with(letter, string([]byte{id})+row.value[:n])))
				m := wantMalformed(t, err, place.typ, "section 2.1.4")
				if m.Reason != malformed {
					t.Errorf("property %#x cut in %s: answer %v", id, place.name, m.Reason)
				}
			}
		}
	}
}

// Of every string in every place, and of both halves of a pair.
func TestPropertiesThatAreNotText(t *testing.T) {
	texts := map[byte]string{
		0x03: "PW", 0x08: "PW", 0x12: "c", 0x15: "CcA", 0x1A: "c", 0x1C: "cD", 0x1F: "carlosuDA",
	}
	for bad, clause := range map[string]string{
		"\x00\x01\xff":         "MQTT-1.5.4-1",
		"\x00\x03\xed\xa0\x80": "MQTT-1.5.4-1", // a surrogate
		"\x00\x02\xc0\x80":     "MQTT-1.5.4-1", // an overlong NUL
		"\x00\x03a\x00b":       "MQTT-1.5.4-2",
	} {
		for id, where := range texts {
			for _, letter := range where {
				_, err := decode(places[letter].frame(with(letter, string([]byte{id})+bad)))
				wantMalformed(t, err, places[letter].typ, clause)
			}
		}
		for letter, place := range places { // [MQTT-1.5.7-1]
			_, err := decode(place.frame(with(letter, "\x26"+bad+"\x00\x01v")))
			wantMalformed(t, err, place.typ, clause)
			_, err = decode(place.frame(with(letter, "\x26\x00\x01k"+bad)))
			wantMalformed(t, err, place.typ, clause)
		}
	}
}

// What is a number but not one of those that are allowed.
func TestPropertiesOutOfRange(t *testing.T) {
	for _, tt := range []struct {
		property string
		letter   rune
		clause   string
	}{
		{"\x01\x02", 'P', "section 3.3.2.3.2"},
		{"\x01\xff", 'W', "section 3.1.3.2.3"},
		{"\x0b\x00", 'P', "section 3.3.2.3.8"},
		{"\x0b\x00", 'S', "section 3.8.2.1.2"},
		{"\x17\x02", 'C', "section 3.1.2.11.7"},
		{"\x19\x02", 'C', "section 3.1.2.11.6"},
		{"\x21\x00\x00", 'C', "section 3.1.2.11.3"},
		{"\x21\x00\x00", 'c', "section 3.2.2.3.3"},
		{"\x23\x00\x00", 'P', "MQTT-3.3.2-8"},
		{"\x24\x02", 'c', "section 3.2.2.3.4"},
		{"\x25\x02", 'c', "section 3.2.2.3.5"},
		{"\x27\x00\x00\x00\x00", 'C', "section 3.1.2.11.4"},
		{"\x27\x00\x00\x00\x00", 'c', "section 3.2.2.3.6"},
		{"\x28\x02", 'c', "section 3.2.2.3.11"},
		{"\x29\x02", 'c', "section 3.2.2.3.12"},
		{"\x2a\x02", 'c', "section 3.2.2.3.13"},
	} {
		_, err := decode(places[tt.letter].frame(with(tt.letter, tt.property)))
		if m := wantMalformed(t, err, places[tt.letter].typ, tt.clause); m.Reason != protocol {
			t.Errorf("%q in %s: answer %v", tt.property, places[tt.letter].name, m.Reason)
		}
	}
}

func TestPropertyLength(t *testing.T) {
	for _, tt := range []struct{ name, section, clause string }{
		{"is overlong", "\x80\x00", "MQTT-1.5.5-1"},
		{"has five bytes", "\x80\x80\x80\x80\x00", "section 1.5.5"},
		{"is cut", "\xff", "section 2.1.4"},
		{"reaches beyond the packet", "\x7f", "section 2.1.4"},
		{"ends within an identifier", "\x01\xa6", "section 2.1.4"},
		{"has an overlong identifier behind it", "\x07\xa6\x00\x00\x00\x00\x00\x00", "MQTT-1.5.5-1"},
	} {
		for _, place := range places {
			place.after = "" // so that what is cut is not completed
			_, err := decode(place.frame(tt.section))
			m := wantMalformed(t, err, place.typ, tt.clause)
			if m.Reason != malformed {
				t.Errorf("a property length that %s in %s: answer %v", tt.name, place.name, m.Reason)
			}
		}
	}
}

func TestOverlongSubscriptionIdentifier(t *testing.T) { // [MQTT-1.5.5-1]
	for _, letter := range "PS" {
		_, err := decode(places[letter].frame(section("\x0b\x81\x00")))
		wantMalformed(t, err, places[letter].typ, "MQTT-1.5.5-1")
	}
}
