package topic_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

func TestValidFilter(t *testing.T) {
	tests := []struct {
		filter string
		want   error
	}{
		{"a", nil},
		{"#", nil},
		{"+", nil},
		{"/", nil},
		{"/#", nil},
		{"+/+", nil},
		{"/+", nil},
		{"+/tennis/#", nil},
		{"sport/+/player1", nil},
		{"sport/tennis/player1/#", nil},
		{"$SYS/#", nil},
		{"a//#", nil},
		{strings.Repeat("/", topic.MaxLevels-1), nil},
		{"", topic.ErrEmpty},
		{"a#", topic.ErrMultiLevel},
		{"#a", topic.ErrMultiLevel},
		{"##", topic.ErrMultiLevel},
		{"sport/tennis#", topic.ErrMultiLevel},
		{"sport/tennis/#/ranking", topic.ErrMultiLevel},
		{"#/", topic.ErrMultiLevel},
		{"+#", topic.ErrMultiLevel},
		{"sport+", topic.ErrSingleLevel},
		{"+sport", topic.ErrSingleLevel},
		{"++", topic.ErrSingleLevel},
		{"a/b+/c", topic.ErrSingleLevel},
		{"a/\x00/#", topic.ErrNUL},
		{"a/\xff", topic.ErrNotUTF8},
		{strings.Repeat("+/", topic.MaxLevels) + "#", topic.ErrTooManyLevels},
		{strings.Repeat("x", topic.MaxLength+1), topic.ErrTooLong},
	}
	for _, tt := range tests {
		if err := topic.ValidFilter(tt.filter); !errors.Is(err, tt.want) {
			t.Errorf("ValidFilter(%.40q) = %v, want %v", tt.filter, err, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		filter string
		want   topic.Subscription
		err    error
	}{
		{"acme/#", topic.Subscription{Kind: topic.Plain, Filter: "acme/#"}, nil},
		{"$share/g/acme/+/x", topic.Subscription{Kind: topic.Share, Group: "g", Filter: "acme/+/x"}, nil},
		{"$share/g/a", topic.Subscription{Kind: topic.Share, Group: "g", Filter: "a"}, nil},
		{"$share/g//a", topic.Subscription{Kind: topic.Share, Group: "g", Filter: "/a"}, nil},
		{"$share/g//", topic.Subscription{Kind: topic.Share, Group: "g", Filter: "/"}, nil},
		{"$queue/acme/#", topic.Subscription{Kind: topic.Queue, Filter: "acme/#"}, nil},
		{"$queue//", topic.Subscription{Kind: topic.Queue, Filter: "/"}, nil},
		{"$local/acme/#", topic.Subscription{Kind: topic.Local, Filter: "acme/#"}, nil},
		{"$local/$share/g/a", topic.Subscription{Kind: topic.Local, Filter: "$share/g/a"}, nil}, // prefixes do not nest
		{"$SYS/#", topic.Subscription{Kind: topic.Plain, Filter: "$SYS/#"}, nil},
		{"$shared/g/a", topic.Subscription{Kind: topic.Plain, Filter: "$shared/g/a"}, nil},
		{"$Share/g/a", topic.Subscription{Kind: topic.Plain, Filter: "$Share/g/a"}, nil},
		{"$", topic.Subscription{Kind: topic.Plain, Filter: "$"}, nil},
		{"/$share/g/a", topic.Subscription{Kind: topic.Plain, Filter: "/$share/g/a"}, nil},
		{"$share", topic.Subscription{}, topic.ErrPrefix},
		{"$share/", topic.Subscription{}, topic.ErrPrefix},
		{"$share/g", topic.Subscription{}, topic.ErrPrefix},
		{"$share/g/", topic.Subscription{}, topic.ErrPrefix},
		{"$share//a", topic.Subscription{}, topic.ErrPrefix},
		{"$share/+/a", topic.Subscription{}, topic.ErrPrefix},
		{"$share/g#/a", topic.Subscription{}, topic.ErrPrefix},
		{"$share/#", topic.Subscription{}, topic.ErrPrefix},
		{"$share/\xff/a", topic.Subscription{}, topic.ErrNotUTF8},
		{"$share/g\x00/a", topic.Subscription{}, topic.ErrNUL},
		{"$share/g/a#", topic.Subscription{}, topic.ErrMultiLevel},
		{"$queue", topic.Subscription{}, topic.ErrPrefix},
		{"$queue/", topic.Subscription{}, topic.ErrPrefix},
		{"$queue/+a", topic.Subscription{}, topic.ErrSingleLevel},
		{"$local", topic.Subscription{}, topic.ErrPrefix},
		{"$local/", topic.Subscription{}, topic.ErrPrefix},
		{"$local/#/a", topic.Subscription{}, topic.ErrMultiLevel},
		{"", topic.Subscription{}, topic.ErrEmpty},
		{"$queue/" + strings.Repeat("x", topic.MaxLength-1), topic.Subscription{}, topic.ErrTooLong},
	}
	for _, tt := range tests {
		got, err := topic.Parse(tt.filter)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Parse(%.40q) = %+v, %v, want %+v, %v", tt.filter, got, err, tt.want, tt.err)
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		filter, name string
		want         bool
	}{
		// [MQTT-4.7.1-2] and the examples beside it
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/tennis/player1/#", "sport/tennis/player12", false},
		{"sport/#", "sport", true},
		{"sport/#", "sport/", true},
		{"#", "a/b/c", true},
		{"#", "/", true},
		// [MQTT-4.7.1-3]
		{"sport/tennis/+", "sport/tennis/player1", true},
		{"sport/tennis/+", "sport/tennis/player1/ranking", false},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"+", "finance", true},
		{"+", "/finance", false},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"/+", "/", true},
		{"+/#", "a", true},
		{"+/+/#", "a", false},
		{"+/tennis/#", "x/tennis", true},
		// [MQTT-4.7.2-1]
		{"#", "$SYS/x", false},
		{"+/monitor/Clients", "$SYS/monitor/Clients", false},
		{"+", "$", false},
		{"+/#", "$SYS", false},
		{"$SYS/#", "$SYS/x", true},
		{"$SYS/#", "$SYS", true},
		{"$SYS/monitor/+", "$SYS/monitor/Clients", true},
		{"a/+", "a/$x", true},
		{"a/#", "a/$x/b", true},
		{"/#", "/$x", true},
		// [MQTT-4.7.3-4]: character by character, case and empty levels count
		{"ACCOUNTS", "Accounts", false},
		{"/finance", "finance", false},
		{"a", "a/", false},
		{"a/", "a", false},
		{"a//b", "a//b", true},
		{"a//b", "a/b", false},
		{"a/+/b", "a//b", true},
		{"a//#", "a/", true},
		{"a//#", "a", false},
		{"/#", "/", true},
		{"/#", "a", false},
		{"é", "e\u0301", false},
	}
	for _, tt := range tests {
		if got := topic.Match(tt.filter, tt.name); got != tt.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.filter, tt.name, got, tt.want)
		}
		if got := matchByTheBook(tt.filter, tt.name); got != tt.want {
			t.Errorf("the oracle disagrees with the table on %q, %q", tt.filter, tt.name)
		}
	}
}

// matchByTheBook is the specification's wording in the slowest and plainest
// form, for the tests to compare with.
func matchByTheBook(filter, name string) bool {
	if name == "" || name[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	if last := len(f) - 1; f[last] == "#" {
		f = f[:last]
		if len(n) < len(f) {
			return false
		}
		n = n[:len(f)]
	}
	if len(f) != len(n) {
		return false
	}
	for i := range f {
		if f[i] != "+" && f[i] != n[i] {
			return false
		}
	}
	return true
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a/b", "+/#", "$share/g/a/#", "$queue/#", "$local//", "$share//a", "\xff", "a/\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		s, err := topic.Parse(filter)
		if err != nil {
			return
		}
		prefix := map[topic.Kind]string{
			topic.Plain: "", topic.Share: "$share/" + s.Group + "/", topic.Queue: "$queue/", topic.Local: "$local/",
		}[s.Kind]
		if prefix+s.Filter != filter {
			t.Errorf("Parse(%q) = %+v lost something", filter, s)
		}
		if err := topic.ValidFilter(s.Filter); err != nil {
			t.Errorf("Parse(%q) let an invalid filter through: %v", filter, err)
		}
		if !topic.Covers(s.Filter, s.Filter) || !topic.Intersects(s.Filter, s.Filter) {
			t.Errorf("%q does not cover and intersect itself", s.Filter)
		}
		if topic.ValidName(s.Filter) == nil && !topic.Match(s.Filter, s.Filter) {
			t.Errorf("%q does not match itself", s.Filter)
		}
		if org := topic.Organization(s.Filter); topic.InsideWall(org, s.Filter) && strings.ContainsAny(org, "+#") {
			t.Errorf("%q is inside the wall of %q", s.Filter, org)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		topic.Match("acme/chat/+/ana/#", "acme/chat/users/ana/inbox")
	}
}

func BenchmarkValidName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := topic.ValidName("acme/chat/users/ana/inbox"); err != nil {
			b.Fatal(err)
		}
	}
}
