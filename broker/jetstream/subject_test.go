package jetstream_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
)

func TestLiveSubject(t *testing.T) {
	for name, want := range map[string]string{
		"acme/chat/users/ana":  "live.acme.chat.users.ana",
		"acme/":                "live.acme.%",
		"acme//x":              "live.acme.%.x",
		"acme/%":               "live.acme.%25",
		"acme/a.b":             "live.acme.a%2Eb",
		"acme/*/>":             "live.acme.%2A.%3E",
		"acme/a b\t\r\n\f":     "live.acme.a%20b%09%0D%0A%0C",
		"acme/$x/a$":           "live.acme.%24x.a$",
		"acme/\x7f\x01":        "live.acme.%7F\x01",
		"acme/ü/\uFFFD/\uFF0D": "live.acme.ü.%EF%BF%BD.\uFF0D",
	} {
		got := jetstream.LiveSubject(name)
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
		back, err := jetstream.TopicOf(strings.TrimPrefix(want, "live."))
		if err != nil || back != name {
			t.Errorf("%q: came back as %q, %v", name, back, err)
		}
	}
}

func TestLogSubject(t *testing.T) {
	id := ulid.MustParse("01HZXW3Y5Z8K9QF1N4T7B2C6DE")
	want := "log.3.477198.acme.chat.x.01HZXW3Y5Z8K9QF1N4T7B2C6DE"
	if got := jetstream.LogSubject(3, id, "acme/chat/x"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTopicOfRefuses(t *testing.T) {
	for _, levels := range []string{"a.%2", "a.%zz", "a.%2e", "a.%41", "a.%%", "a.%+1", "a.b%", "a.x$%", "a.%EF", "a.$x"} {
		if name, err := jetstream.TopicOf(levels); err == nil && strings.Contains(levels, "%") {
			t.Errorf("%q: decoded as %q", levels, name)
		}
	}
}

func TestCheckTopic(t *testing.T) {
	long := "acme/" + strings.Repeat("x", jetstream.MaxLevels-len("acme/"))
	dots := "acme/" + strings.Repeat(".", jetstream.MaxLevels/3)
	for _, name := range []string{"acme/x", "acme/", long} {
		if err := jetstream.CheckTopic(name); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	for _, name := range []string{"", "acme", "acme/+", "acme/#", "acme/\x00", "acme/\xff", long + "x", dots} {
		if err := jetstream.CheckTopic(name); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%.20q: %v, want it refused", name, err)
		}
	}
	if n := len(jetstream.LogSubject(1023, ulid.Make(), long)); n > jetstream.MaxSubject {
		t.Errorf("a subject of %d bytes", n)
	}
}

func TestLiveFiltersRefuse(t *testing.T) {
	for _, filter := range []string{"", "+/x", "#", "+", "acme/#/x", "acme/x+", "acme/" + strings.Repeat(">", jetstream.MaxLevels/3)} {
		if _, err := jetstream.LiveFilters(filter); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%.20q: %v, want it refused", filter, err)
		}
	}
}

// levels are what random names are made of: all that needs encoding, and pairs
// that an encoding could confuse.
var levels = []string{
	"", "a", "b", "%", "%25", "%2E", ".", "*", ">", "$", "$a", " ", "\t", "\r", "\n", "\f", "\x7f", "a.b", "ü",
	"\uFFFD", "\uFF0D", "%EF", "a%", "%%",
}

func randomName(r *rand.Rand) string {
	name := []string{"acme", "o"}[r.IntN(2)]
	for range 1 + r.IntN(3) {
		name += "/" + levels[r.IntN(len(levels))]
	}
	return name
}

func randomFilter(r *rand.Rand) string {
	parts := strings.Split(randomName(r), "/")
	for i := range parts[1:] {
		if r.IntN(3) == 0 {
			parts[i+1] = "+"
		}
	}
	if r.IntN(3) == 0 {
		parts[len(parts)-1] = "#"
	}
	return strings.Join(parts, "/")
}

func TestNamesAreABijection(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := make(map[string]string) // by subject
	for range 20_000 {
		name := randomName(r)
		subject := jetstream.LiveSubject(name)
		if !server.IsValidPublishSubject(subject) || strings.ContainsAny(subject, " \t\r\n\x00\x7f\uFFFD") {
			t.Fatalf("%q: subject %q", name, subject)
		}
		if other, ok := names[subject]; ok && other != name {
			t.Fatalf("%q and %q are both %q", name, other, subject)
		}
		names[subject] = name
		if back, err := jetstream.TopicOf(strings.TrimPrefix(subject, "live.")); err != nil || back != name {
			t.Fatalf("%q came back as %q, %v", name, back, err)
		}
	}
}

func FuzzTopicOf(f *testing.F) {
	for _, l := range levels {
		f.Add("acme." + l)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		name, err := jetstream.TopicOf(encoded)
		if err != nil || jetstream.CheckTopic(name) != nil || !server.IsValidPublishSubject("live."+encoded) {
			return
		}
		if got := jetstream.LiveSubject(name); strings.Contains(encoded, "%") && got != "live."+encoded {
			t.Errorf("%q is %q, which is %q", encoded, name, got)
		}
	})
}

// TestFiltersAreExact asks the server's own subject matching.
func TestFiltersAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	hits := 0
	for range 200_000 {
		filter, name := randomFilter(r), randomName(r)
		if r.IntN(8) == 0 {
			filter = [...]string{"#", "+", "+/" + strings.SplitN(filter, "/", 2)[1]}[r.IntN(3)] // above the wall
		}
		subjects, err := jetstream.LiveSubjects(filter)
		if err != nil {
			t.Fatalf("%q: %v", filter, err)
		}
		got := false
		for _, s := range subjects {
			if !server.IsValidSubject(s) {
				t.Fatalf("%q: subject %q", filter, s)
			}
			got = got || server.SubjectsCollide(s, jetstream.LiveSubject(name))
		}
		if want := topic.Match(filter, name); got != want {
			t.Fatalf("filter %q as %q, name %q as %q: NATS says %v, MQTT %v",
				filter, subjects, name, jetstream.LiveSubject(name), got, want)
		}
		if got {
			hits++
		}
	}
	if hits < 1000 {
		t.Errorf("only %d matches: the test proves little", hits)
	}
}
