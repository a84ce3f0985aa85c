package topic_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

func TestInsideWall(t *testing.T) {
	tests := []struct {
		filter string // as in a SUBSCRIBE
		want   bool
	}{
		{"acme/#", true},
		{"acme/+", true},
		{"acme/", true},
		{"acme//x", true},
		{"acme/chat/users/ana", true},
		{"$share/g/acme/x", true},
		{"$share/globex/acme/#", true},
		{"$queue/acme/#", true},
		{"$local/acme/#", true},
		{"globex/#", false},
		{"globex/acme/x", false},
		{"+/chat/#", false},
		{"#", false},
		{"/#", false},
		{"+/#", false},
		{"/", false},
		{"/acme/x", false},
		{"acme", false},
		{"acmex/a", false},
		{"acm/a", false},
		{"Acme/a", false},
		{"acme\u200b/a", false},
		{"$SYS/#", false},
		{"$acme/x", false},
		{"$share/g/globex/x", false},
		{"$share/acme/globex/x", false},
		{"$share/g/#", false},
		{"$share/g/acme", false},
		{"$queue/globex/#", false},
		{"$queue/#", false},
		{"$local/globex/#", false},
		{"$local/+/#", false},
		{"$local/$queue/acme/#", false},
	}
	for _, tt := range tests {
		s, err := topic.Parse(tt.filter)
		if err != nil {
			t.Fatalf("Parse(%q): %v", tt.filter, err)
		}
		if got := topic.InsideWall("acme", s.Filter); got != tt.want {
			t.Errorf("InsideWall(acme, %q) = %v, want %v", s.Filter, got, tt.want)
		}
	}
}

// A caller that forgets to parse is refused rather than let through.
func TestInsideWallRefusesUnparsedPrefixes(t *testing.T) {
	for _, filter := range []string{"$share/acme/acme/x", "$queue/acme/x", "$local/acme/x"} {
		if topic.InsideWall("acme", filter) {
			t.Errorf("InsideWall(acme, %q) = true", filter)
		}
	}
}

func TestInsideWallNeedsAnOrganization(t *testing.T) {
	for _, tt := range [][2]string{{"", "/x"}, {"", "x"}, {"+", "+/x"}, {"#", "#/x"}, {"a/b", "a/b/c"}, {"a+", "a+/c"}} {
		if topic.InsideWall(tt[0], tt[1]) {
			t.Errorf("InsideWall(%q, %q) = true", tt[0], tt[1])
		}
	}
}

// Whatever a filter inside the wall matches is inside the wall too, save for
// the organization's bare name, which "acme/#" includes as its parent and to
// which nobody can publish.
func TestWallHoldsForEveryName(t *testing.T) {
	for _, filter := range filters(words, 3) {
		for _, name := range names(words, 4) {
			if name == "a" || !topic.InsideWall("a", filter) || !topic.Match(filter, name) {
				continue
			}
			if !topic.InsideWall("a", name) {
				t.Errorf("%q is inside and matches %q, which is not", filter, name)
			}
		}
	}
}

func TestOrganization(t *testing.T) {
	for topicName, want := range map[string]string{"acme/chat/x": "acme", "acme": "acme", "/x": "", "": "", "+/x": "+"} {
		if got := topic.Organization(topicName); got != want {
			t.Errorf("Organization(%q) = %q, want %q", topicName, got, want)
		}
	}
}
