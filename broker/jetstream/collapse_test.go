package jetstream_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func collapsed(key, topic, payload string) *broker.Message {
	m := message(1, topic, payload)
	m.CollapseKey = key
	return m
}

// lastHours are the filters of everything of acme since a short while ago, so
// that the question names its hours.
func lastHours(after uint64) broker.Query {
	return broker.Query{Filters: []string{"acme/#"}, Since: time.Now().Add(-time.Minute), After: after}
}

func TestCollapseKeyKeepsTheNewest(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		got := attach(b)
		old := publish(t, b, collapsed("score", "acme/game", "1:0"))
		publish(t, b, collapsed("score", "acme/other", "another topic"))
		publish(t, b, collapsed("weather", "acme/game", "another key"))
		publish(t, b, message(1, "acme/game", "no key"))
		last := publish(t, b, collapsed("score", "acme/game", "2:0"))
		p := read(t, b, lastHours(0))
		if want := "another topic,another key,no key,2:0"; texts(p.Messages) != strings.ReplaceAll(want, ",", " ") {
			t.Errorf("the log has %q", texts(p.Messages))
		}
		if m := p.Messages[len(p.Messages)-1]; m.CollapseKey != "score" || m.Position != last {
			t.Errorf("read %+v", m)
		}
		// Who has the replaced one in flight learns that it is gone.
		if got := texts(get(t, b, old.Seq, last.Seq)); got != "- 2:0" {
			t.Errorf("got %s", got)
		}
		eventually(t, "delivered", func() bool { return len(got.messages()) == 5 })
	})
}

// TestCollapseKeyRetry publishes an older message again: it does not come back.
func TestCollapseKeyRetry(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		first := collapsed("k", "acme/a", "old")
		at := publish(t, b, first)
		publish(t, b, collapsed("k", "acme/a", "new"))
		again := *first
		if p := publish(t, b, &again); p != at || b.Stats().Duplicates != 1 {
			t.Errorf("again at %v, first at %v; %+v", p, at, b.Stats())
		}
		// Another app's message of the same id is another message.
		other := collapsed("k", "acme2/a", "other")
		other.ID = first.ID
		if p := publish(t, b, other); p.Seq <= at.Seq {
			t.Errorf("another app's message is at %v", p)
		}
		if p := read(t, b, lastHours(0)); texts(p.Messages) != "new" {
			t.Errorf("the log has %q", texts(p.Messages))
		}
	})
}

func TestCollapseKeyExpires(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	m := collapsed("k", "acme/a", "old")
	m.Expires = time.Now().Add(90 * time.Second).UnixMilli()
	p := publish(t, b, m)
	if ttl := stored(t, b, 0)[p.Seq].Header.Get("Nats-TTL"); ttl != "90" {
		t.Errorf("time to live %q", ttl)
	}
	p = publish(t, b, collapsed("k", "acme/a", "for ever"))
	if ttl := stored(t, b, 0)[p.Seq].Header.Get("Nats-TTL"); ttl != "" {
		t.Errorf("time to live %q", ttl)
	}
}

func TestCollapseKeyRefused(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	long := "acme/" + strings.Repeat("x", jetstream.MaxLevels-5)
	for name, m := range map[string]*broker.Message{
		"long key": collapsed(strings.Repeat("k", broker.MaxCollapseKey+1), "acme/a", ""),
		"no text":  collapsed("\xff", "acme/a", ""), "long topic": collapsed("k", long, ""),
	} {
		if err := b.Publish(m, nil, 0); code(err) != "invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := collapsed(strings.Repeat(".", broker.MaxCollapseKey), long[:jetstream.MaxKeyLevels], "")
	if n := len(jetstream.LogSubjectOf(1023, longest, false)); n > jetstream.MaxSubject {
		t.Errorf("a subject of %d bytes", n)
	}
	publish(t, b, longest)
}

func TestKeysAreABijection(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make(map[string]string)
	for range 20_000 {
		key := ""
		for range 1 + r.IntN(3) {
			key += append(levels, "/", "~", "k")[r.IntN(len(levels)+3)]
		}
		if key == "" {
			continue
		}
		subject := jetstream.LogSubjectOf(0, collapsed(key, "acme/a", ""), false)
		token, ok := strings.CutPrefix(subject, "log.0.undated.acme.a.")
		if !ok || !server.IsValidPublishSubject(subject) || strings.ContainsAny(token, "./ *>") {
			t.Fatalf("%q: subject %q", key, subject)
		}
		if other, ok := keys[token]; ok && other != key {
			t.Fatalf("%q and %q are both %q", key, other, token)
		}
		keys[token] = key
		if back, err := jetstream.KeyOf(token); err != nil || back != key {
			t.Fatalf("%q came back as %q, %v", key, back, err)
		}
	}
	for _, token := range []string{"~", "~%", "~%4", "~%41", "~%2e", "~a%zz", "~a/b"} {
		if key, err := jetstream.KeyOf(token); err == nil {
			t.Errorf("%q: decoded as %q", token, key)
		}
	}
	if key, err := jetstream.KeyOf(ulid.Make().String()); key != "" || err != nil {
		t.Errorf("an id has key %q, %v", key, err)
	}
}

// TestUndated publishes under ids of all ages: a reader that knows where in time
// to begin finds every message, and each is in the log once however often it
// was published and whatever it said of its age.
func TestUndated(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		ages := []time.Duration{0, 5 * time.Minute, 20 * time.Minute, 5 * time.Hour, 90 * 24 * time.Hour}
		for _, twice := range []bool{false, true} {
			for i, age := range ages {
				first := message(2, fmt.Sprintf("acme/%d", i), fmt.Sprint(age))
				first.ID = ulid.MustNew(ulid.Timestamp(time.Now().Add(-age)), ulid.DefaultEntropy())
				first.Undated = twice // what is not undated the first time is in its hour
				at := publish(t, b, first)
				again := *first
				again.Undated = true
				if p := publish(t, b, &again); p != at {
					t.Errorf("age %v, undated at first %v: at %v, again at %v", age, twice, at, p)
				}
				p := read(t, b, lastHours(at.Seq-1))
				if found := len(p.Messages); twice && found != 1 {
					t.Errorf("age %v: a reader found %d messages", age, found)
				}
			}
		}
		if n := b.Stats().Duplicates; n != uint64(2*len(ages)) {
			t.Errorf("%d duplicates", n)
		}
	})
}

// TestUndatedKeepsOrder has messages whose place must be asked for between
// others of the same publisher, while NATS stops and starts again.
func TestUndatedKeepsOrder(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-b", URL: n.url()})
	acks := newAnswers()
	const count = 3000
	for i := range uint64(count) {
		m := message(1, "acme/a", fmt.Sprint(i))
		if i%3 != 0 {
			m.ID, m.Undated = ulid.MustNew(ulid.Timestamp(time.Now().Add(-time.Hour)), ulid.DefaultEntropy()), true
		}
		publishAgain(t, b, m, acks, i)
		if i == count/2 {
			n.stop()
			n.start()
		}
	}
	eventually(t, "all answered", func() bool { return acks.len() == count })
	last := uint64(0)
	for i, tag := range acks.tags {
		if tag != uint64(i) || acks.errs[tag] != nil || acks.seqs[tag] <= last {
			t.Fatalf("answer %d: message %d at %d after %d, %v", i, tag, acks.seqs[tag], last, acks.errs[tag])
		}
		last = acks.seqs[tag]
	}
	if got := len(stored(t, b, 0)); got != count {
		t.Errorf("%d messages in the log", got)
	}
}
